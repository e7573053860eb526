//! Errors of secrets, with their remedies.

use std::path::PathBuf;

use orchestrator_store::StoreError;

use crate::key::{KeyFileFault, KeyId, OpenFault};

/// Why the room for secrets could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretsError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileFault),
    /// There is no key file, and the database holds what only its key opens.
    #[error(
        "the key file {} is missing, and the database holds {sealed} secrets that are sealed with the key {key}; put back \
         a copy of the file, or if there is none give the secrets up with `orchestrator secrets discard`", .path.display()
    )]
    KeyMissing {
        /// Where the file should be.
        path: PathBuf,
        /// The key that it should hold.
        key: KeyId,
        /// How many secrets wait for it.
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
        /// The key that it should hold.
        wanted: KeyId,
    },
    /// A row does not open.
    #[error("the secret {name:?} in the database cannot be opened: {fault}; restore the database from a backup")]
    Row {
        /// The row.
        name: String,
        /// Why.
        fault: OpenFault,
    },
    /// Nothing is sealed yet.
    #[error("nothing is sealed in the database yet; the daemon begins with it at its start")]
    Nothing,
    /// Secrets are there, and the row that says with which key is not.
    #[error("the database holds secrets without their row \"seal\"; restore the database from a backup")]
    NoWitness,
    /// Others change the same rows all the time.
    #[error("could not {doing}, as others changed the secrets meanwhile; try again")]
    Contended {
        /// What was being done.
        doing: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// The value is longer than can be sealed.
    #[error("the value is too long to be sealed")]
    TooLong,
    /// The name is none that a secret may have.
    #[error(
        "{0:?} cannot be the name of a secret: it takes 1 to 200 of a-z, 0-9, \"-\", \".\" and \"/\", and \"seal\" is taken"
    )]
    BadName(String),
    /// A certificate was asked for that cannot be issued.
    #[error("cannot issue a certificate for {subject:?}: {reason}")]
    BadRequest {
        /// For whom.
        subject: String,
        /// Why not.
        reason: String,
    },
    /// A certificate could not be made or signed.
    #[error("cannot {doing}: {reason}")]
    Certificate {
        /// What was being done.
        doing: &'static str,
        /// What happened.
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
            Self::TooLong | Self::BadName(_) | Self::BadRequest { .. } => "bad-request",
            Self::Certificate { .. } => "certificate",
        }
    }
}
