//! Why a value that is not recorded could not be read.

use std::io;

use orchestrator_plugin::ValueSource;

/// Why an environment variable or a file of a container has no value.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// The source cannot be read.
    #[error("{subject}: cannot read {source_name}; put the value there, where the daemon may read it")]
    Unreadable {
        /// The use of the value: an environment variable, or a file of the container.
        subject: String,
        /// Where it was to be read from.
        source_name: ValueSource,
        /// Why it cannot be read.
        #[source]
        source: io::Error,
    },
    /// The source holds what cannot be a value.
    #[error("{subject}: {source_name} {what}")]
    Unusable {
        /// What the value is for.
        subject: String,
        /// Where it was read from.
        source_name: ValueSource,
        /// The fault and its remedy.
        what: &'static str,
    },
    /// The value is a credential, and systemd gives the daemon none.
    #[error("{subject}: the daemon was given no credentials; add `LoadCredential={name}:PATH` to its unit")]
    NoCredentials {
        /// What the value is for.
        subject: String,
        /// Name of the credential.
        name: String,
    },
    /// Reading takes too long.
    #[error("the files that hold its environment variables cannot be read in time; is their disk there?")]
    Hangs,
}
