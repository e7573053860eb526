//! How far the start of an instance is, and how far it may go.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How far [`ensure`](crate::Host::ensure) is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The machine works: it starts containers and wires them.
    #[default]
    Working,
    /// The instance runs and is wired. The machine only waits for its answer.
    Awaiting,
}

/// What the host and its caller say to each other while an instance is brought up.
///
/// An instance whose packets are checked is not spoken to before its rules are in force. Otherwise the first packets are
/// dropped, and the kernel sends them again a second later. The caller has the rules made while containers start, and
/// [admits](Self::admit) packets when they are in force.
#[derive(Debug)]
pub struct Progress {
    stage: watch::Sender<Stage>,
    admitted: watch::Sender<bool>,
}

impl Progress {
    /// Packets pass already.
    pub fn admitted() -> Self {
        Self::new(true)
    }

    /// Packets pass when the caller says so.
    pub fn closed() -> Self {
        Self::new(false)
    }

    fn new(admitted: bool) -> Self {
        Self {
            stage: watch::Sender::new(Stage::default()),
            admitted: watch::Sender::new(admitted),
        }
    }

    /// Packets of the instance pass from now on.
    pub fn admit(&self) {
        self.admitted.send_replace(true);
    }

    /// Returns when packets of the instance pass.
    pub async fn until_admitted(&self) {
        // The sender is here: it cannot be closed.
        let _ = self.admitted.subscribe().wait_for(|admitted| *admitted).await;
    }

    /// The host is that far.
    pub fn reach(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    /// How far the host is.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Returns when the host is that far.
    pub async fn until(&self, stage: Stage) {
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }
}
