//! Files of an instance that are not in its template: what is its own, such as its SSH keys.

use async_trait::async_trait;
use orchestrator_model::{File, Instance};

/// Where files come from that are an instance's own. They are asked for at each try to bring it up, and are recorded
/// nowhere.
#[async_trait]
pub trait OwnFiles: Send + Sync + 'static {
    /// The files of an instance's first container.
    ///
    /// # Errors
    ///
    /// Why they cannot be had now, with what to do. The instance is tried again.
    async fn of(&self, instance: &Instance) -> Result<Vec<File>, String>;
}

/// No instance has files of its own.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

#[async_trait]
impl OwnFiles for NoFiles {
    async fn of(&self, _: &Instance) -> Result<Vec<File>, String> {
        Ok(Vec::new())
    }
}
