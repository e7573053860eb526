//! What a client does on its page.

use async_trait::async_trait;
use orchestrator_model::InstanceId;

use crate::Source;

/// Why something was not done: a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Carries out the requests of clients. The caller has checked which client asks, and that it may.
#[async_trait]
pub trait Actions: Send + Sync + 'static {
    /// Has an instance removed and made again.
    ///
    /// # Errors
    ///
    /// Why it is not.
    async fn restart(&self, source: &Source, instance: InstanceId) -> Result<(), Refusal>;

    /// Puts off the end of an instance.
    ///
    /// # Errors
    ///
    /// Why it is not put off.
    async fn extend(&self, source: &Source, instance: InstanceId) -> Result<(), Refusal>;

    /// Replaces the SSH keys of the client at this source.
    ///
    /// # Errors
    ///
    /// Why they are not replaced.
    async fn set_keys(&self, source: &Source, keys: Vec<String>) -> Result<(), Refusal>;
}
