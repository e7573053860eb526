//! The daemon's API, as verbs use it.

use std::error::Error;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use orchestrator_api_types::Problem;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// To read something.
    Get,
    /// To make something, or to begin it.
    Post,
    /// To change something.
    Put,
    /// To remove something.
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

/// Bytes as they come, until the stream ends or breaks off.
pub type Stream = Pin<Box<dyn futures_util::Stream<Item = Bytes> + Send>>;

/// Why a request was not answered as it was meant to be.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon refused it.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// No daemon answers, or not in time.
    #[error(transparent)]
    Unreachable(Box<dyn Error + Send + Sync>),
    /// The exchange failed.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

/// The daemon's API: reached over HTTP, or in the same process.
#[async_trait]
pub trait Api: Send + Sync {
    /// Sends a request, and gives the body of the answer where that is a success.
    ///
    /// # Errors
    ///
    /// When the answer is a problem, or there is none.
    async fn call(&self, request: Request) -> Result<Bytes, CallError>;

    /// Opens a stream of server-sent events. The limits of [`call`](Self::call) hold for its beginning only.
    ///
    /// # Errors
    ///
    /// When the answer is a problem, or there is none.
    async fn follow(&self, path: &str) -> Result<Stream, CallError>;
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

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Bytes, CallError> {
        let path = path.to_owned();
        self.call(Request { method, path, body }).await
    }
}
