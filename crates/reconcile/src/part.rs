//! One part of a host's networks, and the generation that it was last brought to.

use std::sync::Arc;

use orchestrator_host::{
    Applied, Host, HostError, ListRequest, Listed, NetworkChange, NetworkItem, NetworkKey, NetworkPart,
};
use tokio::sync::mpsc;

/// Answers of a list that may queue.
const QUEUE: usize = 16;

/// Brings one part of a host's networks to what is wanted: by difference where the host is known to be at the last
/// generation, and otherwise by the whole.
pub struct PartOfHost {
    host: Arc<dyn Host>,
    part: NetworkPart,
    /// The generation that the host has confirmed. `None` at first, and after every failure: the change may be half done.
    confirmed: Option<u64>,
    last: u64,
}

impl PartOfHost {
    /// Nothing is known of the part yet.
    pub fn new(host: Arc<dyn Host>, part: NetworkPart) -> Self {
        Self {
            host,
            part,
            confirmed: None,
            last: 0,
        }
    }

    /// The host.
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// Whether the host has confirmed the last change.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed.is_some()
    }

    /// Brings the part to the whole of what is wanted.
    ///
    /// # Errors
    ///
    /// What the host could not change first. The rest was tried.
    pub async fn apply_whole(&mut self, items: Vec<NetworkItem>) -> Result<(), HostError> {
        self.send(&NetworkChange::Whole(items)).await.map(drop)
    }

    /// Changes what is different. `false` when the host needs the whole: nothing was changed then.
    ///
    /// # Errors
    ///
    /// What the host could not change first. The rest was tried.
    pub async fn apply_difference(
        &mut self,
        set: Vec<NetworkItem>,
        remove: Vec<NetworkKey>,
    ) -> Result<bool, HostError> {
        if self.confirmed.is_none() {
            return Ok(false);
        }
        let applied = self.send(&NetworkChange::Difference { set, remove }).await?;
        Ok(applied == Applied::Done)
    }

    async fn send(&mut self, change: &NetworkChange) -> Result<Applied, HostError> {
        // Taken first: when the call fails or is dropped, nobody knows the generation.
        let from = self.confirmed.take().unwrap_or_default();
        self.last += 1;
        let applied = self.host.apply(&self.part, from, self.last, change).await?;
        if applied == Applied::Done {
            self.confirmed = Some(self.last);
        }
        Ok(applied)
    }
}

/// All answers to a list, in the order in which they came.
///
/// # Errors
///
/// When the host cannot be asked.
pub(crate) async fn list_all(host: &dyn Host, request: &ListRequest) -> Result<Vec<Listed>, HostError> {
    let (sender, mut answers) = mpsc::channel(QUEUE);
    let collect = async {
        let mut all = Vec::new();
        while let Some(answer) = answers.recv().await {
            all.push(answer);
        }
        all
    };
    let (listed, all) = tokio::join!(host.list(request, sender), collect);
    listed.map(|()| all)
}
