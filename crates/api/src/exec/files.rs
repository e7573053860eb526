//! Files that are put into a container before a command runs there, as archives.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use axum::body::Bytes;
use axum::http::StatusCode;
use orchestrator_api_types::ExecFile;

use crate::problem::Fault;

/// An archive for each directory.
pub(super) fn archives(files: Vec<(ExecFile, Vec<u8>)>) -> Result<Vec<(PathBuf, Bytes)>, Fault> {
    let mut by_directory: BTreeMap<PathBuf, tar::Builder<Vec<u8>>> = BTreeMap::new();
    for (file, content) in files {
        let (directory, name) = place(&file.path)?;
        let archive = by_directory
            .entry(directory)
            .or_insert_with(|| tar::Builder::new(Vec::new()));
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        // A new header has no numbers at all.
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        let added = archive.append_data(&mut header, &name, content.as_slice());
        added.map_err(|error| Fault::bad_exec(format!("{}: {error}", file.path)))?;
    }
    let finished = by_directory.into_iter().map(|(directory, archive)| {
        let bytes = archive.into_inner().map_err(|error| {
            let detail = format!("the files for {} cannot be archived: {error}", directory.display());
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "archive-failed", detail)
        })?;
        Ok((directory, Bytes::from(bytes)))
    });
    finished.collect()
}

/// The directory of a file in a container, and its name there.
fn place(path: &str) -> Result<(PathBuf, PathBuf), Fault> {
    let file = Path::new(path);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let name = file.file_name().map(OsStr::to_owned);
    match (file.is_absolute() && file.components().all(plain), file.parent(), name) {
        (true, Some(directory), Some(name)) => Ok((directory.to_owned(), name.into())),
        _ => Err(Fault::bad_exec(format!(
            "{path:?} is no place for a file; name an absolute path without \"..\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_archived_by_directory_and_never_leave_it() {
        let file = |path: &str, executable| {
            let file = ExecFile {
                path: path.to_owned(),
                size: 2,
                executable,
            };
            (file, b"ab".to_vec())
        };
        let archives = archives(vec![
            file("/tmp/a", true),
            file("/opt/x/b", false),
            file("/tmp/c", false),
        ])
        .unwrap();
        let directories: Vec<_> = archives
            .iter()
            .map(|(directory, _)| directory.to_str().unwrap())
            .collect();
        assert_eq!(directories, ["/opt/x", "/tmp"]);
        let mut archive = tar::Archive::new(archives[1].1.as_ref());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.header().uid().unwrap(), 0);
            assert_eq!(entry.header().mtime().unwrap(), 0);
            (entry.path().unwrap().into_owned(), entry.header().mode().unwrap())
        });
        let entries: Vec<(std::path::PathBuf, u32)> = entries.collect();
        assert_eq!(entries, [("a".into(), 0o755), ("c".into(), 0o644)]);
        for path in ["a", "/", "/tmp/../etc/passwd", "", "/tmp/.."] {
            assert!(place(path).is_err(), "{path:?}");
        }
    }
}
