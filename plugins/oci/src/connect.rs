//! One exchange with the helper: a connection for each, so that the helper may come, go and come back.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use orchestrator_plugin::EngineError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::protocol::{self, Fault, VERSION, Version};

/// Bytes of the largest answer that is read as a whole.
const LARGEST: usize = 64 << 20;

/// The body of a request.
pub(crate) type RequestBody = BoxBody<Bytes, io::Error>;

/// How the helper is reached. Nothing stays open between two calls.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: PathBuf,
    timeout: Duration,
    /// Whether the helper said that it speaks our version of the protocol.
    is_known: AtomicBool,
}

impl Connection {
    pub(crate) fn new(socket: PathBuf, timeout: Duration) -> Self {
        Self {
            socket,
            timeout,
            is_known: AtomicBool::new(false),
        }
    }

    /// The limit of a call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Where the helper listens, for people.
    pub(crate) fn place(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Asks which versions the helper speaks.
    ///
    /// # Errors
    ///
    /// When ours is not among them.
    pub(crate) async fn negotiate(&self) -> Result<Version, EngineError> {
        let request = Request::builder().method(Method::GET).uri("/version");
        let asked = async {
            let answer = self.send(request, empty()).await?;
            let bytes = self.collect(answer).await?;
            self.parse::<Version>("check", &bytes)
        };
        let version = self.within("check", asked).await?;
        if !version.protocols.contains(&VERSION) {
            return Err(EngineError::Refused {
                verb: "drive",
                subject: self.place(),
                reason: format!(
                    "the helper {} speaks versions {:?} of the protocol and the daemon {VERSION}; install the same \
                     release of both",
                    version.helper, version.protocols
                ),
            });
        }
        self.is_known.store(true, Ordering::Relaxed);
        Ok(version)
    }

    /// Asks one question and reads the whole answer, within the limit.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        verb: &'static str,
        path: &str,
        question: &impl Serialize,
    ) -> Result<A, EngineError> {
        let exchange = async {
            let answer = self.open(verb, path, question).await?;
            let bytes = self.collect(answer).await?;
            self.parse(verb, &bytes)
        };
        self.within(verb, exchange).await
    }

    /// Asks one question; the answer's body is a stream.
    pub(crate) async fn stream(
        &self,
        verb: &'static str,
        path: &str,
        question: &impl Serialize,
    ) -> Result<Incoming, EngineError> {
        let opened = self.within(verb, self.open(verb, path, question)).await?;
        Ok(opened.into_body())
    }

