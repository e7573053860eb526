//! One layer: an archive of what it adds, changes and takes away, unpacked into a directory.

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

/// What came of unpacking a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Unpacked {
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Entries.
    pub(crate) entries: u64,
    /// Devices and other entries that were left out.
    pub(crate) left_out: u64,
    /// Whether it hides everything below.
    pub(crate) is_opaque: bool,
}

/// Unpacks a layer, compressed or not, into an empty directory, and checks that its content is what its digest says.
///
/// # Errors
///
/// Why it is refused, unreadable, or not what its digest says. What was unpacked until then is of no use.
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
    // The digest is that of all bytes, also of those behind the end of the archive.
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

/// Why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerFault {
    /// The archive breaks off, or is none.
    #[error("the archive of a layer cannot be read")]
    Unreadable(#[from] io::Error),
    /// An entry that is never unpacked.
    #[error("{0}")]
    Refused(String),
    /// The file system refused it.
    #[error("{verb} {path:?}")]
    Disk {
        verb: &'static str,
        path: String,
        source: io::Error,
    },
}

impl LayerFault {
    /// An entry is refused, named by its path.
    pub(crate) fn entry(path: &[u8], reason: impl std::fmt::Display) -> Self {
        // The path is shown escaped: it may hold anything.
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
