//! Whatever may happen to a daemon and its machine, in an order that a seed decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestrator_host::fake::{FakeState, Faults, Random};
use orchestrator_host::{ContainerName, FoundState};
use orchestrator_model::{
    Expiry, Instance, InstanceId, Owner, Phase, RecordedVolume, Slot, SlotKey, TimeChange, VolumeId, VolumeState,
};
use tokio::time::sleep;

use crate::daemon::{World, service};
use crate::records::StoreFaults;

const CLIENTS: u8 = 6;

/// Instances of one container each.
pub(crate) const PLAIN: &str = r#"
    [engine.docker]
    [engine.other]
    kind = "docker"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    engine = "docker"
    image = "web"
    grace = "20s"
    ready = { tcp = 80, within = "5s" }
    [template.replica]
    engine = "other"
    image = "replica"
    ready = { tcp = 80, within = "5s" }
"#;

/// The same, with further containers.
pub(crate) const SIDECARS: &str = r#"
    [engine.docker]
    [engine.other]
    kind = "docker"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    engine = "docker"
    image = "web"
    grace = "20s"
    ready = { tcp = 80, within = "5s" }
    container = [{ name = "proxy", image = "proxy" }, { name = "log", image = "log" }]
    [template.replica]
    engine = "other"
    image = "replica"
    ready = { tcp = 80, within = "5s" }
    container = [{ name = "proxy", image = "proxy" }]
"#;

/// The same, with volumes: some go soon after their lease, some when nobody has held them for a while.
pub(crate) const VOLUMES: &str = r#"
    [engine.docker]
    [engine.other]
    kind = "docker"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    engine = "docker"
    image = "web"
    grace = "20s"
    ready = { tcp = 80, within = "5s" }
    volume = [
        { name = "data", target = "/data", keep = { after_lease = "10s" } },
        { name = "home", target = "/home", scope = "client", keep = { unused = "60s" } },
    ]
    [template.replica]
    engine = "other"
    image = "replica"
    ready = { tcp = 80, within = "5s" }
    volume = [{ name = "data", target = "/data", keep = { unused = "5s" } }]
"#;

/// The same, with lifetimes, and with instances that are stopped before they are removed.
pub(crate) const TIMES: &str = r#"
    [engine.docker]
    [engine.other]
    kind = "docker"
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    template = "default"
    [template.default]
    engine = "docker"
    image = "web"
    grace = "10s"
    keep = "30s"
    lifetime = "3m"
    warn = "20s"
    ready = { tcp = 80, within = "5s" }
    [template.replica]
    engine = "other"
    image = "replica"
    grace = "5s"
    keep = "20s"
    ready = { tcp = 80, within = "5s" }
"#;

/// What a run has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Questions to hosts and to the record.
    pub(crate) steps: u64,
    pub(crate) crashes: u64,
}

/// Runs through so many events of a seed, then lets everything come to rest and judges the end.
pub(crate) async fn run(seed: u64, events: u32, settings: &str) -> Result<Tally, String> {
    let mut random = Random::new(seed);
    let mut world = World::new(seed, settings);
    let mut tally = Tally::default();
    set_faults(&world, Faults::many(), true);
    world.start();
    for _ in 0..events {
        happen(&mut world, &mut random, &mut tally).await;
        sleep(random.within(Duration::from_secs(8))).await;
        world.sweep();
        judge_always(&world)?;
    }
    come_to_rest(&mut world).await;
    if let Err(fault) = judge_wanted(&world) {
        show_timeline(&world);
        return Err(fault);
    }
    // At the end everybody goes.
    unpin_all(&world).await;
    (1..=CLIENTS).for_each(|client| world.release(client));
    world.scale(0);
    sleep(Duration::from_secs(300)).await;
    judge_wanted(&world)?;
    if !world.records.live().is_empty() {
        return Err("something is left in the record".to_owned());
    }
    if !world.records.state().volumes.is_empty() {
        return Err("a volume is left whose time is over".to_owned());
    }
    world.kill().await;
    tally.steps = world.machine.crash_points().passed();
    Ok(tally)
}

/// Prints what happened, with `TRACE` in the environment.
fn show_timeline(world: &World) {
    if std::env::var_os("TRACE").is_none() {
        return;
    }
    for event in &world.records.state().events {
        let (client, instance, detail) = (event.client, event.instance, event.detail.as_deref());
        println!("{} {} {client:?} {instance:?} {detail:?}", event.at, event.kind);
    }
}

