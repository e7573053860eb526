//! Errors of the store.

use std::io;
use std::path::Path;

/// The reason why an image could not be stored, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The store's own files could not be read or written.
    #[error(
        "image store could not {verb} {subject}; see whether the disk is full and the directory is the store's own"
    )]
    Store {
        /// The operation that failed.
        verb: &'static str,
        /// The subject of the operation.
        subject: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another process has the store open.
    #[error("image store {directory} is open in another process; end that first")]
    Locked {
        /// The directory of the store.
        directory: String,
    },
    /// The archive could not be read to its end.
    #[error("the archive could not be read")]
    Unreadable(#[source] io::Error),
    /// The archive is not an image archive, or contains no image.
    #[error("the archive holds no image: {reason}; write it with docker save, or as an OCI layout")]
    NoImage {
        /// The fault of the archive.
        reason: String,
    },
    /// The content does not match its digest.
    #[error("{subject} is not what its digest says: it is {found}; fetch it again")]
    WrongDigest {
        /// The content, with its expected digest.
        subject: String,
        /// The digest of the content.
        found: String,
    },
    /// The image needs something that is never done, or exceeds a limit.
    #[error("image refused: {reason}")]
    Refused {
        /// The part of the image, and the reason.
        reason: String,
    },
    /// A layer that the caller counts on was collected, because no image has it any more.
    #[error("layer {digest} is not in the store any more; fetch the image again")]
    LayerGone {
        /// The digest of the uncompressed layer.
        digest: crate::Digest,
    },
    /// There is no such image.
    #[error("image {reference:?} is not in the store; load or pull it")]
    Missing {
        /// The requested image.
        reference: String,
    },
    /// The image is in use and cannot be removed.
    #[error("image {reference:?} is used by {holder}; remove that first")]
    InUse {
        /// The image.
        reference: String,
        /// One of its users.
        holder: String,
    },
}

impl ImageError {
    /// An error of the store's own files.
    pub(crate) fn store(verb: &'static str, subject: &Path) -> impl Fn(io::Error) -> Self {
        let subject = subject.display().to_string();
        move |source| Self::Store {
            verb,
            subject: subject.clone(),
            source,
        }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    pub(crate) fn no_image(reason: impl Into<String>) -> Self {
        Self::NoImage { reason: reason.into() }
    }
}
