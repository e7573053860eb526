//! Volumes: directories that outlive the instances that hold them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{HostId, InstanceId, Owner, Slot, Timestamp, VolumeId};

/// A directory on a host that outlives the instances that hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedVolume {
    /// Its id. Its directory is named after it, and after nothing else.
    pub id: VolumeId,
    /// For whom it is kept.
    pub owner: Owner,
    /// The slot of the owner whose instances hold it; `None` for one that instances of any slot may hold.
    pub slot: Option<Slot>,
    /// Its name in the template.
    pub name: String,
    /// The host that has it.
    pub host: HostId,
    /// The most that it may hold, in bytes, where the file system can limit that; `None` is no limit.
    pub size: Option<u64>,
    /// When it is removed.
    pub keep: Keep,
    /// Whether it is on its way out: no instance gets it any more.
    pub state: VolumeState,
    /// When it was first recorded.
    pub created: Timestamp,
    /// When an instance last took it or let it go.
    pub used: Timestamp,
    /// The instance that holds it. There is never more than one.
    pub holder: Option<InstanceId>,
}

/// How far a volume has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeState {
    /// It is kept for its owner.
    Kept,
    /// It is being removed.
    Removing,
}

words!(VolumeState {
    Kept = "kept",
    Removing = "removing",
});

/// When a volume that no instance holds is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Never, unless somebody asks for it.
    #[default]
    Forever,
    /// This long after its owner's last lease ended. While the owner holds a lease it stays.
    AfterLease(Duration),
    /// This long after an instance last held it, whether or not its owner holds a lease.
    Unused(Duration),
}

impl Keep {
    /// When a volume is to be removed that no instance holds and that was last used at `used`. `None` is not now: it is
    /// kept for ever, or its owner holds a lease. `lease` is the state of the owner's leases.
    pub fn due(self, used: Timestamp, lease: OwnerLease) -> Option<Timestamp> {
        match (self, lease) {
            (Self::Forever, _) | (Self::AfterLease(_), OwnerLease::Held) => None,
            (Self::AfterLease(span), OwnerLease::Ended(at)) => Some(used.max(at).plus(span)),
            (Self::AfterLease(span), OwnerLease::Unknown) | (Self::Unused(span), _) => Some(used.plus(span)),
        }
    }
}

/// The state of an owner's leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerLease {
    /// It holds one.
    Held,
    /// The last of them ended then.
    Ended(Timestamp),
    /// It has none that is remembered, or is no client.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_volume_is_due_by_its_rule() {
        let (used, now) = (Timestamp(1_000), Timestamp(5_000));
        for lease in [OwnerLease::Held, OwnerLease::Ended(now), OwnerLease::Unknown] {
            assert_eq!(Keep::Forever.due(used, lease), None);
            assert_eq!(Keep::Unused(HOUR).due(used, lease), Some(used.plus(HOUR)));
        }
        let after = Keep::AfterLease(HOUR);
        assert_eq!(after.due(used, OwnerLease::Held), None);
        assert_eq!(after.due(used, OwnerLease::Ended(now)), Some(now.plus(HOUR)));
        // The grace of the instance may end after the lease did.
        assert_eq!(after.due(now, OwnerLease::Ended(used)), Some(now.plus(HOUR)));
        assert_eq!(after.due(used, OwnerLease::Unknown), Some(used.plus(HOUR)));
    }
}
