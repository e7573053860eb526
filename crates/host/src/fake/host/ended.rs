//! A command that has ended before anybody looks.

use async_trait::async_trait;
use orchestrator_plugin::{EngineError, ExecControl};

use crate::TerminalSize;

/// A command that has ended.
pub(super) struct Done;

#[async_trait]
impl ExecControl for Done {
    async fn resize(&self, _size: TerminalSize) -> Result<(), EngineError> {
        Ok(())
    }

    async fn exit_code(&self) -> Result<Option<i64>, EngineError> {
        Ok(Some(0))
    }
}
