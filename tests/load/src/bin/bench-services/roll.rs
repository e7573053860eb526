//! Four instances are replaced while clients ask, and a WebSocket of another service stays open.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use orchestrator_lab::{Requests, Tally, Tunnel};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Requests a second.
const RATE: u32 = 2000;
/// Clients that ask at once.
const CLIENTS: u32 = 32;
/// WebSockets of another service.
const TUNNELS: usize = 10;
/// How long is asked while nothing is rolled.
const CALM: Duration = Duration::from_secs(10);
/// How long may be waited for requests that are late.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before it is looked again whether they are made up.
const PACE: Duration = Duration::from_millis(50);
/// Where the balancer listens.
const FRONT: u16 = 80;

#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Rolls {
    pub(crate) took: Vec<Duration>,
    pub(crate) requests: u64,
    /// Requests a second, during each roll.
    pub(crate) rates: Vec<f64>,
    pub(crate) failures: Vec<String>,
    pub(crate) closed: usize,
    /// Half, 99 of a hundred, and the longest of requests, while nothing is rolled and during rolls.
    pub(crate) calm: [Duration; 3],
    pub(crate) rolled: [Duration; 3],
    pub(crate) reloads: u64,
}

pub(crate) fn measure(stage: &Stage, rolls: u32) -> Result<Rolls> {
    let named = |name: &str, mut service: Value| {
        service["route"] = json!([{ "host": format!("{name}.example"), "port": "http" }]);
        service
    };
    stage.keep_balancer()?;
    stage.deploy(&named("web", stage.service("web", 4, "web")))?;
    stage.deploy(&named("chat", stage.service("chat", 1, "chat")))?;
    let front = stage.first("balancer", FRONT)?;
    let mut tunnels: Vec<Tunnel> = (0..TUNNELS)
        .map(|_| Tunnel::open(&stage.machine, front, "chat.example"))
        .collect::<Result<_>>()?;
    let ask = || Requests::start(&stage.machine, front, "web.example", RATE, CLIENTS);
    let calm = ask();
    thread::sleep(CALM);
    let calm = calm.stop();
    let before = reloads(stage)?;
    let mut found = Rolls::default();
    let (load, begun) = (ask(), Instant::now());
    for _ in 0..rolls {
        catch_up(&load, begun)?;
        let (asked, roll) = (load.asked(), Instant::now());
        stage.post("web", "bump", &json!({}))?;
        let took = roll.elapsed();
        found.rates.push((load.asked() - asked) as f64 / took.as_secs_f64());
        found.took.push(took);
    }
    let all = load.stop();
    found.closed = tunnels.iter_mut().filter_map(|tunnel| tunnel.echo().err()).count();
    let times = |tally: &Tally| [500, 990, 1000].map(|part| tally.time(part));
    (found.calm, found.rolled) = (times(&calm), times(&all));
    found.requests = all.requests;
    found.failures = calm.failures.into_iter().chain(all.failures).collect();
    found.reloads = reloads(stage)?.saturating_sub(before);
    for name in ["web", "chat"] {
        stage.remove(name)?;
    }
    stage.leave_balancer()?;
    Ok(found)
}

/// Waits until all requests that were due have been made: a client that was late makes its requests up at once.
fn catch_up(load: &Requests, begun: Instant) -> Result<()> {
    let due = || (begun.elapsed().as_secs_f64() * f64::from(RATE)) as u64;
    let limit = Instant::now() + PATIENCE;
    while load.asked() + u64::from(2 * CLIENTS) < due() {
        ensure!(
            Instant::now() < limit,
            "the requests of {PATIENCE:?} were not made up: too little machine for {RATE}/s"
        );
        thread::sleep(PACE);
    }
    Ok(())
}

/// How often HAProxy has read its files anew.
fn reloads(stage: &Stage) -> Result<u64> {
    let metrics = stage.daemon.ask("GET", "/metrics")?.text();
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("orchestrator_balancer_reloads_total"));
    Ok(counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum())
}
