//! Reads an archive of blobs into the store's own directory, where each file has a number.
//!
//! The names in the archive are only keys of a map here. They never become paths.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::compression::{Bounded, decompress, is_over};
use crate::digest::Digesting;
use crate::layer::{Entries, Kind, LayerFault};
use crate::{Digest, ImageError, Limits};

/// The number of links that are followed from one name.
const LINKS: usize = 8;

/// A file from an archive or a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
}

/// The files of an archive by their names.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    files: BTreeMap<PathBuf, Blob>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Blobs {
    /// Reads an archive, compressed or not, into files in `directory`.
    ///
    /// # Errors
    ///
    /// When it is not an archive, is truncated, or exceeds a limit.
    pub(crate) fn read(archive: impl Read, directory: &Path, limits: &Limits) -> Result<Self, ImageError> {
        let content = decompress(Bounded::new(archive, limits.archive_bytes)).map_err(ImageError::Unreadable)?;
        let content = Bounded::new(content, limits.archive_bytes);
        let of_archive = Limits {
            entries: u64::try_from(limits.blobs).unwrap_or(u64::MAX),
            ..limits.clone()
        };
        let mut blobs = Self::default();
        let read = Entries::new(content, &of_archive).each(|entry, content| {
            let name = entry.path.relative();
            match entry.kind {
                Kind::File { size } => {
                    let place = directory.join(format!("blob-{}", blobs.files.len()));
                    let blob = spool(content, &place).map_err(LayerFault::Unreadable)?;
                    if blob.bytes != size {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                    blobs.files.insert(name, blob);
                }
                Kind::Symlink(text) => {
                    let text = Path::new(std::ffi::OsStr::from_bytes(&text));
                    if let Some(target) = resolve(name.parent().unwrap_or(Path::new("")), text) {
                        blobs.links.insert(name, target);
                    }
                }
                Kind::Link(target) => {
                    blobs.links.insert(name, target.relative());
                }
                Kind::Directory | Kind::Pipe | Kind::Device => {}
            }
            Ok(())
        });
        read.map_err(|fault| explain(fault, limits))?;
        Ok(blobs)
    }

    /// The file with this name, possibly through links.
    pub(crate) fn get(&self, name: &str) -> Option<&Blob> {
        let mut name = resolve(Path::new(""), Path::new(name))?;
        for _ in 0..LINKS {
            match self.links.get(&name) {
                Some(target) => name.clone_from(target),
                None => break,
            }
        }
        self.files.get(&name)
    }

    /// The content of a small file; `None` if the archive has none with this name.
    ///
    /// # Errors
    ///
    /// When it is too large, or cannot be read.
    pub(crate) fn document(&self, name: &str, limits: &Limits) -> Result<Option<Vec<u8>>, ImageError> {
        self.get(name).map(|blob| blob.document(name, limits)).transpose()
    }
}

impl Blob {
    /// The content of a small file. `name` is its name for errors.
    ///
    /// # Errors
    ///
    /// When it is too large, or cannot be read.
    pub(crate) fn document(&self, name: &str, limits: &Limits) -> Result<Vec<u8>, ImageError> {
        if self.bytes > limits.document_bytes {
            let reason = format!("{name:?} has more than {} bytes", limits.document_bytes);
            return Err(ImageError::refused(reason));
        }
        std::fs::read(&self.path).map_err(ImageError::store("read", &self.path))
    }
}

fn spool(content: &mut dyn Read, place: &Path) -> io::Result<Blob> {
    let mut file = File::create_new(place)?;
    let mut content = Digesting::new(content);
    io::copy(&mut content, &mut file)?;
    Ok(Blob {
        path: place.to_owned(),
        bytes: content.bytes,
        digest: content.digest(),
    })
}

/// A path relative to a directory, without `.` and `..`; `None` if it leads out of the archive.
fn resolve(directory: &Path, path: &Path) -> Option<PathBuf> {
    use std::path::Component;
    let mut resolved = directory.to_owned();
    for part in path.components() {
        match part {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir => {
                if !resolved.pop() {
                    return None;
                }
            }
            Component::RootDir => resolved = PathBuf::new(),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(resolved)
}

fn explain(fault: LayerFault, limits: &Limits) -> ImageError {
    match fault {
        LayerFault::Unreadable(error) if is_over(&error) => {
            ImageError::refused(format!("the archive has more than {} bytes", limits.archive_bytes))
        }
        LayerFault::Unreadable(error) if error.kind() == io::ErrorKind::StorageFull => ImageError::Store {
            verb: "unpack",
            subject: "the archive".to_owned(),
            source: error,
        },
        LayerFault::Unreadable(error) => ImageError::Unreadable(error),
        fault => ImageError::refused(fault.to_string().replace("of a layer", "of the archive")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_resolved_among_the_names_alone() {
        let at = |directory: &str, path: &str| resolve(Path::new(directory), Path::new(path));
        assert_eq!(at("a", "../b/layer.tar"), Some(PathBuf::from("b/layer.tar")));
        assert_eq!(at("a", "/etc/passwd"), Some(PathBuf::from("etc/passwd")));
        assert_eq!(at("a", "../../etc/passwd"), None);
    }
}
