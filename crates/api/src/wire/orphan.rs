use orchestrator_api_types as wire;
use orchestrator_model::Orphan;

use super::IntoWire;

impl IntoWire for Orphan {
    type Wire = wire::Orphan;

    fn into_wire(self) -> wire::Orphan {
        let Self {
            id,
            plugin,
            reference,
            running,
            link,
            duid,
            // Only the daemon knows whose it is.
            mark: _,
            address,
            addresses,
            volumes,
            slot,
        } = self;
        wire::Orphan {
            id,
            plugin,
            reference,
            running,
            link,
            duid,
            address,
            addresses,
            volumes,
            slot: slot.map(|slot| slot.to_string()),
        }
    }
}
