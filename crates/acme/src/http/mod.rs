//! Requests to an authority: by TLS, one connection each, with limits on time and size.
//!
//! The library would bring a client of its own. It has no limit on what is read, and does not show `Retry-After`.

mod answer;
mod place;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use orchestrator_runtime::files::{self, Symlinks};
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use place::Place;

/// How long one exchange may take, and one connection.
const LIMIT: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);
/// The largest answer, and the largest file of certificates, in bytes.
const LARGEST: usize = 256 * 1024;
const LARGEST_FILE: u64 = 1024 * 1024;

/// Requests to one authority. Clones are the same.
#[derive(Clone)]
pub(crate) struct Http(Arc<Shared>);

struct Shared {
    directory: String,
    trust: Option<PathBuf>,
    limit: Duration,
    /// `Retry-After` of the last answer.
    after: Mutex<Option<Duration>>,
    /// How TLS trusts what this machine trusts. Reading that takes a while.
    machines: OnceCell<Arc<ClientConfig>>,
}

impl Http {
    /// Requests to the authority with this directory. Trusts what is in the file `trust`, which is read for each request,
    /// or what this machine trusts, which is read once.
    pub(crate) fn new(directory: &str, trust: Option<PathBuf>) -> Self {
        Self::limited(directory, trust, LIMIT)
    }

    fn limited(directory: &str, trust: Option<PathBuf>, limit: Duration) -> Self {
        Self(Arc::new(Shared {
            directory: directory.to_owned(),
            trust,
            limit,
            after: Mutex::default(),
            machines: OnceCell::new(),
        }))
    }

    /// Checks the URL of the directory. The library expects that it is one.
    pub(crate) fn check(&self) -> io::Result<()> {
        Place::read(&self.0.directory).map(drop)
    }

