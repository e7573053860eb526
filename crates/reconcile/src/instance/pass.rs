//! The full pass: compares all that is recorded with all that is there. It also has the engines watched while there is
//! an instance to make or to remove.
//!
//! ```text
//!   what is recorded ──▶ wakes at once whoever is not ready
//!                   └──▶ a list of each host, side by side ──▶ each part of it as it comes:
//!                          wakes whoever is not as recorded, removes what belongs to nobody
//! ```
//!
//! No host and no engine holds up another: one that does not answer delays only what is said of its own instances.
//! The steps themselves are the workers'.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{ContainerName, FoundAttachment, FoundInstance, Host, ListRequest, Listed};
use tokio::sync::mpsc;

use super::request::name_of;
use super::wants::Wants;
use super::watch::EngineWatches;
use super::{Orchestrator, time};
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_catalog::{Declared, View};
use orchestrator_model::{Attachment, ClientId, HostId, Instance, InstanceId, Phase, Slot, SlotKey};
use orchestrator_settings::Settings;
use orchestrator_store::{Promise, StoreError, Wanting};

/// A pass is made at least this often, whatever wakes were lost.
const PERIOD: Duration = Duration::from_secs(30);

/// The pause after the first pass that failed. The store did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The number of chunks of a list that may queue.
const QUEUE: usize = 16;

/// What a host has reported so far.
#[derive(Default)]
struct Known {
    /// The instances all of whose containers run, by engine, each with the names of these.
    running: BTreeMap<String, HashMap<InstanceId, HashSet<ContainerName>>>,
    /// Host ends by name.
    attachments: Option<BTreeMap<String, FoundAttachment>>,
}

impl Orchestrator {
    /// Compares all that is recorded with all that is there soon, and makes again what is missing.
    pub fn look_again(&self) {
        self.want_pass();
    }

    /// Asks for a pass soon: anything may have happened.
    pub(super) fn want_pass(&self) {
        self.inner.pass_wanted.notify_one();
    }

    /// Makes passes until the daemon stops.
    pub(super) fn register_pass(&self) {
        let registration = Registration::new("full pass", "compares all that is recorded with all that is there")
            .every(PERIOD)
            .retrying(Backoff::new(RETRY, PERIOD));
        let pass = FullPass {
            orchestrator: self.clone(),
            catalog: self.inner.catalog.clone(),
            watches: EngineWatches::new(),
        };
        self.inner.driver.register(registration, pass);
    }

    /// Makes one pass. Returns what it found, in a few words.
    async fn pass(&self, watches: &mut EngineWatches) -> Result<String, StoreError> {
        let promises = self.read_promises().await?;
        let live: Arc<[Instance]> = self.inner.records.live_instances().await?.into();
        let declared = self.declared();
        let settings = declared.settings();
        let providing = self.providing(settings);
        let needs_engines = !providing.is_empty() || !live.is_empty();
        self.watch_engines(watches, needs_engines);
        self.reconcile_checks(&live);
        // From here on, every commit that matters notifies. Earlier commits are read below.
        self.inner.notifications.mute(silent(settings, &providing, &live));
        let wanting = self.wanting(settings, &providing, &live).await?;
        let may_rest = |instance: &&Instance| {
            let holds = instance.client().is_some_and(|client| wanting.contains_key(&client));
            let stays = (holds && is_kept(&declared, instance)) || instance.times.pinned.is_some();
            let is_asked = instance.times.off.is_some() || instance.times.reset.is_some();
            stays && instance.phase == Phase::Ready && !is_asked && !self.ends_before_next_pass(instance)
        };
        let (resting, others): (Vec<&Instance>, Vec<&Instance>) = live.iter().partition(may_rest);
        others.into_iter().for_each(|instance| self.wake(instance.key()));
        let resting: HashSet<SlotKey> = resting.into_iter().map(Instance::key).collect();
        self.compare_wanting(&declared, &live, &resting, wanting, &promises);
        self.wake_empty(&live);
        // Those that rest are woken when their host says otherwise.
        for (id, host) in &self.inner.hosts {
            self.compare_beside(id, host, live.clone(), needs_engines);
        }
        Ok(in_words(&live))
    }

