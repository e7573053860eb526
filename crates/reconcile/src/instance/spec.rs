//! What an instance is to be: its containers and its spec, from its template and its client.

use std::collections::BTreeMap;

use super::plan::{addresses, volumes};
use orchestrator_model::{
    Attachment, Client, ClientAction, Container, ContainerSpec, InstanceId, InstanceSpec, Mount, Owner, Sidecar,
    SlotKey,
};
use orchestrator_settings::{ContainerSettings, SidecarSettings, TemplateSettings};
use orchestrator_store::{Holding, Situation};

/// The variables that describe an instance to itself; their names begin with `ORCHESTRATOR_`.
fn facts(
    id: InstanceId,
    situation: &Situation,
    mark: Option<String>,
    attachments: &[Attachment],
    mounts: &[Mount],
) -> Vec<(&'static str, Option<String>)> {
    let attachment = attachments.first();
    let SlotKey { owner, slot } = &situation.key;
    let mut facts = vec![
        ("INSTANCE", Some(id.to_string())),
        ("SLOT", Some(slot.to_string())),
        (
            "ADDRESS",
            attachment
                .and_then(|attachment| attachment.address)
                .map(|address| address.to_string()),
        ),
        ("LINK", attachment.map(|attachment| attachment.network.clone())),
        ("ADDRESSES", Some(addresses(attachments))),
        ("VOLUMES", volumes(mounts)),
    ];
    if let Owner::Service(name) = owner {
        facts.push(("SERVICE", Some(name.clone())));
    }
    if let Some(Holding {
        client, active_leases, ..
    }) = &situation.holding
    {
        facts.extend([
            ("CLIENT", mark),
            (
                "CLIENT_ADDRESS",
                active_leases.first().map(|lease| lease.leased.to_string()),
            ),
            ("HOSTNAME", client.hostname.clone()),
        ]);
    }
    facts
}

pub(super) fn containers(id: InstanceId, template: &TemplateSettings) -> Vec<Container> {
    let planned = |(name, container): (&str, &ContainerSettings)| Container {
        instance: id,
        name: name.to_owned(),
        engine: template.engine.clone(),
        image: container.image.clone(),
        reference: None,
    };
    template.containers().map(planned).collect()
}

pub(super) fn spec(
    id: InstanceId,
    situation: &Situation,
    mark: Option<String>,
    attachments: &[Attachment],
    mounts: Vec<Mount>,
    template: &TemplateSettings,
) -> InstanceSpec {
    let first = attachments.first();
    let client: Option<&Client> = situation.holding.as_ref().map(|holding| &holding.client);
    let hostname = client
        .and_then(|client| client.hostname.clone())
        .filter(|name| is_label(name))
        .unwrap_or_else(|| format!("i{id}"));
    let labels: BTreeMap<String, String> = first
        .map(|first| ("orchestrator.link".to_owned(), first.network.clone()))
        .into_iter()
        .collect();
    let facts = facts(id, situation, mark, attachments, &mounts);
    let of = |container: &ContainerSettings| ContainerSpec {
        image: container.image.clone(),
        hostname: hostname.clone(),
        command: container.command.clone(),
        environment: environment(container, &facts),
        environment_from: container.environment_from.clone(),
        capabilities: container.capabilities.clone(),
        resources: container.resources.clone(),
        labels: labels.clone(),
        devices: container.devices.clone(),
        volumes: Vec::new(),
        files: container.files.clone(),
        resolver: template.resolver.clone(),
    };
    let sidecar = |sidecar: &SidecarSettings| Sidecar {
        name: sidecar.name.clone(),
        spec: ContainerSpec {
            // It has that of the first container, with the network.
            resolver: None,
            ..of(&sidecar.container)
        },
    };
    InstanceSpec {
        main: of(&template.main),
        sidecars: template.sidecars.iter().map(sidecar).collect(),
        mounts,
        access: template.access.clone(),
        values: template.values.clone(),
        ssh: template.ssh.clone(),
        client_may: template.client_may.clone(),
        extension: Some(template.time.extension).filter(|_| template.client_may.contains(&ClientAction::Extend)),
    }
}

/// The variables of a container's template, and those that describe the instance.
fn environment(container: &ContainerSettings, facts: &[(&'static str, Option<String>)]) -> BTreeMap<String, String> {
    let mut environment = container.environment.clone();
    for (name, value) in facts {
        if let Some(value) = value {
            environment.insert(format!("ORCHESTRATOR_{name}"), value.clone());
        }
    }
    environment
}

/// Whether a client's name can be a host name: a label of RFC 1123.
fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::is_label;

    #[test]
    fn only_labels_become_host_names() {
        for name in ["phone", "a", "Laptop-7"] {
            assert!(is_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "a.b", "a b", "a;reboot", &"x".repeat(64)] {
            assert!(!is_label(name), "{name}");
        }
    }
}
