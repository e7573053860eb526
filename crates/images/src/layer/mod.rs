//! Unpacks a layer, an archive of additions, changes and deletions, into a directory.

mod entry;
mod header;
mod path;
mod pax;
mod tree;

use std::io::{self, Read};
use std::os::fd::OwnedFd;

use crate::compression::{Bounded, decompress, is_over};
use crate::digest::Digesting;
use crate::{Digest, ImageError, Limits};

pub(crate) use entry::Entries;
pub(crate) use header::Kind;
use tree::Tree;

/// The result of unpacking a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Unpacked {
    /// The size of all files, in bytes.
    pub(crate) bytes: u64,
    /// The number of entries.
    pub(crate) entries: u64,
    /// The number of devices and other entries that were left out.
    pub(crate) left_out: u64,
    /// Whether it hides all layers below.
    pub(crate) is_opaque: bool,
}

/// Unpacks a layer, compressed or not, into an empty directory, and verifies its digest.
///
/// # Errors
///
/// The reason why it is refused, unreadable, or does not match its digest. Then the directory must not be used.
pub(crate) fn unpack(
    stream: impl Read,
    root: OwnedFd,
    expected: Digest,
    limits: &Limits,
) -> Result<Unpacked, ImageError> {
    let content = decompress(stream).map_err(ImageError::Unreadable)?;
    let mut content = Digesting::new(Bounded::new(content, limits.layer_bytes));
    let unpacked = Tree::new(root, limits.depth).fill(Entries::new(&mut content, limits));
    let unpacked = unpacked.map_err(|fault| explain(fault, limits))?;
    // The digest covers all bytes, including those after the end of the archive.
    io::copy(&mut content, &mut io::sink()).map_err(|error| explain(error.into(), limits))?;
    let found = content.digest();
    if found != expected {
        return Err(ImageError::WrongDigest {
            subject: format!("layer {expected}"),
            found: found.to_string(),
        });
    }
    Ok(unpacked)
}

/// The reason why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerFault {
    /// The archive is truncated, or is not an archive.
    #[error("the archive of a layer cannot be read")]
    Unreadable(#[from] io::Error),
    /// The entry is of a kind that is never unpacked.
    #[error("{0}")]
    Refused(String),
    /// The file system failed.
    #[error("{verb} {path:?}")]
    Disk {
        verb: &'static str,
        path: String,
        source: io::Error,
    },
}

impl LayerFault {
    /// The error of an entry that is refused, with its path.
    pub(crate) fn entry(path: &[u8], reason: impl std::fmt::Display) -> Self {
        // The path is escaped, because it may contain anything.
        let path: String = String::from_utf8_lossy(path).chars().take(200).collect();
        Self::Refused(format!("entry {path:?} of a layer {reason}"))
    }
}

fn explain(fault: LayerFault, limits: &Limits) -> ImageError {
    match fault {
        LayerFault::Unreadable(error) if is_over(&error) => {
            ImageError::refused(format!("a layer has more than {} bytes", limits.layer_bytes))
        }
        LayerFault::Unreadable(error) => ImageError::Unreadable(error),
        LayerFault::Refused(reason) => ImageError::Refused { reason },
        LayerFault::Disk { verb, path, source } => ImageError::Store {
            verb,
            subject: format!("{path:?} of a layer"),
            source,
        },
    }
}
