//! Removes each volume when its time has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::Host;
use orchestrator_model::{Clock, HostId, RecordedVolume, Timestamp, VolumeState};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::usage::VolumeUsages;
use orchestrator_store::{IdleVolume, StoreError};
use tokio::time::Instant;

use super::VolumeRecords;
use super::usage::{self, Measurement};
use crate::driver::{Backoff, Driver, Failure, Handle, Next, Reconciler, Registration, Run};

/// A volume may become idle at any time: the record is read at least this often.
const PERIOD: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The environment of the reconciler of volumes.
pub struct Parts {
    /// Where volumes are recorded.
    pub records: Arc<dyn VolumeRecords>,
    /// The machines that have them, each under its name.
    pub hosts: Vec<Arc<dyn Host>>,
    /// Counts the time for which volumes are kept.
    pub clock: Clock,
    /// Where what they take is shown.
    pub usages: VolumeUsages,
    /// Where what they take is counted.
    pub metrics: Metrics,
}

/// Has the driver measure volumes, and remove them. The handle makes it see at once what is to be removed.
pub fn register(driver: &Driver, parts: Parts) -> Handle {
    let registration = Registration::new(
        "volumes",
        "removes volumes whose time is over, or that somebody wants removed",
    )
    .every(PERIOD)
    .retrying(Backoff::new(FIRST_RETRY, PERIOD));
    let named = parts.hosts.into_iter();
    let hosts: BTreeMap<HostId, _> = named.map(|host| (HostId::new(host.name()), host)).collect();
    let measurement = Measurement {
        records: parts.records.clone(),
        hosts: hosts.clone(),
        usages: parts.usages,
        metrics: parts.metrics,
        due: BTreeMap::new(),
    };
    driver.register(usage::registration(), measurement);
    let removal = Removal {
        records: parts.records,
        hosts,
        clock: parts.clock,
    };
    driver.register(registration, removal)
}

struct Removal {
    records: Arc<dyn VolumeRecords>,
    hosts: BTreeMap<HostId, Arc<dyn Host>>,
    clock: Clock,
}

#[async_trait]
impl Reconciler for Removal {
    /// One volume that cannot be removed holds up no other.
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let idle = self.records.idle_volumes().await.map_err(|fault| Failure::of(&fault))?;
        let (mut failed, mut next) = (Vec::new(), None::<Timestamp>);
        for IdleVolume { volume, lease } in idle {
            let due = match volume.state {
                VolumeState::Removing => None,
                VolumeState::Kept => match volume.keep.due(volume.used, lease) {
                    Some(due) => Some(due),
                    None => continue,
                },
            };
            if let Some(due) = due.filter(|due| *due > self.clock.now()) {
                next = Some(next.map_or(due, |next| next.min(due)));
                continue;
            }
            if let Err(reason) = self.remove(&volume).await {
                failed.push(format!("volume {}: {reason}", volume.id));
            }
        }
        match failed.is_empty() {
            false => Err(failed.join("; ").into()),
            true => Ok(next.map_or(Next::Wait, |due| self.at(due))),
        }
    }
}

impl Removal {
    /// Records that it is to go, removes it, and forgets it.
    async fn remove(&self, volume: &RecordedVolume) -> Result<(), String> {
        let text = |fault: StoreError| with_causes(&fault);
        if volume.state == VolumeState::Kept {
            let expired = self
                .records
                .expire_volume(volume, self.clock.now())
                .await
                .map_err(text)?;
            if !expired {
                return Ok(());
            }
        }
        let host = self.hosts.get(&volume.host);
        let host = host.ok_or_else(|| format!("host {} is not known to this daemon", volume.host))?;
        host.remove_volume(volume.id)
            .await
            .map_err(|fault| with_causes(&fault))?;
        self.records
            .forget_volume(volume, self.clock.now())
            .await
            .map_err(text)?;
        tracing::info!(volume = %volume.id, name = volume.name, owner = %volume.owner, "volume removed");
        Ok(())
    }

    fn at(&self, due: Timestamp) -> Next {
        // A moment after it: an end that is this very millisecond has not passed yet.
        let until = due.since(self.clock.now()).min(PERIOD) + Duration::from_millis(1);
        Next::At(Instant::now() + until)
    }
}