async fn happen(world: &mut World, random: &mut Random, tally: &mut Tally) {
    let client = u8::try_from(random.below(u64::from(CLIENTS))).unwrap() + 1;
    match random.below(20) {
        0..=3 => world.hold(client, Duration::from_secs(20 + random.below(200))),
        4 | 5 => world.release(client),
        6 | 7 => world.scale(u32::try_from(random.below(5)).unwrap()),
        8 => {
            let live = world.records.live();
            if let (Some(instance), Some(orchestrator)) = (pick(&live, random), world.orchestrator()) {
                let _ = orchestrator.destroy(instance.id, None).await;
            }
        }
        9 | 10 => {
            // At a wait that is not known before.
            world.machine.crash_points().crash_after(1 + random.below(60));
            let crashed = world.machine.crash_points().clone();
            let _ = tokio::time::timeout(Duration::from_secs(60), crashed.crashed()).await;
            world.kill().await;
            tally.crashes += 1;
            world.start();
        }
        11 => {
            world.kill().await;
            sleep(random.within(Duration::from_secs(60))).await;
            world.sweep();
            world.start();
        }
        12 => on_engine(world, random),
        13 => {
            world.machine.remove_bridge("br0");
            sleep(random.within(Duration::from_secs(20))).await;
            world
                .machine
                .add_bridge("br0", 4 + usize::try_from(random.below(8)).unwrap());
        }
        14 => set_faults(world, Faults::many(), random.happens(500)),
        15 => set_faults(world, Faults::none(), false),
        16 if world.has_lifetimes() => on_time(world, random).await,
        _ => by_hand(world, random),
    }
}

/// An operator changes the time of an instance.
async fn on_time(world: &World, random: &mut Random) {
    let live = world.records.live();
    let (Some(instance), Some(orchestrator)) = (pick(&live, random), world.orchestrator()) else {
        return;
    };
    let change = match random.below(4) {
        0 => TimeChange::Pin,
        1 => TimeChange::Unpin,
        2 => TimeChange::Extend(Duration::from_secs(1 + random.below(100))),
        _ => TimeChange::Expire {
            expiry: Expiry::Operator,
            keep: Duration::ZERO,
        },
    };
    let _ = orchestrator.change_times(instance.id, change, None).await;
}

/// Unpins every instance, as an operator does at the end.
async fn unpin_all(world: &World) {
    let Some(orchestrator) = world.orchestrator() else {
        return;
    };
    for instance in world.records.live() {
        let _ = orchestrator.change_times(instance.id, TimeChange::Unpin, None).await;
    }
}

fn on_engine(world: &World, random: &mut Random) {
    let engine = ["docker", "other"][usize::try_from(random.below(2)).unwrap()];
    match random.below(4) {
        0 => world.machine.stop_engine(engine),
        1 => world.machine.hang_engine(engine),
        lost => world.machine.start_engine(engine, lost == 3),
    }
}

fn by_hand(world: &World, random: &mut Random) {
    let keys: Vec<(InstanceId, ContainerName)> = world.machine.with(|state| state.containers.keys().cloned().collect());
    let Some((id, name)) = pick(&keys, random).cloned() else {
        return;
    };
    match random.below(6) {
        0 if !name.is_main() => world.machine.remove_container_by_hand(id, &name),
        1 if !name.is_main() => world.machine.end_container(id, &name),
        0 => world.machine.remove_by_hand(id),
        1 => world.machine.end(id),
        2 => world.machine.pause(id),
        3 => world.machine.restart_by_hand(id),
        4 => world.machine.unwire_by_hand(id),
        _ => {
            let image = ["web", "replica"][usize::try_from(random.below(2)).unwrap()];
            world.machine.with(|state| {
                if !state.silent.remove(image) {
                    state.silent.insert(image.to_owned());
                }
            });
        }
    }
}

fn pick<'a, T>(all: &'a [T], random: &mut Random) -> Option<&'a T> {
    all.get(usize::try_from(random.below(all.len() as u64)).unwrap())
}

fn set_faults(world: &World, faults: Faults, store: bool) {
    world.machine.set_faults(faults);
    world.records.state().faults = match store {
        true => StoreFaults {
            away_before: 20,
            away_after: 20,
            latency: Duration::from_millis(50),
        },
        false => StoreFaults {
            latency: Duration::from_millis(5),
            ..StoreFaults::default()
        },
    };
}

/// Nothing fails any more, and there is time for every wait to end.
async fn come_to_rest(world: &mut World) {
    set_faults(world, Faults::none(), false);
    world.machine.with(|state| state.silent.clear());
    world.machine.add_bridge("br0", 1023);
    for engine in ["docker", "other"] {
        world.machine.start_engine(engine, false);
    }
    unpin_all(world).await;
    // Who holds a lease goes on to.
    for number in 1..=CLIENTS {
        let holds =
            world.records.state().leases.values().any(|lease| {
                lease.client.bytes()[5] == number && lease.state == orchestrator_model::LeaseState::Active
            });
        if holds {
            let wanted = world
                .records
                .state()
                .clients
                .values()
                .any(|client| client.id.bytes()[5] == number && client.wants_instance);
            // A renewal would have the client want an instance again that an operator destroyed.
            let client = world.records.hold(number, Duration::from_secs(100_000));
            if let Some(client) = world.records.state().clients.get_mut(&client) {
                client.wants_instance = wanted;
            }
        }
    }
    sleep(Duration::from_secs(600)).await;
}

/// What must hold at every moment.
fn judge_always(world: &World) -> Result<(), String> {
    match world.machine.violations().first() {
        Some(violation) => Err(violation.clone()),
        None => Ok(()),
    }
}

