//! A HAProxy, wherever it runs.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Files;

/// A connection to a socket of HAProxy.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Stream for T {}

/// A socket of HAProxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// Of the worker that serves: `admin.sock`.
    Worker,
    /// Of the process that starts workers: `master.sock`.
    Master,
}

impl Control {
    /// The file in the directory of the configuration.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Worker => "admin.sock",
            Self::Master => "master.sock",
        }
    }
}

/// A HAProxy, wherever it runs.
#[async_trait]
pub trait Balancer: Send + Sync {
    /// The name of the balancer: its instance's id. It is unique.
    fn name(&self) -> String;

    /// Whether somebody is led to it. A snapshot waits for no other to be in force.
    fn serves(&self) -> bool {
        true
    }

    /// Whether it may have connections: it serves, or has served.
    fn has_served(&self) -> bool {
        true
    }

    /// Connects to a socket of it.
    async fn dial(&self, control: Control) -> io::Result<Box<dyn Stream>>;

    /// Writes its files. When it fails, some of them may be new, and the next call writes all again.
    async fn write(&self, files: &Files) -> io::Result<()>;
}