    /// Asks for a connection that carries frames both ways.
    pub(crate) async fn upgrade(
        &self,
        verb: &'static str,
        path: &str,
        question: &impl Serialize,
    ) -> Result<hyper::upgrade::Upgraded, EngineError> {
        let exchange = async {
            self.know().await?;
            let request = json_request(path)
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, protocol::UPGRADE);
            let body = self.body(verb, question)?;
            let answer = self.checked(verb, self.send(request, body).await?).await?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Err(self.nonsense(verb, format!("it answers {}", answer.status())));
            }
            let upgraded = hyper::upgrade::on(answer).await;
            upgraded.map_err(|error| self.unavailable(error))
        };
        self.within(verb, exchange).await
    }

    /// Sends an archive, as long as it takes.
    pub(crate) async fn upload<A: DeserializeOwned>(
        &self,
        verb: &'static str,
        path: &str,
        question: &impl Serialize,
        body: RequestBody,
    ) -> Result<A, EngineError> {
        self.within(verb, self.know()).await?;
        let head = serde_json::to_string(question).map_err(|error| self.nonsense(verb, error.to_string()))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(protocol::REQUEST_HEADER, escape(&head));
        let answer = self.checked(verb, self.send(request, body).await?).await?;
        let bytes = self.collect(answer).await?;
        self.parse(verb, &bytes)
    }

    /// Sends a question, and returns the answer when it is none of a fault.
    async fn open(
        &self,
        verb: &'static str,
        path: &str,
        question: &impl Serialize,
    ) -> Result<Response<Incoming>, EngineError> {
        self.know().await?;
        let body = self.body(verb, question)?;
        let answer = self.send(json_request(path), body).await?;
        self.checked(verb, answer).await
    }

    /// Makes sure that the helper speaks our version.
    async fn know(&self) -> Result<(), EngineError> {
        match self.is_known.load(Ordering::Relaxed) {
            true => Ok(()),
            false => self.negotiate().await.map(drop),
        }
    }

    fn body(&self, verb: &'static str, question: &impl Serialize) -> Result<RequestBody, EngineError> {
        let bytes = serde_json::to_vec(question).map_err(|error| self.nonsense(verb, error.to_string()))?;
        Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed())
    }

    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: RequestBody,
    ) -> Result<Response<Incoming>, EngineError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| self.unavailable(error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.unavailable(error))?;
        // It ends with the exchange.
        tokio::spawn(connection.with_upgrades());
        let request = request.header(HOST, "helper").body(body);
        let request = request.map_err(|error| self.unavailable(error))?;
        sender
            .send_request(request)
            .await
            .map_err(|error| self.unavailable(error))
    }

    /// The answer, unless it is a fault.
    async fn checked(&self, verb: &'static str, answer: Response<Incoming>) -> Result<Response<Incoming>, EngineError> {
        let status = answer.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer);
        }
        if status == StatusCode::NOT_FOUND {
            // Another release of the helper may have taken this one's place.
            self.is_known.store(false, Ordering::Relaxed);
        }
        let bytes = self.collect(answer).await?;
        match serde_json::from_slice::<Fault>(&bytes) {
            Ok(fault) => Err(fault.into_error(&self.place())),
            Err(_) => Err(self.nonsense(verb, format!("it answers {status}"))),
        }
    }

    async fn collect(&self, answer: Response<Incoming>) -> Result<Bytes, EngineError> {
        let collected = Limited::new(answer.into_body(), LARGEST).collect().await;
        let collected = collected.map_err(|source| EngineError::Unavailable {
            engine: self.place(),
            source,
        })?;
        Ok(collected.to_bytes())
    }

    fn parse<A: DeserializeOwned>(&self, verb: &'static str, bytes: &[u8]) -> Result<A, EngineError> {
        serde_json::from_slice(bytes).map_err(|error| self.nonsense(verb, error.to_string()))
    }

    /// Lets an exchange take as long as a call may.
    pub(crate) async fn within<T>(
        &self,
        verb: &'static str,
        exchange: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(EngineError::Timeout {
                engine: self.place(),
                verb,
                seconds: self.timeout.as_secs(),
            }),
        }
    }

    pub(crate) fn unavailable(&self, source: impl std::error::Error + Send + Sync + 'static) -> EngineError {
        EngineError::Unavailable {
            engine: self.place(),
            source: Box::new(source),
        }
    }

    /// The helper answered something that is not in the protocol.
    pub(crate) fn nonsense(&self, verb: &'static str, reason: String) -> EngineError {
        EngineError::Failed {
            verb,
            subject: format!("through the helper at {}", self.place()),
            reason,
        }
    }
}

fn json_request(path: &str) -> hyper::http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(CONTENT_TYPE, "application/json")
}

fn empty() -> RequestBody {
    Full::default().map_err(|never| match never {}).boxed()
}

/// JSON as a header takes it: what is not ASCII is written by its number.
fn escape(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' => text.push(character),
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_any_text() {
        for text in ["/plain path", "/ä/😀/\u{7f}", "quote\" and \\"] {
            let json = serde_json::to_string(text).unwrap();
            let header = escape(&json);
            assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header}");
            assert_eq!(serde_json::from_str::<String>(&header).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_unavailable() {
        let connection = Connection::new("/nowhere/helper.sock".into(), Duration::from_secs(5));
        let fault = connection.negotiate().await.unwrap_err();
        assert_eq!(fault.code(), "engine-unavailable");
        assert!(fault.to_string().contains("unix:/nowhere/helper.sock"), "{fault}");
    }
}
