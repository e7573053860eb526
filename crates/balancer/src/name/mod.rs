//! Names that may go into a file or a command of HAProxy. Each is a type that cannot hold anything else.

mod backend;
mod challenge;
mod host;
mod path;
mod pem;

pub use backend::{BackendId, Kind, ServerName};
pub use challenge::Challenge;
pub use host::HostName;
pub use path::{MapKey, PathPrefix};
pub use pem::{CertificateName, Pem};

/// A text that may not go into a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It is no name of a host.
    #[error(
        "{0:?} is no host name: write labels of a-z, 0-9 and - with dots between, such as web.example or *.example"
    )]
    Host(String),
    /// It is no beginning of a path.
    #[error("{0:?} is no path: it begins with / and has letters, digits and - . _ ~ / only, with no part .. in it")]
    Path(String),
    /// It is no certificate with its key.
    #[error("the certificate cannot be used: {0}")]
    Pem(&'static str),
    /// It is no challenge of ACME.
    #[error("{0:?} is no token of ACME: it has letters, digits, - and _ only (RFC 8555, section 8.3)")]
    Challenge(String),
}
