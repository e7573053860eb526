//! As much of HTTP as it takes to see exactly what is sent.

use std::time::Duration;

use orchestrator::settings::Listen;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Either kind of connection.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// Connects.
pub(crate) async fn connect(place: &Listen) -> Box<dyn Wire> {
    match place {
        Listen::Unix(path) => Box::new(UnixStream::connect(path).await.expect("the socket answers")),
        Listen::Tcp(address) | Listen::Tls(address) => {
            Box::new(TcpStream::connect(address).await.expect("the port answers"))
        }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Takes an answer apart.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it is a problem in due form, and gives its status and code.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], "about:blank");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.len() > 10),
            "{self:?}"
        );
        (self.status, problem["code"].as_str().expect("a code").to_owned())
    }
}

/// Sends `request` as it is and reads until the other end closes.
pub(crate) async fn send(place: &Listen, request: &[u8]) -> Answer {
    let exchange = async {
        let mut wire = connect(place).await;
        // Who refuses a request need not read all of it.
        wire.write_all(request).await.ok();
        let mut text = Vec::new();
        wire.read_to_end(&mut text).await.ok();
        Answer::parse(&String::from_utf8_lossy(&text))
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .expect("an answer in time")
}

/// Asks with these header lines besides the usual. The document has to allow the answer.
pub(crate) async fn ask_with(place: &Listen, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let host = if headers.to_ascii_lowercase().contains("host:") {
        ""
    } else {
        "Host: localhost\r\n"
    };
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{length}{headers}\r\n");
    let answer = send(place, &[head.as_bytes(), body].concat()).await;
    crate::document::check(method, path, &answer);
    answer
}

/// Asks.
pub(crate) async fn ask(place: &Listen, method: &str, path: &str) -> Answer {
    ask_with(place, method, path, "", b"").await
}

/// Gets what must be there.
pub(crate) async fn get(place: &Listen, path: &str) -> Value {
    let answer = ask(place, "GET", path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}