/// What must hold when everything has come to rest: what is wanted is there, and nothing else.
fn judge_wanted(world: &World) -> Result<(), String> {
    judge_always(world)?;
    let live = world.records.live();
    let (ready, others): (Vec<_>, Vec<_>) = live.iter().partition(|instance| instance.phase == Phase::Ready);
    if let Some(other) = others.first() {
        return Err(format!(
            "{} of {} is {}: {:?}",
            other.id,
            other.key(),
            other.phase,
            other.reason
        ));
    }
    let filled: BTreeSet<SlotKey> = ready.iter().map(|instance| instance.key()).collect();
    let wanted = wanted(world);
    if filled != wanted {
        return Err(format!("filled {filled:?}, wanted {wanted:?}"));
    }
    let recorded: BTreeSet<InstanceId> = live.iter().map(|instance| instance.id).collect();
    let attached: BTreeSet<_> = live
        .iter()
        .flat_map(|i| &i.attachments)
        .map(|attachment| attachment.id)
        .collect();
    let volumes = world.records.state().volumes.clone();
    world.machine.with(|state| {
        let there: BTreeSet<InstanceId> = state.containers.keys().map(|(id, _)| *id).collect();
        if there != recorded {
            return Err(format!("{there:?} are there, {recorded:?} are recorded"));
        }
        if let Some(stopped) = state
            .containers
            .values()
            .find(|found| found.state != FoundState::Running)
        {
            return Err(format!("{} is {:?}", stopped.reference, stopped.state));
        }
        judge_containers(&live, state)?;
        judge_volumes(&live, &volumes, state)?;
        let wired: BTreeSet<_> = state.attachments.keys().copied().collect();
        match wired == attached {
            true => Ok(()),
            false => Err(format!("{wired:?} are wired, {attached:?} are recorded")),
        }
    })
}

/// Every recorded container is there and no other, each in the network namespace that its instance has now.
fn judge_containers(live: &[Instance], state: &FakeState) -> Result<(), String> {
    let recorded: BTreeSet<_> = live
        .iter()
        .flat_map(|instance| &instance.containers)
        .map(|container| (container.instance, container.name.clone()))
        .collect();
    let there: BTreeSet<_> = state
        .containers
        .keys()
        .map(|(id, name)| (*id, name.to_string()))
        .collect();
    if there != recorded {
        return Err(format!("{there:?} are there, {recorded:?} are recorded"));
    }
    for ((id, name), container) in state.containers.iter().filter(|((_, name), _)| !name.is_main()) {
        let network = state.first(*id).map(|first| first.process);
        if container.network != network {
            return Err(format!(
                "{id}/{name} is in network {:?}, its instance in {network:?}",
                container.network
            ));
        }
    }
    Ok(())
}

/// Every volume of an instance is there and held by it, and there is none that nobody remembers.
fn judge_volumes(
    live: &[Instance],
    recorded: &BTreeMap<VolumeId, RecordedVolume>,
    state: &FakeState,
) -> Result<(), String> {
    if let Some(stranger) = state.volumes.keys().find(|id| !recorded.contains_key(id)) {
        return Err(format!("volume {stranger} is there, and nobody remembers it"));
    }
    if let Some(leaving) = recorded.values().find(|volume| volume.state == VolumeState::Removing) {
        return Err(format!("volume {} is still being removed", leaving.id));
    }
    for instance in live {
        for mount in &instance.spec.mounts {
            let holder = recorded.get(&mount.volume).and_then(|volume| volume.holder);
            if !state.volumes.contains_key(&mount.volume) {
                return Err(format!("volume {} of {} is not there", mount.volume, instance.id));
            }
            if holder != Some(instance.id) {
                return Err(format!(
                    "volume {} is held by {holder:?}, not by {}",
                    mount.volume, instance.id
                ));
            }
        }
    }
    let held = recorded
        .values()
        .filter_map(|volume| volume.holder)
        .collect::<BTreeSet<_>>();
    match held
        .iter()
        .find(|holder| !live.iter().any(|instance| instance.id == **holder))
    {
        Some(gone) => Err(format!("{gone} is gone and holds a volume")),
        None => Ok(()),
    }
}

fn wanted(world: &World) -> BTreeSet<SlotKey> {
    let count = world.replicas.count.load(std::sync::atomic::Ordering::Relaxed);
    let replicas = (0..count).map(|number| SlotKey::new(service(), Slot::numbered(number)));
    let state = world.records.state();
    let active = state
        .leases
        .values()
        .filter(|lease| lease.state == orchestrator_model::LeaseState::Active);
    let clients = active.filter_map(|lease| state.clients.get(&lease.client));
    let clients = clients.filter(|client| client.wants_instance);
    let clients = clients.map(|client| SlotKey::new(Owner::Client(client.id), Slot::new("default")));
    // A slot that time emptied stays empty until its client's lease begins anew.
    let is_spent = |key: &SlotKey| {
        let granted = key.owner.client().and_then(|client| state.leases.get(&client));
        let granted = granted.map(|lease| lease.granted);
        state.spent.get(key).is_some_and(|at| granted <= Some(*at))
    };
    let clients = clients.filter(|key| !is_spent(key));
    replicas.chain(clients).collect()
}
