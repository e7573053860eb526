//! What volumes take of the disk, as it was measured last. The reconciler measures, and the API shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_model::VolumeId;

/// What a volume takes of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUsage {
    /// Bytes on the disk.
    pub bytes: u64,
    /// The limit that the file system enforces, in bytes; `None` when it enforces none.
    pub limit: Option<u64>,
    /// Why the file system cannot enforce a limit, as a clause; `None` when it can.
    pub obstacle: Option<String>,
}

/// The last measurement of each volume. A cheap handle: all clones share one table.
#[derive(Debug, Clone, Default)]
pub struct VolumeUsages {
    table: Arc<Mutex<BTreeMap<VolumeId, VolumeUsage>>>,
}

impl VolumeUsages {
    /// The last measurement of a volume; `None` before the first.
    pub fn of(&self, volume: VolumeId) -> Option<VolumeUsage> {
        self.lock().get(&volume).cloned()
    }

    /// Takes a measurement.
    pub fn set(&self, volume: VolumeId, usage: VolumeUsage) {
        self.lock().insert(volume, usage);
    }

    /// Forgets the volumes that are not there any more.
    pub fn retain(&self, is_there: impl Fn(VolumeId) -> bool) {
        self.lock().retain(|volume, _| is_there(*volume));
    }

    /// The sum of the bytes, and the sum of the limits that are enforced.
    pub fn total(&self) -> (u64, u64) {
        let sum = |(bytes, limit): (u64, u64), usage: &VolumeUsage| {
            let more = usage.limit.unwrap_or(0);
            (bytes.saturating_add(usage.bytes), limit.saturating_add(more))
        };
        self.lock().values().fold((0, 0), sum)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VolumeId, VolumeUsage>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
