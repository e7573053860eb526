//! One HTTP exchange with the daemon, over its unix socket, loopback or TLS, with a time limit.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use nix::unistd::{Gid, Group, User, getuid};
use orchestrator_api_types::Problem;

use super::tls::{self, Access};
use orchestrator_verbs::{Api, Method, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// The default endpoint of the daemon.
pub(super) const DEFAULT_API: &str = "unix:/run/orchestrator/api.sock";

/// The time limit of an exchange.
const LIMIT: Duration = Duration::from_secs(10);

/// Pieces of a body that wait to be sent.
const WAITING: usize = 16;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// The endpoint of the daemon's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// On a unix socket.
    Unix(PathBuf),
    /// On TCP, as `host:port`.
    Tcp(String),
    /// On TCP with TLS, as `host:port`.
    Tls(String),
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err("the path is relative".to_owned())
            };
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let authority = rest.trim_end_matches('/');
        let has_port = |authority: &str| {
            authority
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match scheme {
            "http" if has_port(authority) => Ok(Self::Tcp(authority.to_owned())),
            "https" if has_port(authority) => Ok(Self::Tls(authority.to_owned())),
            _ => Err(format!(
                "write it like {DEFAULT_API}, https://host:8999 or http://[::1]:8998"
            )),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(authority) => write!(f, "http://{authority}"),
            Self::Tls(authority) => write!(f, "https://{authority}"),
        }
    }
}

/// The reason why an exchange did not give the wanted answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("no daemon answers at {api}; {}", advice(api, source))]
    Connect {
        api: Endpoint,
        #[source]
        source: io::Error,
    },
    #[error("the daemon at {api} did not answer within {} ms; {ELSEWHERE}", limit.as_millis())]
    Timeout { api: Endpoint, limit: Duration },
    #[error("the answer of {api} has more than {} MiB, and is not read; ask for less of it", LARGEST >> 20)]
    TooLarge { api: Endpoint },
    #[error("the exchange with {api} broke off")]
    Exchange {
        api: Endpoint,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{0}")]
    Problem(Box<Problem>),
}

const ELSEWHERE: &str = "start it with `orchestrator serve`, ask `systemctl status orchestrator`, \
    or say with --api or ORCHESTRATOR_API where it listens";

fn advice(api: &Endpoint, error: &io::Error) -> String {
    match api {
        Endpoint::Unix(path) if error.kind() == io::ErrorKind::PermissionDenied => how_to_get_in(path),
        Endpoint::Tls(_) if error.kind() == io::ErrorKind::InvalidData => UNTRUSTED.to_owned(),
        _ => ELSEWHERE.to_owned(),
    }
}

const UNTRUSTED: &str = "its certificate is of nobody that is trusted here, or for another name: give the authority's with \
    --ca FILE or ORCHESTRATOR_CA; `orchestrator secrets ca` prints it on the daemon's machine";

/// Advice for a user who may not open the socket, which belongs to root and to one group.
fn how_to_get_in(socket: &Path) -> String {
    let group = fs::metadata(socket).ok().map(|socket| Gid::from_raw(socket.gid()));
    // A socket of root's own group is open to root alone.
    let group = group.filter(|group| group.as_raw() != 0);
    let group = group.and_then(|group| Group::from_gid(group).ok().flatten());
    let user = User::from_uid(getuid()).ok().flatten();
    let name = user.map_or_else(|| "NAME".to_owned(), |user| user.name);
    match group {
        Some(group) => format!(
            "run this as root, or have root say `usermod -aG {} {name}` and log in again",
            group.name
        ),
        None => "run this as root; docs/api.md says how a group is let in".to_owned(),
    }
}

impl From<CallError> for orchestrator_verbs::CallError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Problem(problem) => Self::Problem(problem),
            error @ (CallError::Connect { .. } | CallError::Timeout { .. }) => Self::Unreachable(Box::new(error)),
            error @ (CallError::TooLarge { .. } | CallError::Exchange { .. }) => Self::Failed(Box::new(error)),
        }
    }
}

/// Reads the problem of an answer. The answer may be of another program than the daemon.
fn read_problem(status: u16, body: &[u8]) -> Problem {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    problem.status = status;
    if problem.title.is_empty() {
        problem.title = format!("the answer was HTTP {status}");
    }
    problem
}

/// A client of one daemon's API.
#[derive(Debug, Clone)]
pub(super) struct Client {
    api: Endpoint,
    limit: Duration,
    access: Access,
}

impl Client {
    pub(super) fn new(api: Endpoint) -> Self {
        Self {
            api,
            limit: LIMIT,
            access: Access::default(),
        }
    }

    /// Sets whom to trust, and the token to send, where the API is reached by TLS.
    pub(super) fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Sets the time limit of each exchange. It includes connecting and reading the answer.
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sends JSON with POST, and returns the body of the answer.
    pub(super) async fn post(&self, path: &str, json: Vec<u8>) -> Result<Bytes, CallError> {
        self.exchange_one(hyper::Method::POST, path, json.into()).await
    }