    /// Wakes the workers of slots that are to be filled and are empty. Those of clients wait for a lease and are not among
    /// them. To notify every owner would read the slots of each from the database, at every change of the catalog.
    fn wake_empty(&self, live: &[Instance]) {
        let filled: HashSet<SlotKey> = live.iter().map(Instance::key).collect();
        let to_fill = self.inner.wants.iter().flat_map(|wants| wants.to_fill());
        let empty = to_fill.filter(|key| !filled.contains(key));
        empty.for_each(|key| self.wake(key));
    }

    /// The links whose clients get instances: of templates of the settings, or of services.
    fn providing<'s>(&self, settings: &'s Settings) -> Vec<&'s str> {
        let of_services = |link: &str| self.inner.wants.iter().any(|wants| wants.provides(link));
        let links = settings
            .links
            .iter()
            .filter(|link| settings.provides(link) || (link.instances.is_some() && of_services(&link.name)));
        links.map(|link| link.name.as_str()).collect()
    }

    /// Whether its lifetime demands something before the pass after the next one. Its worker may be gone, as after a start
    /// of the daemon, and then nobody else remembers.
    fn ends_before_next_pass(&self, instance: &Instance) -> bool {
        let now = self.inner.clock.now();
        let next = time::next_moment(instance, self.terms(Some(instance)), now);
        next.is_some_and(|next| next <= now.plus(PERIOD * 2))
    }

    /// The clients that hold a lease and are to have instances, each with its link and class: of links that provide
    /// instances, and of those that once did.
    async fn wanting(
        &self,
        settings: &Settings,
        providing: &[&str],
        live: &[Instance],
    ) -> Result<BTreeMap<ClientId, Wanting>, StoreError> {
        let of_clients = live.iter().filter(|instance| instance.client().is_some());
        // On a link that provides nothing any more nobody rests.
        let kept = of_clients
            .map(Instance::link)
            .filter(|link| settings.link(link).is_none());
        let links: BTreeSet<&str> = providing.iter().copied().chain(kept).collect();
        let mut wanting = BTreeMap::new();
        for link in links {
            let of_link = self.inner.records.wanting(link).await?;
            wanting.extend(of_link.into_iter().map(|one| (one.client, one)));
        }
        Ok(wanting)
    }

    /// Has every slot wait for a place that is to be filled, and notifies clients whose other slots do not rest.
    fn compare_wanting(
        &self,
        declared: &Declared,
        live: &[Instance],
        resting: &HashSet<SlotKey>,
        wanting: BTreeMap<ClientId, Wanting>,
        promises: &[Promise],
    ) {
        let mut filled: HashMap<ClientId, Vec<&Slot>> = HashMap::new();
        for instance in live {
            let own = instance.client().map(|client| filled.entry(client).or_default());
            own.into_iter().for_each(|slots| slots.push(&instance.slot));
        }
        let mut empty = Vec::new();
        for (client, one) in wanting {
            let filled = filled.remove(&client).unwrap_or_default();
            let (link, class) = (&one.share.link, one.class.as_deref());
            let slots = |wants: &Arc<dyn Wants>| wants.slots_of_holder(link, class, declared);
            let slots: Vec<Slot> = self.inner.wants.iter().flat_map(slots).collect();
            let (of_templates, others): (Vec<&Slot>, Vec<&Slot>) = slots
                .iter()
                .partition(|slot| slot.service().is_none() && !filled.contains(slot));
            // As in the wants of clients: an instance of a slot that is no longer wanted takes the place of one that is.
            let unwanted = filled
                .iter()
                .filter(|slot| slot.service().is_none() && !slots.contains(slot));
            let of_templates = of_templates.into_iter().skip(unwanted.count());
            let wait = |slot: &Slot| (SlotKey::new(client, slot.clone()), one.share.clone(), one.since);
            empty.extend(of_templates.map(wait));
            if !others
                .into_iter()
                .all(|slot| resting.contains(&SlotKey::new(client, slot.clone())))
            {
                self.inner.notifications.notify(client);
            }
        }
        self.take_in_promises(promises, empty);
    }

    /// Checks every instance that is ready, and no other: also those that an earlier daemon made, by the settings of now.
    fn reconcile_checks(&self, live: &[Instance]) {
        let ready = live.iter().filter(|instance| instance.phase == Phase::Ready);
        let subjects = ready.map(|instance| (instance.id, self.subject(instance)));
        let all = live.iter().map(|instance| instance.id);
        self.inner.checks.reconcile(&all.collect(), subjects.collect());
    }

    /// Compares a host with what is recorded, beside everything else; one comparison at a time.
    fn compare_beside(&self, id: &HostId, host: &Arc<dyn Host>, live: Arc<[Instance]>, engines: bool) {
        if !self.listed().insert(id.clone()) {
            return;
        }
        let (orchestrator, id, host) = (self.clone(), id.clone(), host.clone());
        self.spawn(async move {
            orchestrator.compare(&id, &host, &live, engines).await;
            orchestrator.listed().remove(&id);
        });
    }

    /// Lists everything on a host, and compares each chunk of the answer as it comes. Engines are asked only while they
    /// are watched.
    async fn compare(&self, id: &HostId, host: &Arc<dyn Host>, live: &Arc<[Instance]>, engines: bool) {
        let all_engines = host.capabilities().engines.into_keys();
        let request = ListRequest {
            engines: all_engines.filter(|_| engines).collect(),
            attachments: true,
            ports_of: self.full_bridges_of(id),
            ..ListRequest::default()
        };
        let (sender, mut answers) = mpsc::channel(QUEUE);
        let receive = async {
            let mut known = Known::default();
            while let Some(answer) = answers.recv().await {
                self.take_in(id, host, live, &mut known, answer).await;
            }
        };
        let (listed, ()) = tokio::join!(host.list(&request, sender), receive);
        if let Err(fault) = listed {
            tracing::warn!(host = %id, error = &fault as &dyn std::error::Error, "could not list");
        }
    }

    async fn take_in(
        &self,
        id: &HostId,
        host: &Arc<dyn Host>,
        live: &Arc<[Instance]>,
        known: &mut Known,
        answer: Listed,
    ) {
        match answer {
            Listed::Engine { engine, instances } => match instances {
                Ok(found) => {
                    let running = found.iter().filter(|found| found.runs());
                    let running = running.map(|found| (found.id, names(found)));
                    known.running.insert(engine.clone(), running.collect());
                    self.wake_if_different(id, live, known, Some(&engine));
                    self.see_others_beside(id, host, live, engine, found);
                }
                Err(fault) => tracing::debug!(host = %id, engine, error = %fault, "could not list"),
            },
            Listed::Attachments(Ok(found)) => {
                self.remove_host_ends_beside(id, host, live, &found);
                known.attachments = Some(found.into_iter().map(|one| (one.host_end.clone(), one)).collect());
                self.wake_if_different(id, live, known, None);
            }
            Listed::Attachments(Err(fault)) => {
                tracing::warn!(host = %id, error = &fault as &dyn std::error::Error, "could not list attachments");
            }
            Listed::Ports { bridge, free: Ok(free) } => self.recount_ports(&(id.clone(), bridge), free, live).await,
            Listed::Ports {
                bridge,
                free: Err(fault),
            } => {
                tracing::debug!(
                    bridge,
                    error = &fault as &dyn std::error::Error,
                    "could not count ports"
                );
            }
            // Not asked for here.
            Listed::Bridge { .. } | Listed::MadeBridges(_) | Listed::Routes(_) | Listed::Forwarding(_) => {}
        }
    }

    /// Wakes the workers of ready instances that do not run, or are not wired. Each is judged once: when both its engine
    /// and the kernel have answered. `engine` is the one that just did; `None` is the kernel.
    fn wake_if_different(&self, id: &HostId, live: &[Instance], known: &Known, engine: Option<&str>) {
        let Some(attachments) = &known.attachments else { return };
        let judged = |instance: &&Instance| {
            instance.phase == Phase::Ready
                && instance.host.as_ref() == Some(id)
                && engine.is_none_or(|engine| instance.engine() == engine)
        };
        self.stop_those_that_run_again(id, live, known);
        for instance in live.iter().filter(judged) {
            let Some(running) = known.running.get(instance.engine()) else {
                continue;
            };
            let is_wired = |attachment: &Attachment| {
                attachments
                    .get(&attachment.host_end())
                    .is_some_and(|found| is_as_planned(found, attachment))
            };
            let mut attached = instance
                .attachments
                .iter()
                .filter(|attachment| attachment.address.is_some());
            if !runs_whole(instance, running.get(&instance.id)) || !attached.all(is_wired) {
                self.wake(instance.key());
            }
        }
    }

    /// Stops instances again that are recorded as stopped and run, because somebody started them by hand.
    fn stop_those_that_run_again(&self, id: &HostId, live: &[Instance], known: &Known) {
        let is_stopped = |instance: &&Instance| {
            instance.phase == Phase::Stopped && instance.due.is_none() && instance.host.as_ref() == Some(id)
        };
        let runs = |instance: &&Instance| {
            let running = known.running.get(instance.engine());
            running.is_some_and(|running| running.contains_key(&instance.id))
        };
        for instance in live.iter().filter(is_stopped).filter(runs) {
            let (orchestrator, instance) = (self.clone(), instance.clone());
            self.spawn(async move { orchestrator.stop_again(&instance).await });
        }
    }

    fn see_others_beside(
        &self,
        id: &HostId,
        host: &Arc<dyn Host>,
        live: &Arc<[Instance]>,
        engine: String,
        mut found: Vec<FoundInstance>,
    ) {
        let live: HashSet<InstanceId> = live.iter().map(|instance| instance.id).collect();
        found.retain(|found| !live.contains(&found.id));
        let (orchestrator, id, host) = (self.clone(), id.clone(), host.clone());
        self.spawn(async move {
            if let Err(fault) = orchestrator.see_others(&id, &host, &engine, found).await {
                let error = &fault as &dyn std::error::Error;
                tracing::debug!(engine, error, "what belongs to nobody is left for the next pass");
            }
        });
    }
}

