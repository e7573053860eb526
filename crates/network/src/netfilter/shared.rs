//! A socket to netfilter that several calls share: one at a time, on a thread that may wait.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use netlink_sys::Socket;

use super::fault::refused;
use crate::NetworkError;

/// A socket to netfilter. A cheap handle: all clones are one socket.
#[derive(Clone)]
pub(crate) struct SharedSocket(Arc<Mutex<Socket>>);

impl SharedSocket {
    pub(crate) fn new(socket: Socket) -> Self {
        Self(Arc::new(Mutex::new(socket)))
    }

    /// Does something with the socket on a thread that may wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Socket) -> io::Result<T> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let socket = self.0.clone();
        let outcome = tokio::task::spawn_blocking(move || {
            // Nothing that holds the lock can panic half-way through a question.
            work(&socket.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match outcome.await {
            Ok(outcome) => outcome.map_err(|fault| refused(doing, fault)),
            Err(_ended) => Err(NetworkError::Closed { doing: doing.into() }),
        }
    }
}
