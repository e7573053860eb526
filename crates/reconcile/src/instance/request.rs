//! Requests to a host about an instance. They follow the instance's plan, whatever the settings say by now.

use super::Orchestrator;
use super::failure::PATIENT_TRIES;
use super::pinned::{Pinned, pin};
use orchestrator_host::{
    AttachmentPlan, ContainerName, ContainerPlan, ContainerRef, InstancePlan, InstanceRef, MountPlan, ReadinessPlan,
    RemovalPlan,
};
use orchestrator_model::{Attachment, Container, ContainerSpec, Instance, Mount};

impl Orchestrator {
    /// The plan of one try to bring an instance to answer.
    pub(super) fn instance_plan(&self, instance: &Instance, restart: bool, pinned: &Pinned) -> InstancePlan {
        let declared = self.declared();
        let template = declared.template(&instance.template);
        let readiness = template
            .and_then(|template| template.settings.ready)
            .map(|ready| ReadinessPlan {
                port: ready.tcp,
                within: ready.within,
                reacting: self.inner.checks.reacts(instance.id),
            });
        let attachments = instance.attachments.iter().map(|attachment| AttachmentPlan {
            may_take_port: self.may_take_port(instance, &attachment.bridge),
            ..attachment_plan(attachment)
        });
        let mut plan = InstancePlan {
            id: instance.id,
            containers: instance
                .containers
                .iter()
                .map(|container| container_plan(instance, container))
                .collect(),
            mounts: instance.spec.mounts.iter().map(mount_plan).collect(),
            attachments: attachments.collect(),
            readiness,
            restart,
            patient: instance.attempts.saturating_add(1) < PATIENT_TRIES,
        };
        pin(&mut plan, pinned);
        plan
    }
}

/// The instance as a host observes it.
pub(super) fn instance_ref(instance: &Instance) -> InstanceRef {
    InstanceRef {
        id: instance.id,
        containers: container_refs(instance),
        attachments: instance.attachments.iter().map(attachment_plan).collect(),
    }
}

/// Everything that was made for the instance.
pub(super) fn removal_plan(instance: &Instance) -> RemovalPlan {
    RemovalPlan {
        id: Some(instance.id),
        containers: container_refs(instance),
        attachments: instance.attachments.iter().map(|attachment| attachment.id).collect(),
        routes: instance
            .attachments
            .iter()
            .flat_map(|one| attachment_plan(one).routes())
            .collect(),
        host_ends: Vec::new(),
    }
}

/// Its containers as a host knows them.
pub(super) fn container_refs(instance: &Instance) -> Vec<ContainerRef> {
    let reference = |container: &Container| ContainerRef {
        instance: instance.id,
        name: name_of(container),
        engine: container.engine.clone(),
        reference: container.reference.clone(),
    };
    instance.containers.iter().map(reference).collect()
}

fn container_plan(instance: &Instance, container: &Container) -> ContainerPlan {
    ContainerPlan {
        name: name_of(container),
        engine: container.engine.clone(),
        reference: container.reference.clone(),
        spec: ContainerSpec {
            image: container.image.clone(),
            ..instance.spec.of(&container.name).cloned().unwrap_or_default()
        },
    }
}

/// Names are checked before they are recorded.
pub(super) fn name_of(container: &Container) -> ContainerName {
    container.name.parse().unwrap_or_default()
}

fn mount_plan(mount: &Mount) -> MountPlan {
    let Mount {
        volume,
        name: _,
        container,
        target,
        read_only,
        size,
        mode,
        uid,
        gid,
    } = mount.clone();
    MountPlan {
        volume,
        container,
        target,
        read_only,
        size,
        mode,
        uid,
        gid,
    }
}

fn attachment_plan(attachment: &Attachment) -> AttachmentPlan {
    AttachmentPlan {
        id: attachment.id,
        bridge: attachment.bridge.clone(),
        interface: attachment.interface.clone(),
        address: attachment.address,
        prefix_length: attachment.prefix_length,
        mac: attachment.mac.0,
        gateway: attachment.gateway,
        isolated: attachment.isolated,
        routed: attachment.routed.clone(),
        may_take_port: true,
    }
}