/// Makes passes.
struct FullPass {
    orchestrator: Orchestrator,
    catalog: View,
    watches: EngineWatches,
}

#[async_trait]
impl Reconciler for FullPass {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        let pass = self.orchestrator.pass(&mut self.watches).await;
        run.set_detail(pass.map_err(|fault| Failure::of(&fault))?);
        Ok(Next::Wait)
    }

    async fn notified(&mut self) {
        tokio::select! {
            () = self.orchestrator.inner.pass_wanted.notified() => {}
            // Links and templates may have come and gone.
            _ = self.catalog.changed() => {}
            // An engine is not watched any more. It may be needed again since.
            _ = self.watches.ended() => {}
        }
    }
}

/// How many instances there are, and how many of them wait for another try.
fn in_words(live: &[Instance]) -> String {
    match live.iter().filter(|instance| instance.is_tried_again()).count() {
        0 => format!("{} instances", live.len()),
        waiting => format!("{} instances, {waiting} of which wait for another try", live.len()),
    }
}

/// Whether an instance of a client that holds a lease stays, as far as the settings say: on a link that is no longer in
/// them it does while leases last.
fn is_kept(declared: &Declared, instance: &Instance) -> bool {
    let link = instance.link();
    let provides = || declared.templates_of(link, None).next().is_some() || declared.lacks_template_of(link, None);
    declared.link(link).is_none() || provides()
}

/// The names of the containers of an instance that were found.
fn names(found: &FoundInstance) -> HashSet<ContainerName> {
    let containers = found.containers.iter();
    containers.map(|(container, _)| container.name.clone()).collect()
}

/// Whether every container of an instance is among the running ones.
fn runs_whole(instance: &Instance, running: Option<&HashSet<ContainerName>>) -> bool {
    let mut recorded = instance.containers.iter();
    running.is_some_and(|running| recorded.all(|container| running.contains(&name_of(container))))
}

/// Whether a host end is up, on its network, and isolated as it was planned, with the settings that belong to that.
fn is_as_planned(found: &FoundAttachment, attachment: &Attachment) -> bool {
    let on_network = found.up && found.bridge.as_ref() == Some(&attachment.bridge);
    on_network && found.isolated == attachment.isolated && found.guarded
}

/// The links whose clients neither have instances nor get any.
fn silent(settings: &Settings, providing: &[&str], live: &[Instance]) -> HashSet<String> {
    let links = settings.links.iter().map(|link| link.name.as_str());
    let idle = |link: &&str| !providing.contains(link) && live.iter().all(|instance| instance.link() != *link);
    links.filter(idle).map(str::to_owned).collect()
}
