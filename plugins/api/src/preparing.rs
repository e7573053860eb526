//! A network namespace that the caller makes and wires while the engine creates the container for it.

use std::path::{Path, PathBuf};

use tokio::sync::{oneshot, watch};

use crate::{ContainerKey, EngineError};

/// How far the namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Begun,
    Made,
    Wired,
}

/// The engine's side of a network namespace in the making. See [`Engine::ensure_once_wired`](crate::Engine::ensure_once_wired).
#[derive(Debug)]
pub struct Preparing {
    path: PathBuf,
    stage: watch::Receiver<Stage>,
    started: Option<oneshot::Sender<()>>,
}

/// The caller's side of a network namespace in the making. Dropping it before [`wired`](Self::wired) gives up.
#[derive(Debug)]
pub struct Preparer(watch::Sender<Stage>);

impl Preparing {
    /// A namespace that will be at the absolute `path`, with the caller's side of it.
    ///
    /// The receiver yields as soon as the engine has started the container's first process. It is closed without a word
    /// when the engine says nothing before its call returns.
    pub fn new(path: PathBuf) -> (Self, Preparer, oneshot::Receiver<()>) {
        let (stage, watched) = watch::channel(Stage::Begun);
        let (started, told) = oneshot::channel();
        let preparing = Self {
            path,
            stage: watched,
            started: Some(started),
        };
        (preparing, Preparer(stage), told)
    }

    /// The path of the namespace, which may not be there yet.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns when the namespace is at its path. It is not wired then.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] if the caller gave up.
    pub async fn made(&mut self, container: &ContainerKey) -> Result<(), EngineError> {
        self.until(Stage::Made, container).await
    }

    /// Returns when the namespace is wired, so that the container may start.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] if the caller gave up.
    pub async fn wired(&mut self, container: &ContainerKey) -> Result<(), EngineError> {
        self.until(Stage::Wired, container).await
    }

    /// Says that the engine has started the container's first process. Later calls say nothing.
    pub fn started(&mut self) {
        if let Some(started) = self.started.take() {
            // A caller that is gone need not know.
            let _ = started.send(());
        }
    }

    async fn until(&mut self, stage: Stage, container: &ContainerKey) -> Result<(), EngineError> {
        match self.stage.wait_for(|now| *now >= stage).await {
            Ok(_) => Ok(()),
            Err(_) => Err(EngineError::not_wired(container)),
        }
    }
}

impl Preparer {
    /// The namespace is at its path.
    pub fn made(&self) {
        self.0.send_replace(Stage::Made);
    }

    /// The namespace is wired.
    pub fn wired(self) {
        self.0.send_replace(Stage::Wired);
    }
}

#[cfg(test)]
mod tests {
    use tokio::join;

    use super::*;
    use crate::InstanceId;

    #[tokio::test]
    async fn a_stage_is_waited_for_and_stays_reached() {
        let key = ContainerKey::main(InstanceId::from_bytes([1; 6]));
        let (mut preparing, preparer, told) = Preparing::new("/run/netns/x".into());
        let prepare = async {
            preparer.made();
            tokio::task::yield_now().await;
            preparer.wired();
        };
        let follow = async {
            preparing.made(&key).await.unwrap();
            preparing.wired(&key).await.unwrap();
        };
        join!(follow, prepare);
        preparing.wired(&key).await.unwrap();
        preparing.started();
        preparing.started();
        told.await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_has_nothing_started() {
        let key = ContainerKey::main(InstanceId::from_bytes([1; 6]));
        let (mut preparing, preparer, told) = Preparing::new("/run/netns/x".into());
        preparer.made();
        drop(preparer);
        preparing.made(&key).await.unwrap();
        let fault = preparing.wired(&key).await.unwrap_err();
        assert!(matches!(fault, EngineError::Failed { verb: "start", .. }), "{fault}");
        drop(preparing);
        told.await.unwrap_err();
    }
}
