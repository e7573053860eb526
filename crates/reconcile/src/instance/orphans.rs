//! Instances that run and that the database does not know.
//!
//! Every instance is recorded before it is made. So one without a row was recorded in a database that was lost, or after
//! the copy that was restored. It is not removed: it is kept, listed, and adopted when its client asks for an instance.
//! Only an operator removes it.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use orchestrator_host::{
    ContainerRef, FoundAttachment, FoundInstance, Host, HostError, ListRequest, Listed, RemovalPlan,
};
use tokio::sync::mpsc;

use super::Orchestrator;
use orchestrator_model::{Client, HostId, InstanceId, Orphan, Slot, VolumeId};
use orchestrator_runtime::conditions::Owned;
use orchestrator_store::StoreError;

/// The condition under which orphans are shown while there are any.
const CONDITION: &str = "orphans";

/// The time limit of the search at the start.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// The prefix of the variables that describe an instance to itself.
const PREFIX: &str = "ORCHESTRATOR_";

/// An orphan, and what is needed to remove it.
#[derive(Debug, Clone)]
struct Seen {
    orphan: Orphan,
    containers: Vec<ContainerRef>,
}

/// The orphans that were seen last.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// Orphans by host and engine. An engine without an entry was not asked yet.
    seen: BTreeMap<(HostId, String), BTreeMap<InstanceId, Seen>>,
    /// Those that were removed or adopted. A list that was requested before may still contain them.
    settled: HashSet<InstanceId>,
    condition: Option<Owned>,
}

impl Orphans {
    fn all(&self) -> impl Iterator<Item = &Orphan> {
        self.seen.values().flat_map(BTreeMap::values).map(|seen| &seen.orphan)
    }

    fn find(&self, id: InstanceId) -> Option<(HostId, Seen)> {
        let mut all = self.seen.iter();
        all.find_map(|((host, _), seen)| Some((host.clone(), seen.get(&id)?.clone())))
    }
}

impl Orchestrator {
    /// The orphans, by plugin and id.
    pub fn orphans(&self) -> Vec<Orphan> {
        self.lock_orphans().all().cloned().collect()
    }

    /// Removes an orphan, with all that was made for it. `None` when there is none of that id.
    ///
    /// # Errors
    ///
    /// When the engine could not remove it.
    pub async fn remove_orphan(&self, id: InstanceId) -> Result<Option<Orphan>, HostError> {
        let found = self.lock_orphans().find(id);
        let Some((host, seen)) = found else { return Ok(None) };
        if let Some(host) = self.inner.hosts.get(&host) {
            let found = self.host_ends(host, id).await;
            let found = found.inspect_err(|fault| {
                let error = fault as &dyn std::error::Error;
                tracing::warn!(instance = %id, error, "could not look for its host ends");
            });
            let host_ends = found.unwrap_or_default().into_iter().map(|found| found.host_end);
            let plan = RemovalPlan {
                id: Some(id),
                containers: seen.containers,
                host_ends: host_ends.collect(),
                ..RemovalPlan::default()
            };
            host.remove(&plan).await?;
        }
        tracing::info!(instance = %id, "an orphan was removed by an operator");
        self.inner.metrics.orphan_removed();
        self.forget_orphan(id);
        self.want_pass();
        Ok(Some(seen.orphan))
    }

    /// [`look_for_orphans`](Self::look_for_orphans) for a short while, where a link provides instances.
    pub(super) async fn look_for_orphans_if_needed(&self) -> Result<(), StoreError> {
        let declared = self.declared();
        let settings = declared.settings();
        if !settings.links.iter().any(|link| settings.provides(link)) {
            return Ok(());
        }
        // An engine that hangs holds nobody up for longer; the pass asks again.
        tokio::time::timeout(LOOK_LIMIT, self.look_for_orphans())
            .await
            .unwrap_or(Ok(()))
    }

    /// Asks every engine that has not been asked yet, side by side, so that clients who ask first find their instances.
    async fn look_for_orphans(&self) -> Result<(), StoreError> {
        let hosts = self
            .inner
            .hosts
            .iter()
            .map(|(id, host)| self.look_for_orphans_on(id, host));
        join_all(hosts).await.into_iter().collect()
    }

