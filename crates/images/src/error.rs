//! Errors of the store.

use std::io;
use std::path::Path;

/// Why an image could not be stored, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The store's own files could not be read or written.
    #[error(
        "image store could not {verb} {subject}; see whether the disk is full and the directory is the store's own"
    )]
    Store {
        /// What was tried.
        verb: &'static str,
        /// On what.
        subject: String,
        /// What the system said.
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
    /// The archive is none, or holds no image.
    #[error("the archive holds no image: {reason}; write it with docker save, or as an OCI layout")]
    NoImage {
        /// What is wrong with it.
        reason: String,
    },
    /// What was read is not what its digest says.
    #[error("{subject} is not what its digest says: it is {found}; fetch it again")]
    WrongDigest {
        /// What was read, with the digest that it is named by.
        subject: String,
        /// The digest of what was read.
        found: String,
    },
    /// The image asks for something that is never done, or is larger than allowed.
    #[error("image refused: {reason}")]
    Refused {
        /// Which part, and why.
        reason: String,
    },
    /// There is no such image.
    #[error("image {reference:?} is not in the store; load or pull it")]
    Missing {
        /// The image that was asked for.
        reference: String,
    },
    /// The image is used, and is kept.
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
