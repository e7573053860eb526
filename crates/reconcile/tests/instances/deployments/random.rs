//! Whatever happens to services, in an order that a seed decides.
//!
//! Other seeds than the usual ones are tried with `SEEDS=first..end` in the environment.

use std::ops::Range;
use std::time::Duration;

use orchestrator_host::fake::{Faults, Random};
use orchestrator_model::{InstanceId, OperationState};
use orchestrator_store::ServiceChange;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::fleet::{BROKEN, Fleet, SOON, web};
use crate::records::StoreFaults;

/// Events of one run.
const EVENTS: u32 = 24;

/// What an operator has last asked for, and what was promised with that.
struct Asked {
    keys: Value,
    count: u32,
    promised: u32,
}

impl Asked {
    /// From now on at most this many are promised.
    fn lower(&mut self, fleet: &Fleet, count: u32) {
        self.promised = self.promised.min(count);
        fleet.watch.promise("web", self.promised as usize);
    }
}

fn keys(random: &mut Random, count: u32) -> Value {
    let image = ["one", "two", "three", BROKEN][usize::try_from(random.below(4)).unwrap()];
    let mut keys = web(image, count);
    keys["strategy"]["surge"] = json!(1 + random.below(3));
    keys["strategy"]["pause"] = json!(format!("{}s", random.below(4)));
    keys
}

async fn happen(fleet: &mut Fleet, random: &mut Random, asked: &mut Asked) {
    match random.below(12) {
        0..=2 => {
            asked.keys = keys(random, asked.count);
            fleet.deploy(asked.keys.clone());
        }
        3 | 4 => {
            asked.count = u32::try_from(random.below(5)).unwrap();
            asked.lower(fleet, asked.count);
            asked.keys["instances"] = json!(asked.count);
            fleet.scale(asked.count);
        }
        5 => {
            // What is in force may be what was gone back to.
            asked.keys["instances"] = json!(asked.count);
            fleet.bump(&asked.keys);
        }
        6 => fleet.world.records.change("web", ServiceChange::Pause),
        7 => fleet.world.records.change("web", ServiceChange::Resume),
        8 | 9 => fleet.crash(1 + random.below(80)).await,
        10 => {
            fleet.kill().await;
            sleep(random.within(Duration::from_secs(40))).await;
            fleet.start().await;
        }
        _ => {
            // Time for an operation to end: then all that was asked for is promised.
            sleep(SOON).await;
            let operation = fleet.world.records.operation("web");
            if operation.is_some_and(|operation| operation.state == OperationState::Done) {
                asked.promised = asked.count;
                fleet.watch.promise("web", asked.promised as usize);
            }
        }
    }
}

/// Something is lost, or somebody has their hands on it.
fn lose(fleet: &Fleet, random: &mut Random) {
    let there: Vec<InstanceId> = fleet
        .world
        .machine
        .with(|state| state.containers.keys().map(|(id, _)| *id).collect());
    let pick = there.get(usize::try_from(random.below(there.len() as u64)).unwrap());
    match (random.below(8), pick) {
        (0, _) => fleet.world.machine.stop_engine("docker"),
        (1, _) => fleet.world.machine.hang_engine("docker"),
        (lost @ (2 | 3), _) => fleet.world.machine.start_engine("docker", lost == 3),
        (4, Some(id)) => fleet.world.machine.remove_by_hand(*id),
        (5, Some(id)) => fleet.world.machine.end(*id),
        (6, Some(id)) => fleet.world.machine.unwire_by_hand(*id),
        (_, Some(id)) => fleet.world.machine.pause(*id),
        (_, None) => {}
    }
}

/// Lets everything come to rest with a version that works, and judges what is there; then removes the service.
async fn finish(fleet: &mut Fleet, asked: &Asked) -> Result<(), String> {
    fleet.world.machine.set_faults(Faults::none());
    fleet.world.records.state().faults = StoreFaults::default();
    fleet.world.machine.start_engine("docker", false);
    fleet.world.records.change("web", ServiceChange::Resume);
    fleet.deploy(web("last", asked.count));
    sleep(5 * SOON).await;
    let ended = fleet.world.records.operation("web").unwrap();
    if ended.state != OperationState::Done {
        return Err(format!("{ended:?}"));
    }
    fleet.judge("web", asked.count as usize)?;
    let broken = fleet.watch.broken();
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }
    fleet.watch.promise("web", 0);
    fleet.world.records.change("web", ServiceChange::Remove);
    sleep(SOON).await;
    fleet.judge_machine()?;
    let left = (fleet.world.records.live().len(), fleet.slots("web").len());
    match left {
        (0, 0) => {
            fleet.kill().await;
            Ok(())
        }
        left => Err(format!("{left:?} instances and slots are left")),
    }
}

async fn run(seed: u64, loses: bool) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut fleet = Fleet::new(seed, random.within(Duration::from_secs(2)));
    fleet.start().await;
    if loses {
        fleet.world.machine.set_faults(Faults::many());
        fleet.watch.look_away();
    }
    fleet.world.records.state().faults = StoreFaults {
        away_before: 20,
        away_after: 20,
        latency: Duration::from_millis(20),
    };
    let mut asked = Asked {
        keys: web("one", 2),
        count: 2,
        promised: 0,
    };
    fleet.deploy(asked.keys.clone());
    for _ in 0..EVENTS {
        happen(&mut fleet, &mut random, &mut asked).await;
        sleep(random.within(Duration::from_secs(8))).await;
        if loses {
            lose(&fleet, &mut random);
            sleep(random.within(Duration::from_secs(8))).await;
        }
    }
    finish(&mut fleet, &asked).await
}

fn seeds(usual: Range<u64>) -> Range<u64> {
    let named = std::env::var("SEEDS").ok().and_then(|text| {
        let (first, end) = text.split_once("..")?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    named.unwrap_or(usual)
}

fn run_seeds(seeds: Range<u64>, loses: bool) {
    let mut failed = Vec::new();
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        if let Err(fault) = runtime.block_on(run(seed, loses)) {
            failed.push(format!("seed {seed}: {fault}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn whatever_is_asked_for_no_request_is_lost_while_no_instance_is() {
    run_seeds(seeds(0..8), false);
}

#[test]
fn whatever_is_lost_the_last_version_serves_in_the_end_and_nothing_else_is_there() {
    run_seeds(seeds(1000..1008), true);
}