    /// How long the authority asked to be left alone, in its last answer.
    pub(crate) fn take_after(&self) -> Option<Duration> {
        self.0.after.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Shared {
    /// One exchange. The failure says whether all other requests would fail, too.
    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, (io::Error, bool)> {
        let deadline = Instant::now() + self.limit;
        self.set_after(None);
        let directory = self.directory.parse::<Uri>().ok();
        let is_directory = Some(request.uri()) == directory.as_ref();
        let is_nonce = request.method() == Method::HEAD;
        let place = Place::of(request.uri()).map_err(|fault| (fault, is_directory))?;
        let is_directorys_host = directory
            .and_then(|uri| Place::of(&uri).ok())
            .is_some_and(|of_directory| of_directory == place);
        let is_of_all = is_directory || is_nonce;

        let stream = self.within(deadline, self.connect(&place)).await;
        let stream = stream.map_err(|fault| (fault, is_of_all || is_directorys_host))?;
        let answer = self.within(deadline, ask(stream, &place, request)).await;
        let answer = answer.map_err(|fault| (fault, is_of_all))?;
        let (parts, body) = answer.into_parts();
        self.set_after(answer::read_after(&parts.headers));
        let checked = match (is_directory, is_nonce) {
            (true, _) => answer::check_directory(parts.status, &body),
            (_, true) => answer::check_nonce(parts.status, &parts.headers),
            _ => Ok(()),
        };
        let body = checked.and_then(|()| answer::body(parts.status, body));
        let body = body.map_err(|fault| (fault, is_of_all))?;
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    fn set_after(&self, after: Option<Duration>) {
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = after;
    }

    async fn within<T>(&self, deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        timeout_at(deadline, work).await.unwrap_or_else(|_elapsed| {
            let reason = format!("no answer within {} s", self.limit.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        })
    }

    async fn connect(&self, place: &Place) -> io::Result<TlsStream<TcpStream>> {
        let config = self.config().await?;
        let stream = connect(&place.host, place.port).await?;
        let name = ServerName::try_from(place.host.clone()).map_err(io::Error::other)?;
        TlsConnector::from(config).connect(name, stream).await
    }

    async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        match &self.trust {
            Some(file) => read_config(Some(file.clone())).await,
            None => self.machines.get_or_try_init(|| read_config(None)).await.cloned(),
        }
    }
}

/// Sends a request, and reads the answer.
async fn ask(
    stream: TlsStream<TcpStream>,
    place: &Place,
    request: Request<BodyWrapper<Bytes>>,
) -> io::Result<Response<Bytes>> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    parts.headers.insert(HOST, place.header()?);
    let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    parts.uri = path.parse().map_err(io::Error::other)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let _ends = Ends(tokio::spawn(connection).abort_handle());
    let request = Request::from_parts(parts, Full::new(body));
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(io::Error::other)?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let shared = self.0.clone();
        Box::pin(async move {
            let url = request.uri().to_string();
            let answered = shared.exchange(request).await;
            let answer =
                answered.map_err(|(cause, is_of_all)| Error::Other(Box::new(Unanswered { url, is_of_all, cause })))?;
            Ok(BytesResponse::from(answer))
        })
    }
}

/// A request that was not answered, or not with what it asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask {url}")]
pub(crate) struct Unanswered {
    url: String,
    /// Whether all other requests would fail, too: the directory, a nonce or the host of the directory cannot be had.
    pub(crate) is_of_all: bool,
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

async fn read_config(trust: Option<PathBuf>) -> io::Result<Arc<ClientConfig>> {
    let read = tokio::task::spawn_blocking(move || config(trust.as_deref()));
    Ok(Arc::new(read.await.map_err(io::Error::other)??))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The failure of a request to this URL.
    async fn fault(http: &Http, url: &str) -> (String, bool) {
        let request = Request::get(url).body(BodyWrapper::default()).unwrap();
        let Err(Error::Other(fault)) = http.request(request).await else {
            panic!("it is answered")
        };
        let is_of_all = fault.downcast_ref::<Unanswered>().unwrap().is_of_all;
        (orchestrator_runtime::causes::with_causes(fault.as_ref()), is_of_all)
    }

    /// An address at which nobody listens.
    fn closed() -> std::net::SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn a_host_that_does_not_answer_is_told_with_the_url_and_concerns_all_only_if_it_is_the_directorys() {
        let (address, other) = (closed(), closed());
        let url = format!("https://{address}/order");
        let (text, is_of_all) = fault(&Http::new(&format!("https://{address}/dir"), None), &url).await;
        assert!(
            text.contains(&format!("cannot ask {url}: ")) && text.contains("refused"),
            "{text}"
        );
        assert!(is_of_all);
        let (_, is_of_all) = fault(&Http::new(&format!("https://{other}/dir"), None), &url).await;
        assert!(!is_of_all);
    }

    #[tokio::test]
    async fn a_host_that_says_nothing_is_given_up() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/dir", silent.local_addr().unwrap());
        let http = Http::limited(&url, None, Duration::from_millis(100));
        let (text, is_of_all) = fault(&http, &url).await;
        assert!(text.contains("no answer within 0.1 s") && is_of_all, "{text}");
    }

    #[tokio::test]
    async fn a_file_without_certificates_is_told_with_its_path() {
        let file = std::env::temp_dir().join(format!("orchestrator-acme-trust-{}", std::process::id()));
        std::fs::write(&file, "nothing\n").unwrap();
        let url = "https://127.0.0.1:1/dir";
        let (text, _) = fault(&Http::new(url, Some(file.clone())), url).await;
        std::fs::remove_file(&file).unwrap();
        let expected = format!("cannot read certificates in {}: it has none", file.display());
        assert!(text.contains(&expected), "{text}");
    }

    #[tokio::test]
    async fn what_the_machine_trusts_is_read_once() {
        let http = Http::new("https://ca.example/dir", None);
        let first = http.0.config().await.unwrap();
        assert!(Arc::ptr_eq(&first, &http.clone().0.config().await.unwrap()));
    }
}
