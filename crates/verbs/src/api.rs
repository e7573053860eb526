//! The daemon's API, as verbs use it.

use std::error::Error;
use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use orchestrator_api_types::Problem;

/// The media type of Server-Sent Events.
const EVENTS: &str = "text/event-stream";

/// The largest answer that is kept in memory, in bytes.
const LARGEST: usize = 64 << 20;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads something.
    Get,
    /// Creates or begins something.
    Post,
    /// Changes something.
    Put,
    /// Removes something.
    Delete,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The path with its query, encoded (RFC 3986).
    pub path: String,
    /// A body of JSON; empty for none.
    pub body: Vec<u8>,
}

/// A stream of bytes. An error is its last item: it broke off before its end.
pub type Stream = Pin<Box<dyn futures_util::Stream<Item = io::Result<Bytes>> + Send>>;

/// The reason why a request did not get the wanted answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon refused it.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// No daemon answers, or it does not answer in time.
    #[error(transparent)]
    Unreachable(Box<dyn Error + Send + Sync>),
    /// The exchange failed.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

/// The daemon's API, over HTTP or in the same process.
#[async_trait]
pub trait Api: Send + Sync {
    /// Sends a request, and returns the body of the answer if that is a success.
    ///
    /// # Errors
    ///
    /// When the answer is a problem, or there is none.
    async fn call(&self, request: Request) -> Result<Bytes, CallError>;

    /// Sends a request, and opens the answer of this media type, which is read as it comes. The limits of
    /// [`call`](Self::call) hold only until it begins.
    ///
    /// # Errors
    ///
    /// When the answer is a problem, or there is none.
    async fn open(&self, request: Request, media_type: &str) -> Result<Stream, CallError>;

    /// Sends a body of this media type with POST while it arrives, and opens the answer, which may go on at the same
    /// time. The limits of [`call`](Self::call) hold for neither. A body that breaks off is not taken for a whole one.
    ///
    /// # Errors
    ///
    /// When the answer is a problem, or there is none.
    async fn exchange(&self, path: &str, media_type: &str, body: Stream) -> Result<Stream, CallError>;
}

impl dyn Api + '_ {
    /// The body of the answer to a GET.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Api::call).
    pub async fn get(&self, path: &str) -> Result<Bytes, CallError> {
        self.ask(Method::Get, path, Vec::new()).await
    }

    /// The body of the answer to a DELETE.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Api::call).
    pub async fn delete(&self, path: &str) -> Result<Bytes, CallError> {
        self.ask(Method::Delete, path, Vec::new()).await
    }

    /// The body of the answer to a POST of JSON.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Api::call).
    pub async fn post(&self, path: &str, json: Vec<u8>) -> Result<Bytes, CallError> {
        self.ask(Method::Post, path, json).await
    }

    /// The body of the answer to a PUT of JSON.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Api::call).
    pub async fn put(&self, path: &str, json: Vec<u8>) -> Result<Bytes, CallError> {
        self.ask(Method::Put, path, json).await
    }

    /// Opens a stream of Server-Sent Events.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Api::open).
    pub async fn follow(&self, path: &str) -> Result<Stream, CallError> {
        let (method, path) = (Method::Get, path.to_owned());
        let body = Vec::new();
        self.open(Request { method, path, body }, EVENTS).await
    }

    /// The same as the answer to a POST of JSON.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Api::open).
    pub async fn follow_post(&self, path: &str, json: Vec<u8>) -> Result<Stream, CallError> {
        let (method, path) = (Method::Post, path.to_owned());
        let body = json;
        self.open(Request { method, path, body }, EVENTS).await
    }

    /// Sends a body of this media type with POST while it arrives, and returns the body of the answer. It takes as long as
    /// it takes.
    ///
    /// # Errors
    ///
    /// Those of [`exchange`](Api::exchange), and when the answer is larger than 64 MiB or breaks off.
    pub async fn upload(&self, path: &str, media_type: &str, body: Stream) -> Result<Bytes, CallError> {
        let mut answer = self.exchange(path, media_type, body).await?;
        let mut whole = BytesMut::new();
        while let Some(piece) = answer.next().await {
            let piece = piece.map_err(|error| CallError::Failed(error.into()))?;
            if whole.len() + piece.len() > LARGEST {
                let text = format!("the answer has more than {} MiB, and is not read", LARGEST >> 20);
                return Err(CallError::Failed(text.into()));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Bytes, CallError> {
        let path = path.to_owned();
        self.call(Request { method, path, body }).await
    }
}
