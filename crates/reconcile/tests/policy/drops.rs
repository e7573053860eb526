//! What is dropped, in metrics and in the timeline, as a machine in memory counts it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use orchestrator_host::fake::{FakeMachine, MachineSettings};
use orchestrator_host::{Count, DropCause, PolicyCounts, RebuildReason};
use orchestrator_model::{Clock, EventKind, NewEvent, Phase, Timestamp};
use orchestrator_policy::OwnerFacts;
use orchestrator_reconcile::driver::{Driver, Parts as DriverParts};
use orchestrator_reconcile::drops::{self, DropRecords};
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_settings::Current;
use orchestrator_store::StoreError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::record::{client, client_id, instance, lease};
use crate::world::{after, settings};

/// Two clients, the first with an instance, and what was recorded about them.
#[derive(Clone, Default)]
struct Timeline(Arc<Mutex<Vec<NewEvent>>>);

#[async_trait]
impl DropRecords for Timeline {
    async fn owners(&self) -> Result<Vec<OwnerFacts>, StoreError> {
        let facts = |number: u8| OwnerFacts {
            leases: vec![lease(number, number)],
            ..OwnerFacts::nothing(client(number))
        };
        let mut one = facts(1);
        one.instances = vec![instance(&one.owner, 9, Phase::Ready)];
        Ok(vec![one, facts(2)])
    }

    async fn record(&self, event: NewEvent) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(event);
        Ok(())
    }
}

/// A daemon that looks at the counts of a machine.
struct Watched {
    machine: FakeMachine,
    timeline: Timeline,
    metrics: Metrics,
    stop: CancellationToken,
}

impl Watched {
    fn new(line: &str) -> Self {
        let machine = FakeMachine::new(MachineSettings::default());
        let text = settings(line);
        let (_sender, current) = Current::new(Arc::new(
            orchestrator_settings::parse(&text, std::iter::empty()).unwrap(),
        ));
        let (timeline, metrics, stop) = (Timeline::default(), Metrics::default(), CancellationToken::new());
        let driver = Driver::new(DriverParts {
            settings: current.clone(),
            tasks: Tasks::default(),
            metrics: metrics.clone(),
            tracker: TaskTracker::new(),
            stop: stop.clone(),
        });
        let parts = drops::Parts {
            settings: current,
            records: Arc::new(timeline.clone()),
            host: Arc::new(machine.host("local")),
            metrics: metrics.clone(),
            clock: Clock::given(|| Timestamp(1_000_000)),
        };
        drops::register(&driver, parts);
        Self {
            machine,
            timeline,
            metrics,
            stop,
        }
    }

    fn count(&self, change: impl FnOnce(&mut PolicyCounts)) {
        self.machine.with(|state| change(&mut state.policy_counts));
    }

    /// The events: kind, client, instance and detail.
    fn events(&self) -> Vec<(EventKind, bool, bool, String)> {
        let events = self.timeline.0.lock().unwrap();
        let shown = |event: &NewEvent| {
            let is_instance = event.instance.is_some();
            (
                event.kind,
                event.client == Some(client_id(1)),
                is_instance,
                event.detail.clone().unwrap(),
            )
        };
        events.iter().map(shown).collect()
    }

    #[track_caller]
    fn shows(&self, line: &str) {
        let text = self.metrics.render().unwrap();
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn causes(cause: DropCause, packets: u64) -> BTreeMap<DropCause, Count> {
    [(cause, Count { packets, bytes: 100 })].into()
}

/// The link-layer address of the first client.
const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

/// The port of the first client's instance.
fn port() -> String {
    instance(&client(1), 9, Phase::Ready).attachments[0].host_end()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_begins_to_be_dropped_gets_one_event_with_causes_and_counts() {
    let watched = Watched::new("isolation = true");
    after(11).await;
    watched.count(|counts| drop(counts.clients.insert(MAC, causes(DropCause::Source, 3))));
    after(10).await;
    watched.count(|counts| drop(counts.clients.insert(MAC, causes(DropCause::Source, 300))));
    after(60).await;
    let [(kind, is_client, is_instance, detail)] = &watched.events()[..] else {
        panic!("{:?}", watched.events());
    };
    assert_eq!(
        (*kind, *is_client, *is_instance),
        (EventKind::PacketsDropped, true, false)
    );
    assert!(detail.starts_with("3 packets: source, a source address"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_known_by_its_port_and_a_link_that_does_not_enforce_lets_pass() {
    let watched = Watched::new("isolation = true\nenforce = false");
    after(11).await;
    watched.count(|counts| {
        counts.ports.insert(port(), causes(DropCause::Egress, 2));
        counts.bridges.insert(port(), "br0".to_owned());
        // A port of the operator's own is nobody.
        counts.ports.insert("eth7".to_owned(), causes(DropCause::Relay, 1));
    });
    after(10).await;
    let [(kind, is_client, is_instance, detail)] = &watched.events()[..] else {
        panic!("{:?}", watched.events());
    };
    assert_eq!(
        (*kind, *is_client, *is_instance),
        (EventKind::PacketsDropped, true, true)
    );
    assert!(detail.ends_with("(enforce = false: they passed)"), "{detail}");
    watched.shows("orchestrator_policy_would_be_drops_total{link=\"br0\",cause=\"egress\"} 2");
    watched.shows("orchestrator_policy_drops_total{link=\"none\",cause=\"relay\"} 1");
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_before_the_start_is_in_the_metrics_alone() {
    let watched = Watched::new("isolation = true");
    watched.count(|counts| {
        counts.ports.insert("tap1".to_owned(), causes(DropCause::Pair, 7));
        counts.bridges.insert("tap1".to_owned(), "br0".to_owned());
        counts.clients.insert(MAC, causes(DropCause::Pair, 7));
        counts.rebuilds.insert(RebuildReason::Start, 1);
        counts.elements.insert("bridge/o_pair".to_owned(), 4);
        counts.compared = Some(std::time::Duration::from_secs(400));
    });
    after(31).await;
    assert_eq!(watched.events(), []);
    watched.shows("orchestrator_policy_drops_total{link=\"br0\",cause=\"pair\"} 7");
    watched.shows("orchestrator_policy_rebuilds_total{reason=\"start\"} 1");
    watched.shows("orchestrator_policy_elements{set=\"bridge/o_pair\"} 4");
    watched.shows("orchestrator_policy_compared_timestamp_seconds 600");
}

#[tokio::test(start_paused = true)]
async fn rules_that_were_restored_are_an_event_each_time() {
    let watched = Watched::new("isolation = true");
    after(11).await;
    for times in 1..=2 {
        watched.count(|counts| counts.rebuilds.extend([(RebuildReason::Foreign, times)]));
        after(30).await;
    }
    let kinds: Vec<EventKind> = watched.events().iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, [EventKind::RulesRestored, EventKind::RulesRestored]);
    watched.shows("orchestrator_policy_rebuilds_total{reason=\"foreign\"} 2");
}

#[tokio::test(start_paused = true)]
async fn without_a_link_to_be_checked_nobody_is_asked() {
    let watched = Watched::new("isolation = false");
    watched.count(|counts| drop(counts.clients.insert(MAC, causes(DropCause::Source, 3))));
    after(31).await;
    assert_eq!(watched.events(), []);
    assert!(!watched.metrics.render().unwrap().contains("policy_drops_total{"));
}
