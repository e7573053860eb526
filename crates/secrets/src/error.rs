//! Errors of secrets, with their remedies.

use std::path::PathBuf;

use orchestrator_store::StoreError;

use crate::key::{KeyFileFault, KeyId, OpenFault};

/// The reason why an operation on secrets failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretsError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileFault),
    /// The key file is missing, and the database has secrets that only its key opens.
    #[error(
        "the key file {} is missing, and the database holds {sealed} secrets that are sealed with the key {key}; put back \
         a copy of the file, or if there is none give the secrets up with `orchestrator secrets discard`", .path.display()
    )]
    KeyMissing {
        /// The expected path of the file.
        path: PathBuf,
        /// The expected key.
        key: KeyId,
        /// The number of secrets that need it.
        sealed: usize,
    },
    /// The key file is of another database, or of another time.
    #[error(
        "the key file {} holds the key {found}, and the secrets in the database are sealed with the key {wanted}; put the \
         file in place that belongs to this database, or if there is none give the secrets up with \
         `orchestrator secrets discard --force`", .path.display()
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The newest key in it.
        found: KeyId,
        /// The expected key.
        wanted: KeyId,
    },
    /// A row cannot be opened.
    #[error("the secret {name:?} in the database cannot be opened: {fault}; restore the database from a backup")]
    Row {
        /// The row.
        name: String,
        /// The reason.
        fault: OpenFault,
    },
    /// Nothing is sealed yet.
    #[error("nothing is sealed in the database yet; the daemon begins with it at its start")]
    Nothing,
    /// There are secrets, but the row that identifies their key is missing.
    #[error("the database holds secrets without their row \"seal\"; restore the database from a backup")]
    NoWitness,
    /// Other processes keep changing the same rows.
    #[error("could not {doing}, as others changed the secrets meanwhile; try again")]
    Contended {
        /// The operation that failed.
        doing: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// The value is longer than can be sealed.
    #[error("the value is too long to be sealed")]
    TooLong,
    /// The name is not allowed for a secret.
    #[error(
        "{0:?} cannot be the name of a secret: it takes 1 to 300 of a-z, 0-9, \"-\", \".\" and \"/\", and \"seal\" is taken"
    )]
    BadName(String),
    /// The name is not allowed for a token.
    #[error("{0:?} cannot be the name of a token: it takes 1 to 40 of a-z, 0-9, \"-\" and \".\"")]
    BadTokenName(String),
    /// A requested certificate cannot be issued.
    #[error("cannot issue a certificate for {subject:?}: {reason}")]
    BadRequest {
        /// The subject of the certificate.
        subject: String,
        /// The reason.
        reason: String,
    },
    /// A certificate could not be made or signed.
    #[error("cannot {doing}: {reason}")]
    Certificate {
        /// The operation that failed.
        doing: &'static str,
        /// The reason.
        reason: String,
    },
}

impl SecretsError {
    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(fault) => fault.code(),
            Self::KeyFile(_) => "key-file",
            Self::KeyMissing { .. } => "key-missing",
            Self::OtherKey { .. } => "other-key",
            Self::Row { .. } | Self::NoWitness => "secret-damaged",
            Self::Contended { .. } => "contended",
            Self::Nothing => "nothing-sealed",
            Self::Random => "no-random",
            Self::TooLong | Self::BadName(_) | Self::BadTokenName(_) | Self::BadRequest { .. } => "bad-request",
            Self::Certificate { .. } => "certificate",
        }
    }
}
