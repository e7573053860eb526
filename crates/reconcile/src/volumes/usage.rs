//! Measures every volume from time to time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::Host;
use orchestrator_model::{HostId, RecordedVolume, VolumeId, VolumeState};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::{Metrics, VolumeTotals};
use orchestrator_runtime::usage::VolumeUsages;
use tokio::time::Instant;

use super::VolumeRecords;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};

/// How often volumes are measured whose file system counts by itself.
const PERIOD: Duration = Duration::from_secs(15);
/// The shortest time between two readings of a whole volume.
const READING: Duration = Duration::from_secs(300);
/// Of the time, at most one in so many parts goes with reading a volume.
const SHARE: u32 = 50;

pub(super) fn registration() -> Registration {
    Registration::new("volume-usage", "measures what volumes take of the disk")
        .every(PERIOD)
        .retrying(Backoff::new(PERIOD, READING))
}

pub(super) struct Measurement {
    pub(super) records: Arc<dyn VolumeRecords>,
    pub(super) hosts: BTreeMap<HostId, Arc<dyn Host>>,
    pub(super) usages: VolumeUsages,
    pub(super) metrics: Metrics,
    /// When each volume is measured again.
    pub(super) due: BTreeMap<VolumeId, Instant>,
}

#[async_trait]
impl Reconciler for Measurement {
    /// One volume that cannot be measured holds up no other.
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let volumes = self.records.volumes().await.map_err(|fault| Failure::of(&fault))?;
        let mut failed = Vec::new();
        for volume in volumes.iter().filter(|volume| volume.state == VolumeState::Kept) {
            if self.due.get(&volume.id).is_some_and(|due| *due > Instant::now()) {
                continue;
            }
            if let Err(reason) = self.measure(volume).await {
                self.metrics.volume_not_measured();
                failed.push(format!("volume {}: {reason}", volume.id));
            }
        }
        let is_there = |id: VolumeId| volumes.iter().any(|volume| volume.id == id);
        self.usages.retain(is_there);
        self.due.retain(|id, _| is_there(*id));
        self.metrics.volumes_measured(self.totals(&volumes));
        match failed.is_empty() {
            false => Err(failed.join("; ").into()),
            true => Ok(Next::Wait),
        }
    }
}

impl Measurement {
    async fn measure(&mut self, volume: &RecordedVolume) -> Result<(), String> {
        let host = self.hosts.get(&volume.host);
        let host = host.ok_or_else(|| format!("host {} is not known to this daemon", volume.host))?;
        let begun = Instant::now();
        let measured = host.measure_volume(volume.id).await;
        // One that is not made yet has no usage.
        if let Some(usage) = measured.map_err(|fault| with_causes(&fault))? {
            let pause = match &usage.obstacle {
                Some(_) => READING.max(begun.elapsed().saturating_mul(SHARE)),
                None => Duration::ZERO,
            };
            self.due.insert(volume.id, Instant::now() + pause);
            self.usages.set(volume.id, usage);
        }
        Ok(())
    }

    fn totals(&self, volumes: &[RecordedVolume]) -> VolumeTotals {
        let is_unlimited = |volume: &&RecordedVolume| {
            let usage = self.usages.of(volume.id);
            volume.size.is_some() && usage.is_some_and(|usage| usage.limit.is_none())
        };
        let (bytes, limit) = self.usages.total();
        VolumeTotals {
            count: volumes.len() as u64,
            not_enforced: volumes.iter().filter(is_unlimited).count() as u64,
            bytes,
            limit,
        }
    }
}
