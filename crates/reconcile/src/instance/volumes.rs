//! The volumes that an instance is to hold.

use std::collections::BTreeMap;

use super::Orchestrator;
use orchestrator_model::{HostId, Mount, RecordedVolume, SlotKey, VolumeId};
use orchestrator_settings::{TemplateSettings, VolumeScope, VolumeSettings};
use orchestrator_store::{NewVolume, StoreError};

/// The volumes of an instance that is to be recorded.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// The volumes that it takes: those that are kept for it, and new ones.
    pub(super) taken: Vec<NewVolume>,
    /// Where its containers have them.
    pub(super) mounts: Vec<Mount>,
}

impl Orchestrator {
    /// Finds the volumes of a slot, and gives ids to those that are not there yet: the id of the directory that an
    /// instance that is adopted has already, as `adopted` says, or a new one. `Ok(Err(_))` is the volume that another
    /// instance holds.
    pub(super) async fn plan_volumes(
        &self,
        key: &SlotKey,
        host: &HostId,
        template: &TemplateSettings,
        adopted: &BTreeMap<String, VolumeId>,
    ) -> Result<Result<Volumes, RecordedVolume>, StoreError> {
        let mut planned = Volumes::default();
        if template.volumes.is_empty() {
            return Ok(Ok(planned));
        }
        let kept = self.inner.records.volumes_of(&key.owner).await?;
        for settings in &template.volumes {
            let slot = match settings.scope {
                VolumeScope::Slot => Some(key.slot.clone()),
                VolumeScope::Client => None,
            };
            let mut own = kept
                .iter()
                .filter(|kept| kept.slot == slot && kept.name == settings.name);
            let id = match own.next() {
                Some(kept) if kept.holder.is_some() || kept.host != *host => return Ok(Err(kept.clone())),
                Some(kept) => kept.id,
                None => match adopted.get(&settings.name) {
                    Some(id) => *id,
                    None => self.inner.records.new_id()?,
                },
            };
            planned.mounts.push(mount(id, settings));
            planned.taken.push(NewVolume {
                id,
                slot,
                name: settings.name.clone(),
                host: host.clone(),
                size: settings.size,
                keep: settings.keep,
            });
        }
        Ok(Ok(planned))
    }
}

fn mount(volume: orchestrator_model::VolumeId, settings: &VolumeSettings) -> Mount {
    Mount {
        volume,
        name: settings.name.clone(),
        container: settings.container.clone(),
        target: settings.target.clone(),
        read_only: settings.read_only,
        size: settings.size,
        mode: settings.mode,
        uid: settings.uid,
        gid: settings.gid,
    }
}