    /// The body of the answer to a GET.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, CallError> {
        self.exchange_one(hyper::Method::GET, path, Bytes::new()).await
    }

    /// A body that is read as it comes; the limit holds for its beginning only.
    async fn open_stream(
        &self,
        method: hyper::Method,
        path: &str,
        accept: &str,
        body: Bytes,
    ) -> Result<Incoming, CallError> {
        let begin = async {
            let response = self.send(method, path, accept, body).await?;
            if response.status().is_success() {
                Ok(response.into_body())
            } else {
                Err(self.problem(response).await)
            }
        };
        timeout(self.limit, begin)
            .await
            .unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn exchange_one(&self, method: hyper::Method, path: &str, body: Bytes) -> Result<Bytes, CallError> {
        let exchange = async {
            let response = self.send(method, path, "application/json", body).await?;
            if response.status().is_success() {
                self.collect(response).await
            } else {
                Err(self.problem(response).await)
            }
        };
        timeout(self.limit, exchange)
            .await
            .unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn send(
        &self,
        method: hyper::Method,
        path: &str,
        accept: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, CallError> {
        let request = self.request(method, path, accept);
        let request = if body.is_empty() {
            request
        } else {
            request.header(CONTENT_TYPE, "application/json")
        };
        let request = request.body(Full::new(body)).map_err(|source| self.broken(source))?;
        self.send_request(request).await
    }

    fn request(&self, method: hyper::Method, path: &str, accept: &str) -> hyper::http::request::Builder {
        let host = match &self.api {
            Endpoint::Unix(_) => "localhost",
            Endpoint::Tcp(authority) | Endpoint::Tls(authority) => authority,
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(ACCEPT, accept);
        match (&self.api, &self.access.token) {
            // Nobody is to read it on the way.
            (Endpoint::Tls(_), Some(token)) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            _ => request,
        }
    }

    async fn send_request<B>(&self, request: Request<B>) -> Result<Response<Incoming>, CallError>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let connect = |source| CallError::Connect {
            api: self.api.clone(),
            source,
        };
        match &self.api {
            Endpoint::Unix(path) => {
                self.exchange(UnixStream::connect(path).await.map_err(connect)?, request)
                    .await
            }
            Endpoint::Tcp(authority) => {
                self.exchange(TcpStream::connect(authority).await.map_err(connect)?, request)
                    .await
            }
            Endpoint::Tls(authority) => {
                let stream = tls::connect(authority, self.access.ca.as_deref()).await;
                self.exchange(stream.map_err(connect)?, request).await
            }
        }
    }

    async fn exchange<S, B>(&self, stream: S, request: Request<B>) -> Result<Response<Incoming>, CallError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| self.broken(source))?;
        // Drives the exchange and ends with it. The sender gets its errors.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|source| self.broken(source))
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, CallError> {
        let too_large = || CallError::TooLarge { api: self.api.clone() };
        if response.body().size_hint().lower() > LARGEST as u64 {
            return Err(too_large());
        }
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| match source.is::<LengthLimitError>() {
            true => too_large(),
            false => CallError::Exchange {
                api: self.api.clone(),
                source,
            },
        };
        Ok(body.map_err(failed)?.to_bytes())
    }

    async fn problem(&self, response: Response<Incoming>) -> CallError {
        let status = response.status().as_u16();
        match self.collect(response).await {
            Ok(body) => CallError::Problem(Box::new(read_problem(status, &body))),
            Err(error) => error,
        }
    }

    fn timed_out(&self) -> CallError {
        CallError::Timeout {
            api: self.api.clone(),
            limit: self.limit,
        }
    }

    /// The pieces of an answer as they come.
    fn pieces(&self, answer: Incoming) -> Stream {
        let of = self.clone();
        let pieces = answer.into_data_stream();
        Box::pin(pieces.map(move |piece| piece.map_err(|error| io::Error::other(of.broken(error)))))
    }

    fn broken(&self, source: impl std::error::Error + Send + Sync + 'static) -> CallError {
        CallError::Exchange {
            api: self.api.clone(),
            source: Box::new(source),
        }
    }
}

#[async_trait]
impl Api for Client {
    async fn call(&self, request: orchestrator_verbs::Request) -> Result<Bytes, orchestrator_verbs::CallError> {
        let method = method_of(request.method);
        let answer = self.exchange_one(method, &request.path, request.body.into()).await;
        answer.map_err(Into::into)
    }

    async fn open(
        &self,
        request: orchestrator_verbs::Request,
        media_type: &str,
    ) -> Result<Stream, orchestrator_verbs::CallError> {
        let method = method_of(request.method);
        let opened = self.open_stream(method, &request.path, media_type, request.body.into());
        Ok(self.pieces(opened.await?))
    }

    async fn exchange(
        &self,
        path: &str,
        media_type: &str,
        body: Stream,
    ) -> Result<Stream, orchestrator_verbs::CallError> {
        // A body may be polled from several threads, a stream only by its owner.
        let (sender, receiver) = mpsc::channel::<io::Result<Frame<Bytes>>>(WAITING);
        let feeding = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut body = body;
            while let Some(bytes) = body.next().await {
                // An error breaks the request off, so that nobody takes it for a whole one.
                if sender.send(bytes.map(Frame::data)).await.is_err() {
                    return;
                }
            }
        }));
        let pieces = stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        let request = self.request(hyper::Method::POST, path, media_type);
        let request = request.header(CONTENT_TYPE, media_type).body(StreamBody::new(pieces));
        let response = self
            .send_request(request.map_err(|source| self.broken(source))?)
            .await?;
        if !response.status().is_success() {
            return Err(self.problem(response).await.into());
        }
        // What is sent ends with the answer.
        let answer = self.pieces(response.into_body());
        Ok(Box::pin(answer.scan(feeding, |_, piece| future::ready(Some(piece)))))
    }
}

fn method_of(method: Method) -> hyper::Method {
    match method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Put => hyper::Method::PUT,
        Method::Delete => hyper::Method::DELETE,
    }
}
