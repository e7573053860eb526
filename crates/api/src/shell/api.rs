//! The API as a line uses it: without a socket, with the rights of who sent the line.

use async_trait::async_trait;
use bytes::Bytes;
use orchestrator_api_types::Problem;
use orchestrator_verbs::{Api, CallError, Method, Request, Stream};

use crate::caller::Caller;
use crate::connection::Connection;
use crate::inside::{Answer, Inside};
use crate::routes::Shared;

pub(super) struct InsideApi {
    inside: Inside,
    caller: Caller,
}

impl InsideApi {
    /// The requests of a line count as requests of the connection that it came by.
    pub(super) fn new(shared: &Shared, caller: Caller, connection: &Connection) -> Self {
        Self {
            inside: Inside::of(shared, connection),
            caller,
        }
    }
}

/// The problem that an answer has.
fn refused(answer: &Answer) -> CallError {
    let mut problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem.status = answer.status;
    CallError::Problem(Box::new(problem))
}

fn method_of(request: &Request) -> &'static str {
    match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    }
}

#[async_trait]
impl Api for InsideApi {
    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let method = method_of(&request);
        let answer = self.inside.ask(&self.caller, method, &request.path, request.body).await;
        match answer.status {
            200..300 => Ok(answer.body),
            _ => Err(refused(&answer)),
        }
    }

    async fn open(&self, request: Request, media_type: &str) -> Result<Stream, CallError> {
        let method = method_of(&request);
        let opened = self
            .inside
            .open(&self.caller, method, &request.path, media_type, request.body);
        opened.await.map_err(|answer| refused(&answer))
    }

    async fn exchange(&self, path: &str, media_type: &str, body: Stream) -> Result<Stream, CallError> {
        let opened = self.inside.exchange(&self.caller, path, media_type, body).await;
        opened.map_err(|answer| refused(&answer))
    }
}
