//! An instance is ready only once its rules are in the packet filter of its host.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_model::{Instance, Phase};
use orchestrator_reconcile::instance::PacketRules;
use tokio::sync::watch;

use crate::daemon::World;

const SETTINGS: &str = r#"
[[link]]
bridge = "br0"
address = "fd39::1/64"
pool = "fd39::1:0/112"
instances = "fd39::2:0/112"
template = "web"
[template.web]
image = "web"
"#;

/// What the packet filter says of every instance; `None` while it says nothing.
type Said = Option<Result<(), String>>;

struct Scripted(watch::Receiver<Said>);

#[async_trait]
impl PacketRules for Scripted {
    async fn in_force(&self, _: &Instance) -> Result<(), String> {
        let mut said = self.0.clone();
        let said = said.wait_for(Option::is_some).await.expect("the test goes on");
        said.clone().unwrap_or(Ok(()))
    }
}

/// A client holds a lease, and the packet filter says this.
fn begin(seed: u64, said: Said) -> (World, watch::Sender<Said>) {
    let (sender, receiver) = watch::channel(said);
    let mut world = World::new(seed, SETTINGS);
    world.rules = Arc::new(Scripted(receiver));
    world.start();
    world.hold(1, Duration::from_secs(3600));
    (world, sender)
}

fn phases(world: &World) -> Vec<(Phase, Option<String>)> {
    let live = world.records.live().into_iter();
    live.map(|instance| (instance.phase, instance.reason)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_answers_waits_for_its_rules() {
    let (mut world, filter) = begin(1, None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.machine.calls("ensure"), 1, "it was started meanwhile");
    assert!(
        phases(&world).iter().all(|(phase, _)| *phase == Phase::Starting),
        "{:?}",
        phases(&world)
    );
    filter.send_replace(Some(Ok(())));
    let all_ready = |world: &World| !world.ready().is_empty() && world.ready().len() == phases(world).len();
    world
        .until(Duration::from_millis(500), "ready with its rules", all_ready)
        .await;
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_its_rules_says_why_and_is_ready_soon_after_they_are_in_force() {
    let (mut world, filter) = begin(2, Some(Err("the filter is broken".to_owned())));
    let expected = "it runs, and its rules in the packet filter are not in force: the filter is broken";
    let says_why = |world: &World| {
        phases(world)
            .iter()
            .any(|(_, reason)| reason.as_deref() == Some(expected))
    };
    world.until(Duration::from_secs(10), "it says why", says_why).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(world.ready().is_empty());
    let attempts = world.records.live().iter().map(|instance| instance.attempts).max();
    assert_eq!(attempts, Some(0), "it is not the instance that fails");
    filter.send_replace(Some(Ok(())));
    let is_ready = |world: &World| !world.ready().is_empty();
    world
        .until(Duration::from_secs(5), "ready with its rules", is_ready)
        .await;
    assert!(phases(&world).iter().all(|(_, reason)| reason.is_none()));
    world.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_client_leaves_while_it_waits_for_its_rules_is_removed() {
    let (mut world, _filter) = begin(3, None);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.release(1);
    world
        .until(Duration::from_secs(120), "it is removed", |world| {
            world.records.live().is_empty()
        })
        .await;
    world.kill().await;
}
