use orchestrator_api_types as wire;
use orchestrator_model::{Keep, RecordedVolume, show_lifespan};
use orchestrator_runtime::usage::VolumeUsage;

use super::IntoWire;

impl IntoWire for Keep {
    type Wire = wire::Keep;

    fn into_wire(self) -> wire::Keep {
        match self {
            Self::Forever => wire::Keep::Forever,
            Self::AfterLease(span) => wire::Keep::AfterLease(show_lifespan(span)),
            Self::Unused(span) => wire::Keep::Unused(show_lifespan(span)),
        }
    }
}

impl IntoWire for RecordedVolume {
    type Wire = wire::VolumeView;

    fn into_wire(self) -> wire::VolumeView {
        let Self {
            id,
            owner,
            slot,
            name,
            host,
            size,
            keep,
            state,
            created,
            used,
            holder,
        } = self;
        wire::VolumeView {
            id,
            owner: owner.into_wire(),
            slot: slot.map(|slot| slot.to_string()),
            name,
            host: host.into_wire(),
            size,
            bytes: None,
            limit: None,
            not_enforced: None,
            keep: keep.into_wire(),
            state: state.into_wire(),
            created,
            used,
            holder,
        }
    }
}

/// Adds what was measured to a volume.
pub(crate) fn with_usage(volume: wire::VolumeView, usage: Option<VolumeUsage>) -> wire::VolumeView {
    let Some(VolumeUsage { bytes, limit, obstacle }) = usage else {
        return volume;
    };
    wire::VolumeView {
        bytes: Some(bytes),
        limit,
        not_enforced: obstacle.filter(|_| volume.size.is_some()),
        ..volume
    }
}
