//! The space of file systems.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::{DiskFacts, DiskSpace, EngineFacts, Fact};

/// Asks for the file system of each directory. A directory that is not there yet has that of the one above it.
pub(super) fn read_all(disks: &[(String, PathBuf)]) -> Vec<DiskFacts> {
    let read = |(purpose, path): &(String, PathBuf)| DiskFacts {
        purpose: purpose.clone(),
        path: path.display().to_string(),
        space: read(path),
    };
    disks.iter().map(read).collect()
}

/// The space of the file systems with the engines' images.
pub async fn examine_images(engines: &[EngineFacts]) -> Vec<DiskFacts> {
    let of = |engine: &EngineFacts| {
        let path = PathBuf::from(engine.data.as_ref()?);
        Some((format!("the images of engine {}", engine.name), path))
    };
    let disks: Vec<(String, PathBuf)> = engines.iter().filter_map(of).collect();
    let reading = tokio::task::spawn_blocking(move || {
        // An engine elsewhere, or in mounts of its own, has a directory that is not there.
        let there: Vec<_> = disks.into_iter().filter(|(_, path)| path.exists()).collect();
        read_all(&there)
    });
    match tokio::time::timeout(super::LIMIT, reading).await {
        Ok(Ok(disks)) => disks,
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn read(path: &Path) -> Fact<DiskSpace> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    let found = statvfs(there).map_err(|errno| errno.desc().to_owned())?;
    let block = found.fragment_size();
    Ok(DiskSpace {
        size: found.blocks().saturating_mul(block),
        free: found.blocks_available().saturating_mul(block),
        inodes: found.files(),
        free_inodes: found.files_available(),
        is_read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_yet_has_the_file_system_above_it() {
        let disks = [("the volumes".to_owned(), PathBuf::from("/not/there/yet"))];
        let found = read_all(&disks);
        assert!(found[0].space.as_ref().unwrap().size > 0, "{found:?}");
        assert_eq!(found[0].path, "/not/there/yet");
    }
}
