//! TLS 1.3 for listeners of the API: the certificate, which can be replaced while connections are open.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
// The provider that the workspace builds rustls with.
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// A certificate cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// There is no such thing in the PEM text.
    #[error("there is no {what} in PEM: {reason}")]
    Pem {
        /// What is missing.
        what: &'static str,
        /// Why it cannot be read.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not known.
    #[error("the certificate cannot be used with the private key: {reason}")]
    Unfit {
        /// Why.
        reason: String,
    },
}

/// The certificate that the daemon shows. A cheap handle: all clones show the same one.
///
/// Until there is one, every handshake fails.
#[derive(Clone, Default)]
pub struct ServerIdentity {
    shown: Arc<RwLock<Option<Arc<CertifiedKey>>>>,
}

impl ServerIdentity {
    /// Shows a certificate, with its chain, from now on. Both texts are PEM. Open connections stay as they are.
    ///
    /// # Errors
    ///
    /// [`TlsError`]. Then the one before is still shown.
    pub fn show(&self, certificate: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let missing = |what| {
            move |error: rustls::pki_types::pem::Error| TlsError::Pem {
                what,
                reason: error.to_string(),
            }
        };
        let unfit = |error: rustls::Error| TlsError::Unfit {
            reason: error.to_string(),
        };
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(missing("certificate"))?;
        if chain.is_empty() {
            return Err(TlsError::Pem {
                what: "certificate",
                reason: "the text has none".to_owned(),
            });
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(missing("private key"))?;
        // It fails where the two do not belong together.
        let certified = CertifiedKey::from_der(chain, key, &provider::default_provider()).map_err(unfit)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
        Ok(())
    }

    /// Whether there is a certificate.
    pub fn is_shown(&self) -> bool {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What accepts connections: TLS 1.3 only, HTTP/1.1 only.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13]);
        // The provider has the ciphers of TLS 1.3. Were it otherwise, every handshake would fail.
        let mut config = match config {
            Ok(config) => config.with_no_client_auth().with_cert_resolver(Arc::new(self.clone())),
            Err(_) => ServerConfig::builder()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(self.clone())),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ServerIdentity({})",
            if self.is_shown() { "shown" } else { "none yet" }
        )
    }
}