    async fn look_for_orphans_on(&self, id: &HostId, host: &Arc<dyn Host>) -> Result<(), StoreError> {
        let engines = host.capabilities().engines.into_keys();
        let asked = |engine: &String| self.lock_orphans().seen.contains_key(&(id.clone(), engine.clone()));
        let request = ListRequest {
            engines: engines.filter(|engine| !asked(engine)).collect(),
            ..ListRequest::default()
        };
        let (sender, mut answers) = mpsc::channel(1);
        let receive = async {
            while let Some(answer) = answers.recv().await {
                let Listed::Engine { engine, instances } = answer else {
                    continue;
                };
                match instances {
                    Ok(found) => {
                        let ids: Vec<InstanceId> = found.iter().map(|found| found.id).collect();
                        let known = self.inner.records.known_instances(&ids).await?;
                        let unknown = found.into_iter().filter(|found| !known.contains_key(&found.id));
                        self.see_orphans(id, host, &engine, unknown.collect()).await;
                    }
                    Err(fault) => tracing::debug!(host = %id, engine, error = %fault, "could not look for orphans"),
                }
            }
            Ok(())
        };
        let (listed, received) = tokio::join!(host.list(&request, sender), receive);
        if let Err(fault) = listed {
            tracing::debug!(host = %id, error = %fault, "could not look for orphans");
        }
        received
    }

    /// Records which instances of an engine are `unknown` to the database.
    pub(super) async fn see_orphans(
        &self,
        id: &HostId,
        host: &Arc<dyn Host>,
        engine: &str,
        unknown: Vec<FoundInstance>,
    ) {
        let mut seen = BTreeMap::new();
        for found in unknown {
            let before = self.lock_orphans().find(found.id).map(|(_, seen)| seen.orphan);
            let orphan = match before {
                Some(before) => before,
                None => match describe(host.as_ref(), engine, &found).await {
                    Ok(orphan) => orphan,
                    Err(fault) => {
                        let error = &fault as &dyn std::error::Error;
                        tracing::debug!(instance = %found.id, error, "could not ask what it was made for");
                        continue;
                    }
                },
            };
            let running = found.runs();
            let containers = found.containers.into_iter().map(|(container, _)| container);
            let entry = Seen {
                orphan: Orphan { running, ..orphan },
                containers: containers.collect(),
            };
            seen.insert(found.id, entry);
        }
        {
            let mut orphans = self.lock_orphans();
            seen.retain(|id, _| !orphans.settled.contains(id));
            orphans.seen.insert((id.clone(), engine.to_owned()), seen);
        }
        self.show_orphans();
    }

