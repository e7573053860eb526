//! Images of an engine.

use std::future::Future;

use orchestrator_plugin::{Engine, EngineError};

use super::LocalHost;
use crate::{Cause, HostError};

impl LocalHost {
    /// Asks an engine for something that has to do with its images.
    pub(super) async fn about_images<'a, T, F>(
        &'a self,
        engine: &str,
        verb: &'static str,
        ask: impl FnOnce(&'a dyn Engine) -> F,
    ) -> Result<T, HostError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        let answer = async { Ok::<_, Cause>(ask(self.engine(engine)?.as_ref()).await?) };
        answer.await.map_err(|source| HostError::Images {
            host: self.inner.name.clone(),
            engine: engine.to_owned(),
            verb,
            source,
        })
    }
}
