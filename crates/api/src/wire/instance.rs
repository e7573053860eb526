use orchestrator_api_types as wire;
use orchestrator_model::{Attachment, Container, HostId, Instance, InstanceView, Owner};

use super::IntoWire;
use super::times::times;

impl IntoWire for Owner {
    type Wire = wire::Owner;

    fn into_wire(self) -> wire::Owner {
        match self {
            Self::Client(id) => wire::Owner::Client(id),
            Self::Service(name) => wire::Owner::Service(name),
            Self::Pool(name) => wire::Owner::Pool(name),
            Self::Operator(name) => wire::Owner::Operator(name),
        }
    }
}

impl IntoWire for Container {
    type Wire = wire::Container;

    fn into_wire(self) -> wire::Container {
        let Self {
            instance: _,
            name,
            engine,
            image,
            reference,
        } = self;
        wire::Container {
            name,
            engine,
            image,
            reference,
        }
    }
}

impl IntoWire for Attachment {
    type Wire = wire::Attachment;

    fn into_wire(self) -> wire::Attachment {
        let Self {
            id,
            instance: _,
            container,
            network,
            bridge,
            interface,
            address,
            prefix_length,
            gateway,
            isolated,
            mac,
            routed,
        } = self;
        wire::Attachment {
            id,
            container,
            network,
            bridge,
            interface,
            address,
            prefix_length,
            gateway,
            isolated,
            mac,
            routed,
        }
    }
}

impl IntoWire for HostId {
    type Wire = String;

    fn into_wire(self) -> String {
        self.to_string()
    }
}

impl IntoWire for Instance {
    type Wire = wire::Instance;

    /// The first container and the first attachment appear twice: in the lists, and as keys of the instance, for
    /// programs from the time when an instance had one of each.
    fn into_wire(self) -> wire::Instance {
        let (client, address, times) = (self.client(), self.address(), times(&self));
        let link = self.attachment().map(|attachment| attachment.network.clone());
        let (plugin, reference) = (self.engine().to_owned(), self.reference().map(str::to_owned));
        let Self {
            id,
            owner,
            slot,
            host,
            template,
            version,
            spec,
            phase,
            reason,
            attempts,
            due,
            created,
            ready,
            changed,
            times: _,
            containers,
            attachments,
        } = self;
        wire::Instance {
            id,
            owner: owner.into_wire(),
            slot: slot.to_string(),
            client,
            host: host.map(IntoWire::into_wire),
            link,
            template,
            version,
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
            containers: containers.into_wire(),
            attachments: attachments.into_wire(),
            times,
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
            outdated: None,
            time_left: None,
        }
    }
}