    /// The interfaces on a host that carry the mark of an instance.
    async fn host_ends(&self, host: &Arc<dyn Host>, id: InstanceId) -> Result<Vec<FoundAttachment>, HostError> {
        let request = ListRequest {
            attachments: true,
            ..ListRequest::default()
        };
        let (sender, mut answers) = mpsc::channel(1);
        let (listed, answer) = tokio::join!(host.list(&request, sender), answers.recv());
        listed?;
        match answer {
            Some(Listed::Attachments(found)) => {
                let found = found.map_err(|source| HostError::List {
                    host: host.name().to_owned(),
                    source,
                })?;
                Ok(found.into_iter().filter(|found| found.instance == Some(id)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The interfaces that carry the mark of an orphan, on its host.
    pub(super) async fn host_ends_of_orphan(&self, id: InstanceId) -> Result<Vec<FoundAttachment>, HostError> {
        let found = self.lock_orphans().find(id);
        match found.and_then(|(host, _)| self.inner.hosts.get(&host)) {
            Some(host) => self.host_ends(host, id).await,
            None => Ok(Vec::new()),
        }
    }

    /// The orphan that was made for a slot of a client; one that runs before one that does not.
    pub(super) fn orphan_of(&self, client: &Client, slot: &Slot, plugin: &str) -> Option<(InstanceId, Ipv6Addr)> {
        let mark = self.inner.records.mark_of(&client.duid);
        let orphans = self.lock_orphans();
        let own = orphans.all().filter(|orphan| {
            orphan.plugin == plugin
                && orphan.link.as_deref() == Some(client.link.as_str())
                && orphan.mark.as_ref() == Some(&mark)
                && orphan.slot.as_ref().is_none_or(|made_for| made_for == slot)
        });
        let chosen = own.min_by_key(|orphan| (!orphan.running, orphan.id))?;
        Some((chosen.id, chosen.address?))
    }

    /// The addresses that orphans have on a network.
    pub(super) fn orphan_addresses(&self, network: &str) -> HashSet<Ipv6Addr> {
        let orphans = self.lock_orphans();
        let on_link = orphans.all().filter(|orphan| orphan.link.as_deref() == Some(network));
        let on_link = on_link.filter_map(|orphan| orphan.address);
        let further = orphans
            .all()
            .filter_map(|orphan| orphan.addresses.get(network).copied());
        on_link.chain(further).collect()
    }

    /// The address that an orphan has on a network.
    pub(super) fn orphan_address(&self, id: InstanceId, network: &str) -> Option<Ipv6Addr> {
        let (_, seen) = self.lock_orphans().find(id)?;
        seen.orphan.addresses.get(network).copied()
    }

    /// The volumes that an orphan was made with, by their names in its template.
    pub(super) fn orphan_volumes(&self, id: InstanceId) -> BTreeMap<String, VolumeId> {
        let found = self.lock_orphans().find(id);
        found.map(|(_, seen)| seen.orphan.volumes).unwrap_or_default()
    }

    /// It belongs to somebody, or is gone.
    pub(super) fn forget_orphan(&self, id: InstanceId) {
        {
            let mut orphans = self.lock_orphans();
            orphans.settled.insert(id);
            orphans.seen.values_mut().for_each(|seen| {
                seen.remove(&id);
            });
        }
        self.show_orphans();
    }

    fn show_orphans(&self) {
        let mut orphans = self.lock_orphans();
        let count = orphans.all().count();
        if count == 0 {
            orphans.condition = None;
            return;
        }
        let reason = format!(
            "{count} instances are there that the database does not know; each is adopted when its client comes back; \
             `orchestrator ls orphans` lists them, `orchestrator rm --orphans` removes them"
        );
        self.inner.conditions.set_wrong(CONDITION, reason);
        if orphans.condition.is_none() {
            orphans.condition = Some(self.inner.conditions.own(CONDITION));
        }
    }

    fn lock_orphans(&self) -> MutexGuard<'_, Orphans> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn describe(host: &dyn Host, engine: &str, found: &FoundInstance) -> Result<Orphan, HostError> {
    let first = found.containers.first().map(|(container, _)| container);
    let facts = match first {
        Some(first) => host.describe(first, PREFIX).await?.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let fact = |name: &str| facts.get(&format!("{PREFIX}{name}")).map(String::as_str);
    let reference = first.and_then(|first| first.reference.clone()).unwrap_or_default();
    tracing::warn!(
        instance = %found.id,
        engine,
        reference,
        "the database does not know this instance; it is kept for its client"
    );
    Ok(Orphan {
        id: found.id,
        plugin: engine.to_owned(),
        reference,
        running: false,
        link: fact("LINK").map(str::to_owned),
        duid: None,
        mark: fact("CLIENT").map(str::to_owned),
        address: fact("ADDRESS").and_then(|address| address.parse().ok()),
        addresses: fact("ADDRESSES").map(pairs).unwrap_or_default(),
        volumes: fact("VOLUMES").map(pairs).unwrap_or_default(),
        slot: fact("SLOT").map(Slot::new),
    })
}

/// Reads `NAME=VALUE` with spaces between. What is written otherwise is passed over: the container is not trusted.
fn pairs<V: FromStr>(text: &str) -> BTreeMap<String, V> {
    let read = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.split_whitespace().filter_map(read).collect()
}
