//! Records that a client is to have an instance, and what that is to be.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Orchestrator, address};
use orchestrator_model::{Client, ClientId, ContainerSpec, EventKind, Id, NewEvent, Timestamp};
use orchestrator_settings::TemplateSettings;
use orchestrator_store::{NewInstance, Situation, StoreError};

/// How long until a full pool of addresses is looked at again.
const FULL_PAUSE: Duration = Duration::from_secs(10);

impl Orchestrator {
    /// Records a new instance. `Ok(Err(when))` says that it could not be, and when to try again.
    pub(super) async fn plan(&self, situation: &Situation) -> Result<Result<(), Timestamp>, StoreError> {
        let client = &situation.client;
        let settings = self.settings();
        let Some((name, template)) = settings.template_of(&client.link, client.class.as_deref()) else {
            return Ok(Ok(()));
        };
        let Some(range) = settings.link(&client.link).and_then(|link| link.instances) else {
            return Ok(Ok(()));
        };
        let store = &self.inner.store;
        let now = self.inner.clock.now();
        let mut taken = store.taken_addresses(&client.link).await?;
        // One that the database does not know may be the client's own.
        let orphan = self
            .orphan_of(client, &template.engine)
            .filter(|(_, address)| range.contains(address) && !taken.contains(address));
        taken.extend(self.orphan_addresses(&client.link));
        let before = store.last_address(client.id, &client.link).await?;
        let chosen = match orphan {
            Some((_, address)) => Some(address),
            None => address::choose(range, client.id, before, &taken),
        };
        let Some(address) = chosen else {
            self.report_full(client, now).await?;
            return Ok(Err(now.plus(FULL_PAUSE)));
        };
        let id = match orphan {
            Some((id, _)) => id,
            None => Id::random().map_err(|source| StoreError::Random {
                source: Arc::new(source),
            })?,
        };
        let leased = situation.active_leases.first().map(|lease| lease.leased.to_string());
        let facts = [
            ("INSTANCE", Some(id.to_string())),
            ("CLIENT_DUID", Some(client.duid.to_string())),
            ("CLIENT_ADDRESS", leased),
            ("ADDRESS", Some(address.to_string())),
            ("LINK", Some(client.link.clone())),
            ("HOSTNAME", client.hostname.clone()),
        ];
        let instance = NewInstance {
            id,
            client: client.id,
            link: client.link.clone(),
            template: name.to_owned(),
            plugin: template.engine.clone(),
            spec: spec(id, client, template, facts),
            address,
            at: now,
        };
        let event = NewEvent {
            at: now,
            kind: match orphan {
                Some(_) => EventKind::InstanceAdopted,
                None => EventKind::InstanceWanted,
            },
            link: Some(client.link.clone()),
            client: Some(client.id),
            instance: Some(id),
            leased: Some(address.into()),
            detail: Some(format!("template {name}, image {}", template.image)),
        };
        match store.plan_instance(instance, event).await {
            Ok(_) => {
                self.reported_full().remove(&client.id);
                if orphan.is_some() {
                    tracing::info!(instance = %id, client = %client.id, "its client is back: adopted");
                    self.forget_orphan(id);
                }
                Ok(Ok(()))
            }
            // Someone else's plan took the address or made the instance in between: look again.
            Err(StoreError::AddressTaken { .. } | StoreError::AlreadyThere { .. }) => Ok(Ok(())),
            Err(fault) => Err(fault),
        }
    }

    fn reported_full(&self) -> MutexGuard<'_, HashSet<ClientId>> {
        self.inner.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the client's timeline once, and the counter at every try.
    async fn report_full(&self, client: &Client, now: Timestamp) -> Result<(), StoreError> {
        let detail = format!(
            "link {} has no address left for an instance; widen its `instances` or shorten its lifetimes",
            client.link
        );
        self.inner.metrics.provision_failed("no-address");
        let news = self.reported_full().insert(client.id);
        if news {
            if let Some(held_back) = self.inner.metrics.log_limit().admit("no-address") {
                tracing::warn!(client = %client.id, detail, held_back, "no instance");
            }
            let event = NewEvent {
                at: now,
                kind: EventKind::Refused,
                link: Some(client.link.clone()),
                client: Some(client.id),
                instance: None,
                leased: None,
                detail: Some(detail),
            };
            self.inner.store.append_event(event).await?;
        }
        Ok(())
    }
}

fn spec<const N: usize>(
    id: Id,
    client: &Client,
    template: &TemplateSettings,
    facts: [(&str, Option<String>); N],
) -> ContainerSpec {
    let mut environment: BTreeMap<String, String> = template.environment.clone();
    for (name, value) in facts {
        if let Some(value) = value {
            environment.insert(format!("ORCHESTRATOR_{name}"), value);
        }
    }
    ContainerSpec {
        image: template.image.clone(),
        hostname: client
            .hostname
            .clone()
            .filter(|name| is_label(name))
            .unwrap_or_else(|| format!("i{id}")),
        command: template.command.clone(),
        environment,
        environment_from: template.environment_from.clone(),
        capabilities: template.capabilities.clone(),
        resources: template.resources.clone(),
        labels: BTreeMap::from([("orchestrator.link".to_owned(), client.link.clone())]),
        devices: Vec::new(),
        volumes: Vec::new(),
        files: Vec::new(),
        resolver: None,
    }
}

/// Whether a name that a client gave may stand as a host name: a label of RFC 1123.
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
