use orchestrator_api_types as wire;
use orchestrator_model::{Instance, InstanceView};

use super::IntoWire;

impl IntoWire for Instance {
    type Wire = wire::Instance;

    fn into_wire(self) -> wire::Instance {
        let Self {
            id,
            client,
            link,
            template,
            plugin,
            spec,
            address,
            phase,
            reason,
            attempts,
            due,
            reference,
            created,
            ready,
            changed,
        } = self;
        wire::Instance {
            id,
            client,
            link,
            template,
            plugin,
            spec: spec.into_wire(),
            address,
            phase: phase.into_wire(),
            reason,
            attempts,
            due,
            reference,
            created,
            ready,
            changed,
        }
    }
}

impl IntoWire for InstanceView {
    type Wire = wire::InstanceView;

    fn into_wire(self) -> wire::InstanceView {
        let Self {
            instance,
            duid,
            hostname,
            link_layer,
        } = self;
        wire::InstanceView {
            instance: instance.into_wire(),
            duid,
            hostname,
            link_layer,
        }
    }
}
