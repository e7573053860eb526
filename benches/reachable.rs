//! From a client's first Solicit to the first connection that its instance answers, against what the engine alone
//! takes to create and start the same container.
//!
//! Both are measured in turns in one run, since the machine's speed drifts: what counts is the difference of the
//! medians, which is all that the lease, the record, the wiring and the image's own start add to the engine's time.

use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use orchestrator_lab::{Daemon, Engine, Lab, Link, Namespace, Settings, TEST_IMAGE, TEST_PORT, poll};
use orchestrator_load::exchange;
use serde_json::{Value, json};

const ROUNDS: u32 = 25;
const LIMIT: Duration = Duration::from_secs(30);

/// One client's way, each part from the end of the one before.
struct Way {
    lease: Duration,
    recorded: Duration,
    reachable: Duration,
}

fn main() -> Result<()> {
    // `cargo bench` passes arguments that are for other harnesses.
    let lab = Lab::new()?;
    let host = lab.namespace("host")?;
    let engine = Engine::start(&lab.namespace("engine")?)?;
    engine.import_test_image()?;
    let settings = |place: &str| settings(place, &engine.url());
    let mut daemon = Daemon::start(&host, Path::new(env!("CARGO_BIN_EXE_orchestrator")), settings)?;
    daemon.wait_until_ready(LIMIT)?;
    let machine = lab.namespace("client")?;
    machine.disable_dad()?;
    machine.connect("eth0", &host, "port0", Some("br0"))?;

    let (mut bare, mut ways) = (Vec::new(), Vec::new());
    // The first round of each warms up.
    for round in 0..=ROUNDS {
        let alone = create_and_start(&engine)?;
        let way = lease_to_reachable(&daemon, &machine, round)?;
        if round > 0 {
            bare.push(alone);
            ways.push(way);
        }
    }
    report(&bare, &ways);
    Ok(())
}

fn settings(place: &str, engine: &str) -> String {
    let template = format!(
        "memory = \"128MiB\"\ncpus = 0.5\npids = 128\nready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\ngrace = \"0s\""
    );
    let settings = Settings::new(place).engine(engine);
    settings.link(Link::new("br0").template(&template)).text()
}

/// What the engine takes for the same container when nobody else is involved.
fn create_and_start(engine: &Engine) -> Result<Duration> {
    let body = json!({
        "Image": TEST_IMAGE,
        "HostConfig": {
            "NetworkMode": "none", "Init": true, "Memory": 128 << 20, "MemorySwap": 128 << 20,
            "NanoCpus": 500_000_000, "PidsLimit": 128, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
        },
    });
    let began = Instant::now();
    let created = engine.api("POST", "/containers/create", Some(&body))?.json()?;
    let id = created["Id"].as_str().context("the engine created nothing")?;
    let started = engine.api("POST", &format!("/containers/{id}/start"), None)?;
    let took = began.elapsed();
    ensure!(started.status == 204, "the engine did not start it: {}", started.text());
    engine.api("DELETE", &format!("/containers/{id}?force=1"), None)?;
    Ok(took)
}

/// A new client's way to its instance. Afterwards the instance is gone.
fn lease_to_reachable(daemon: &Daemon, machine: &Namespace, round: u32) -> Result<Way> {
    let index = machine.within(|| nix::net::if_::if_nametoindex("eth0"))?;
    let began = Instant::now();
    machine.within(|| exchange(round, index))?;
    let lease = began.elapsed();
    let address = poll("the instance to be recorded", LIMIT, || address(daemon))?;
    let recorded = began.elapsed() - lease;
    let instance = SocketAddr::from((address, TEST_PORT));
    machine.within(|| {
        poll("the instance to answer", LIMIT, || {
            TcpStream::connect_timeout(&instance, LIMIT).ok().map(drop)
        })
    })?;
    let reachable = began.elapsed() - lease - recorded;
    remove(daemon)?;
    Ok(Way {
        lease,
        recorded,
        reachable,
    })
}

fn address(daemon: &Daemon) -> Option<Ipv6Addr> {
    let instances = daemon.items("/v1/instances").ok()?;
    instances.first()?["address"].as_str()?.parse().ok()
}

fn remove(daemon: &Daemon) -> Result<()> {
    let instances: Vec<Value> = daemon.items("/v1/instances")?;
    for instance in instances {
        let id = instance["id"].as_str().context("an instance without an id")?.to_owned();
        daemon.ask("DELETE", &format!("/v1/instances/{id}?release=true"))?;
    }
    poll("the instance to go", LIMIT, || {
        daemon.items("/v1/instances").ok()?.is_empty().then_some(())
    })
}

fn report(bare: &[Duration], ways: &[Way]) {
    let total: Vec<Duration> = ways
        .iter()
        .map(|way| way.lease + way.recorded + way.reachable)
        .collect();
    println!("lease to reachable, {ROUNDS} rounds in turns            median      min      max  (ms)");
    let row = |name: &str, times: Vec<Duration>| {
        let [least, middle, most] = spread(times);
        println!("  {name:<48} {middle:>8.1} {least:>8.1} {most:>8.1}");
        middle
    };
    let engine = row("engine alone: create + start", bare.to_vec());
    let all = row("first Solicit to first answered connection", total);
    row(
        "  of it: Solicit to Reply (lease is durable)",
        ways.iter().map(|way| way.lease).collect(),
    );
    row(
        "  of it: until the instance is recorded and seen",
        ways.iter().map(|way| way.recorded).collect(),
    );
    row(
        "  of it: until it answers",
        ways.iter().map(|way| way.reachable).collect(),
    );
    println!(
        "  added to the engine's own time: {:.1} ms at the median, ratio {:.3}",
        all - engine,
        all / engine
    );
}

/// Least, median and most, in milliseconds.
fn spread(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort();
    [times[0], times[times.len() / 2], times[times.len() - 1]].map(|time| time.as_secs_f64() * 1000.0)
}
