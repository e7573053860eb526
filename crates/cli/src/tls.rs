//! Connections to the API of a daemon elsewhere, by TLS 1.3.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
// The provider that the workspace builds rustls with.
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The variable with the token.
pub(super) const TOKEN: &str = "ORCHESTRATOR_TOKEN";

/// Whom to trust, and what to prove oneself with.
#[derive(Clone, Default)]
pub(super) struct Access {
    /// The file with the certificates of the authorities to trust, in PEM; `None` for those that the machine trusts.
    pub(super) ca: Option<PathBuf>,
    /// The token.
    pub(super) token: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access {{ ca: {:?}, token: {} }}", self.ca, self.token.is_some())
    }
}

impl Access {
    /// With the token of the environment. It is no option, since other users see the options of a program.
    pub(super) fn of(ca: Option<PathBuf>) -> Self {
        let token = std::env::var(TOKEN).ok().map(|token| token.trim().to_owned());
        Self {
            ca,
            token: token.filter(|token| !token.is_empty()),
        }
    }
}

/// Connects to `host:port`, whose certificate has to be for that host.
pub(super) async fn connect(authority: &str, ca: Option<&Path>) -> io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(config(ca)?));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = TcpStream::connect(authority).await?;
    connector.connect(name, stream).await
}

fn config(ca: Option<&Path>) -> io::Result<ClientConfig> {
    let invalid = |error: rustls::Error| io::Error::other(error);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(invalid)?;
    let mut config = match ca {
        Some(file) => {
            let builder = builder.with_root_certificates(roots(file)?);
            builder.with_no_client_auth()
        }
        None => builder.with_platform_verifier().map_err(invalid)?.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(file: &Path) -> io::Result<rustls::RootCertStore> {
    let fault = |reason: String| io::Error::other(format!("cannot read certificates in {}: {reason}", file.display()));
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut roots = rustls::RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(read.map_err(|error| fault(error.to_string()))?);
    match added {
        0 => Err(fault("it has none".to_owned())),
        _ => Ok(roots),
    }
}
