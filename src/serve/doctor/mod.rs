//! The doctor of the daemon: reads the facts, has the rules judge them, and mends what can be mended safely.
//!
//! It works from the start of the daemon on. Until the database is there it sees the machine alone.

mod database;
mod marks;
mod mend;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use orchestrator_api_types as wire;
use orchestrator_catalog::{Declared, facts_of_others};
use orchestrator_doctor::{
    ConditionFacts, DaemonFacts, DaemonState, Diagnosis, Facts, PolicyFacts, Wanted, diagnose, examine_machine,
};
use orchestrator_host::{Examination, ExamineRequest, PolicyItem};
use orchestrator_network::Network;
use orchestrator_reconcile::policy;
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Settings;
use tokio::time::timeout;

use self::marks::Marks;
use super::Context;
use super::control::Ready;

/// How long one part of an examination may take.
const LIMIT: Duration = Duration::from_secs(7);
/// How often the packet filter is compared anew when it differs: what is recorded may have changed meanwhile.
const COMPARISONS: usize = 3;

/// Examines the system that the daemon is part of.
pub(super) struct Doctor {
    context: Context,
}

/// What was found, with what only this process needs to mend it.
pub(super) struct Found {
    facts: Facts,
    diagnosis: Diagnosis,
    marks: Marks,
}

impl Found {
    /// The answer of the API.
    pub(super) fn report(&self, done: Vec<wire::Mended>) -> wire::Doctor {
        self.diagnosis.report(&self.facts.daemon.state, done)
    }
}

impl Doctor {
    pub(super) fn new(context: Context) -> Self {
        Self { context }
    }

    /// Examines everything. `ready` are the parts of a daemon that has its database.
    pub(super) async fn examine(&self, ready: Option<&Ready>) -> Found {
        let (facts, marks) = match ready {
            Some(ready) => self.facts(ready).await,
            None => (self.facts_of_a_start().await, Marks::default()),
        };
        Found {
            diagnosis: diagnose(&facts),
            facts,
            marks,
        }
    }

    async fn facts(&self, ready: &Ready) -> (Facts, Marks) {
        let settings = self.context.settings.get();
        let wanted = wanted(ready).await;
        let request = ExamineRequest {
            machine: wanted
                .as_ref()
                .map(|wanted| ready.catalog.current().machine_request(wanted))
                .unwrap_or_default(),
            engines: wanted.as_ref().map(Wanted::images).unwrap_or_default(),
        };
        let before = within(marks::recorded(&ready.store)).await;
        let (examination, policy, listed, database, others) = tokio::join!(
            within(ready.host.examine(&request)),
            self.compare_policy(ready, &settings),
            marks::list(ready, &request.engines),
            database::read(&ready.store, &settings.store.url),
            within(ready.store.others(ready.clock.now()))
        );
        let after = within(marks::recorded(&ready.store)).await;
        let (machine, engines, volumes) = match examination {
            Ok(Examination {
                machine,
                engines,
                volumes,
            }) => (machine, Ok(engines), volumes),
            Err(reason) => (Err(reason.clone()), Err(reason.clone()), Err(reason)),
        };
        let marks = match (&before, &after) {
            (Ok(before), Ok(after)) => Ok(listed.compare(before, volumes, after)),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        };
        let facts = Facts {
            daemon: self.daemon(DaemonState::Running, Some(ready.clock.wall_offset())),
            wanted,
            machine,
            engines,
            database: Ok(database),
            policy,
            others: others.map(facts_of_others),
            marks,
        };
        (facts, listed)
    }

    /// Compares the packet filter with what is recorded. What is recorded is read anew while they differ.
    async fn compare_policy(&self, ready: &Ready, settings: &Settings) -> Result<Option<PolicyFacts>, String> {
        let mut compared = None;
        for _ in 0..COMPARISONS {
            let items = policy::wanted_items(settings, &ready.store).await;
            let Some(items) = items.map_err(|fault| with_causes(&fault))? else {
                return Ok(None);
            };
            compared = compare_once(ready, items).await?;
            if compared
                .as_ref()
                .is_some_and(|one| one.is_loaded && one.missing == 0 && one.surplus == 0)
            {
                break;
            }
        }
        Ok(compared)
    }

    /// What can be known before the database is there.
    async fn facts_of_a_start(&self) -> Facts {
        let settings = self.context.settings.get();
        let unread = || "it is known once the daemon has its database".to_owned();
        // Templates of the API are unknown yet.
        let declared = Declared::new(settings.clone(), Vec::new());
        let wanted = declared.wanted(&[], 0, &BTreeMap::new());
        let machine = match Network::open() {
            Ok(network) => {
                let request = declared.machine_request(&wanted);
                let examined = timeout(LIMIT, examine_machine(&network, Path::new("/"), &request));
                examined.await.unwrap_or_else(|_elapsed| Err(late()))
            }
            Err(fault) => Err(with_causes(&fault)),
        };
        Facts {
            daemon: self.daemon(DaemonState::Starting, None),
            wanted: Ok(wanted),
            machine,
            engines: Err(unread()),
            database: Ok(database::away(&settings.store.url, &self.context.conditions)),
            policy: Err(unread()),
            others: Err(unread()),
            marks: Err(unread()),
        }
    }

    fn daemon(&self, state: DaemonState, clock_offset: Option<i64>) -> DaemonFacts {
        let unmet = self.context.conditions.list().into_iter().filter(|one| !one.ok);
        DaemonFacts {
            state,
            unmet: unmet
                .map(|one| ConditionFacts {
                    name: one.name,
                    is_needed: one.needed,
                    reason: one.reason.unwrap_or_default(),
                })
                .collect(),
            clock_offset,
        }
    }
}

async fn compare_once(ready: &Ready, items: Vec<PolicyItem>) -> Result<Option<PolicyFacts>, String> {
    let compared = timeout(LIMIT, ready.host.compare_policy(&items)).await;
    match compared {
        Ok(compared) => compared.map(Some).map_err(|fault| with_causes(&fault)),
        Err(_elapsed) => Err(late()),
    }
}

/// What the settings and the database want of the machine.
async fn wanted(ready: &Ready) -> Result<Wanted, String> {
    let read = async {
        let leases = ready.store.count_active_leases().await?;
        let instances = ready.store.live_instances().await?;
        let pins = ready.store.image_uses().await?.pins;
        let neighbors = leases.saturating_add(u64::try_from(instances.len()).unwrap_or(u64::MAX));
        let mut on: BTreeMap<String, u64> = BTreeMap::new();
        for attachment in instances.iter().flat_map(|instance| &instance.attachments) {
            *on.entry(attachment.bridge.clone()).or_default() += 1;
        }
        Ok::<_, orchestrator_store::StoreError>(ready.catalog.current().wanted(&pins, neighbors, &on))
    };
    within(read).await
}

/// Waits for an answer within the limit.
async fn within<T, E: std::error::Error + 'static>(question: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(LIMIT, question).await {
        Ok(answer) => answer.map_err(|fault| with_causes(&fault)),
        Err(_elapsed) => Err(late()),
    }
}

fn late() -> String {
    format!("it did not answer within {} s", LIMIT.as_secs())
}
