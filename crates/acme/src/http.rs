//! Requests to an authority: by TLS, one connection each, with limits on time and size.
//!
//! The library would bring a client of its own. It has no limit on what is read, and does not show `Retry-After`.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::HeaderMap;
use hyper::client::conn::http1;
use hyper::header::{DATE, HOST, HeaderValue, RETRY_AFTER};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use orchestrator_runtime::files::{self, Symlinks};
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long one exchange may take, and one connection.
const LIMIT: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);
/// The largest answer, and the largest file of certificates, in bytes.
const LARGEST: usize = 256 * 1024;
const LARGEST_FILE: u64 = 1024 * 1024;

/// Requests to one authority. Clones share what it said last.
#[derive(Clone)]
pub(crate) struct Http {
    trust: Option<PathBuf>,
    after: Arc<Mutex<Option<Duration>>>,
}

impl Http {
    /// Trusts what is in this file, or what the machine trusts. The file is read for each request.
    pub(crate) fn new(trust: Option<PathBuf>) -> Self {
        Self {
            trust,
            after: Arc::default(),
        }
    }

    /// How long the authority asked to be left alone, in its last answer.
    pub(crate) fn take_after(&self) -> Option<Duration> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> io::Result<Response<Full<Bytes>>> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let place = Place::of(&parts.uri)?;
        parts.headers.insert(HOST, place.header()?);
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        parts.uri = path.parse().map_err(io::Error::other)?;
        let trust = self.trust.clone();
        let config = tokio::task::spawn_blocking(move || config(trust.as_deref()));
        let config = config.await.map_err(io::Error::other)??;
        let stream = connect(&place.host, place.port).await?;
        let name = ServerName::try_from(place.host).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let _ends = Ends(tokio::spawn(connection).abort_handle());
        let request = Request::from_parts(parts, Full::new(body));
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        let (parts, body) = answer.into_parts();
        let after = read_after(&parts.headers);
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = after;
        let body = Limited::new(body, LARGEST).collect().await.map_err(io::Error::other)?;
        Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let http = self.clone();
        Box::pin(async move {
            let url = request.uri().to_string();
            let fault = |cause: io::Error| {
                Error::Other(Box::new(Unanswered {
                    url: url.clone(),
                    cause,
                }))
            };
            let elapsed = || {
                io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no answer within {} s", LIMIT.as_secs()),
                )
            };
            let exchanged = timeout(LIMIT, http.exchange(request)).await;
            let answer = exchanged.unwrap_or_else(|_| Err(elapsed())).map_err(fault)?;
            Ok(BytesResponse::from(answer))
        })
    }
}

/// A request that was not answered.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask {url}")]
pub(crate) struct Unanswered {
    url: String,
    #[source]
    cause: io::Error,
}

/// Ends the task of a connection.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a URL leads.
struct Place {
    host: String,
    port: u16,
    authority: String,
}

impl Place {
    fn of(uri: &Uri) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        if uri.scheme_str() != Some("https") {
            return Err(invalid("it is no URL with https"));
        }
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Self {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(443),
            authority: authority.as_str().to_owned(),
        })
    }

    fn header(&self) -> io::Result<HeaderValue> {
        self.authority.parse().map_err(io::Error::other)
    }
}

/// Connects to the first address of a host that answers.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in lookup_host((host, port)).await? {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(fault)) => last = io::Error::new(fault.kind(), format!("{address}: {fault}")),
            Err(_elapsed) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
        }
    }
    Err(last)
}

fn config(trust: Option<&Path>) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = match trust {
        Some(file) => builder.with_root_certificates(roots(file)?).with_no_client_auth(),
        None => {
            let verified = builder.with_platform_verifier().map_err(io::Error::other)?;
            verified.with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(file: &Path) -> io::Result<RootCertStore> {
    let fault = |reason: String| io::Error::other(format!("cannot read certificates in {}: {reason}", file.display()));
    let text = files::read_text(file, Symlinks::Follow, LARGEST_FILE).map_err(|error| fault(error.to_string()))?;
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(read.map_err(|error| fault(error.to_string()))?);
    match added {
        0 => Err(fault("it has none".to_owned())),
        _ => Ok(roots),
    }
}

/// The value of `Retry-After`: seconds, or a moment (RFC 9110, section 10.2.3). A moment is compared with the time at which
/// the authority answered, by its own clock.
fn read_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let answered = moment(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::try_from(moment(text)? - answered).unwrap_or_default())
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_moment() {
        let read = |text: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_str(date).unwrap());
            }
            read_after(&headers)
        };
        let date = Some("Fri, 31 Dec 1999 23:58:59 GMT");
        assert_eq!(read("120", None), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Fri, 31 Dec 1999 23:59:59 GMT", date),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Fri, 31 Dec 1999 23:57:59 GMT", date), Some(Duration::ZERO));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT", None), None, "by whose clock?");
        assert_eq!((read("soon", date), read("-1", date)), (None, None));
        assert_eq!(read_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_url_leads_to_a_host_and_a_port() {
        let place = |text: &str| Place::of(&text.parse().unwrap()).map(|place| (place.host, place.port));
        assert_eq!(place("https://ca.example/dir").unwrap(), ("ca.example".to_owned(), 443));
        assert_eq!(
            place("https://[fd39::1]:14000/dir").unwrap(),
            ("fd39::1".to_owned(), 14000)
        );
        place("http://ca.example/dir").unwrap_err();
        place("/dir").unwrap_err();
    }

    #[tokio::test]
    async fn nobody_who_answers_is_told_with_the_url() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let request = Request::get(format!("https://{address}/dir"))
            .body(BodyWrapper::default())
            .unwrap();
        let Err(fault) = Http::new(None).request(request).await else {
            panic!("nobody listens")
        };
        let text = orchestrator_runtime::causes::with_causes(&fault);
        assert!(text.contains(&format!("cannot ask https://{address}/dir: ")), "{text}");
        assert!(text.contains("refused"), "{text}");
    }
}
