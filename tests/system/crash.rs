//! The daemon killed at any moment comes to the same end as if it had not been.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, SystemTime};

use orchestrator_lab::{Dhclient, Engine, Lab, Postgres, wait_for};

use crate::site::{PATIENCE, Plan, Site, host_end, text};

/// Kills the daemon at ten random moments while clients come and go, then compares engine, links and SQL.
fn killed_ten_times(store: Option<String>) {
    // An engine of its own: every container on it must be accounted for.
    let engine = Engine::start(&Lab::new().unwrap().namespace("engine").unwrap()).unwrap();
    engine.import_test_image().unwrap();
    let mut site = Site::start(&Plan {
        store,
        ..Plan::on(&engine)
    });
    let machines: Vec<_> = (0..6).map(|n| site.machine(&format!("c{n}"))).collect();
    let mut clients: Vec<Option<Dhclient>> = machines.iter().map(|_| None).collect();
    let mut random = Random::from_time();
    for round in 0..10 {
        // Two of them change sides in every round: who is away comes, who is there goes or vanishes.
        for _ in 0..2 {
            let index = random.below(clients.len() as u64) as usize;
            match clients[index].take() {
                None => clients[index] = Some(Dhclient::boot(&machines[index], "eth0").unwrap()),
                // It may be that the daemon is not there to hear the release: then the lease is ended below.
                Some(client) => drop(client),
            }
        }
        thread::sleep(Duration::from_millis(random.below(1500)));
        site.daemon.kill9();
        eprintln!("round {round}: killed");
        site.daemon.resume().unwrap();
    }
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    for (client, machine) in clients.iter_mut().zip(&machines) {
        let mut here = match client.take() {
            Some(here) => here,
            None => Dhclient::boot(machine, "eth0").unwrap(),
        };
        here.address(PATIENCE).unwrap();
        *client = Some(here);
    }
    let instances = site.wait_ready(machines.len());
    agree(&site, &engine);
    let owners: HashSet<String> = instances.iter().map(|instance| text(instance, "client")).collect();
    assert_eq!(owners.len(), machines.len(), "nothing was made twice");

    for client in clients.iter_mut().flatten() {
        client.release().unwrap();
    }
    site.wait_none();
    agree(&site, &engine);
    assert!(engine.containers().unwrap().is_empty(), "nothing is left over");
}

/// Engine, links and SQL tell the same.
fn agree(site: &Site, engine: &Engine) {
    wait_for("engine, links and SQL to agree", PATIENCE, || {
        let containers = engine.containers().ok()?;
        let running: HashSet<String> = containers
            .iter()
            .map(|container| {
                container["Labels"]["orchestrator.instance"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        let wired: HashSet<String> = site.host_ends().into_iter().collect();
        let instances = site.instances();
        let recorded: HashSet<String> = instances.iter().map(|instance| text(instance, "id")).collect();
        let to_wire: HashSet<String> = instances.iter().map(host_end).collect();
        (running == recorded && wired == to_wire && containers.len() == recorded.len()).then_some(())
    });
}

#[test]
fn killed_at_ten_random_moments_on_sqlite() {
    killed_ten_times(None);
}

#[test]
fn killed_at_ten_random_moments_on_postgresql() {
    killed_ten_times(Some(Postgres::shared().database().unwrap()));
}

/// Enough randomness to choose moments: the seed is printed, so that a failure can be looked at.
struct Random(u64);

impl Random {
    fn from_time() -> Self {
        let seed = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
            | 1;
        eprintln!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
