//! What a client was told in a Reply is kept, whatever happens to the daemon and its database under load.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use orchestrator_lab::{Daemon, Lab, Namespace, Postgres, wait_for};
use orchestrator_load::{Clients, Load, Outcome, Pace, Work, held, run};

use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site, wait_link_local};

/// How often the daemon is killed.
const KILLS: u32 = 100;
/// Clients that come, renew and go; and how many of them at the same time.
const CROWD: usize = 300;
const WINDOW: usize = 32;

/// A link without instances, whose clients may ask as often as they like.
fn plan(store: Option<String>) -> Plan {
    Plan {
        store,
        template: None,
        link: "client_rate = 0\nlink_rate = 0".to_owned(),
        ..Plan::default()
    }
}

/// A machine on which a crowd of clients lives.
struct Crowd {
    machine: Namespace,
    clients: Clients,
}

impl Crowd {
    fn join(site: &Site, count: usize) -> Self {
        let machine = site.machine("crowd");
        wait_link_local(&machine);
        Self {
            machine,
            clients: Clients::new(1, count),
        }
    }

    /// Has the clients do something until it is done or `stop` is set; no answer may be wrong.
    fn act(&mut self, load: &Load, stop: &AtomicBool) -> Outcome {
        let (machine, clients) = (&self.machine, &mut self.clients);
        let pool = format!("{PREFIX}::1:0/112").parse().unwrap();
        let outcome = machine.within(|| run("eth0", pool, clients, load, stop)).unwrap();
        outcome.faults.check().unwrap();
        outcome
    }

    /// Has the clients come, renew and go while `misfortune` happens, and stops them then.
    fn act_amid(&mut self, work: Work, misfortune: impl FnOnce()) -> Outcome {
        let stop = AtomicBool::new(false);
        let load = Load {
            patience: Duration::from_secs(2),
            ..Load::new(work, Pace::Window(WINDOW), PATIENCE)
        };
        thread::scope(|scope| {
            let crowd = scope.spawn(|| self.act(&load, &stop));
            misfortune();
            stop.store(true, Ordering::Relaxed);
            crowd.join().unwrap()
        })
    }

    /// What clients hold by their last Reply.
    fn promised(&self) -> HashSet<(Vec<u8>, Ipv6Addr)> {
        let certain = self.clients.iter();
        certain
            .filter_map(|(duid, client)| Some((duid.to_vec(), client.certain()?)))
            .collect()
    }

    /// Everything promised is in the database.
    fn check_recorded(&self, url: &str) {
        let recorded: HashSet<_> = held(url).unwrap().into_iter().collect();
        let promised = self.promised();
        let lost: Vec<_> = promised.difference(&recorded).collect();
        assert!(
            lost.is_empty(),
            "{} of {} promised leases are not in the database: {lost:?}",
            lost.len(),
            promised.len()
        );
    }

    /// Every client that holds an address renews it, and is answered so.
    fn check_renewed(&mut self) {
        self.clients.settle();
        let holding = self.promised().len() as u64;
        let load = Load {
            most: holding,
            patience: PATIENCE,
            ..Load::new(Work::Renew, Pace::Window(WINDOW), PATIENCE)
        };
        let outcome = self.act(&load, &AtomicBool::new(false));
        assert_eq!((outcome.completed, outcome.faults.refused), (holding, 0));
    }
}

/// Kills the daemon amid a crowd, again and again.
fn killed_a_hundred_times(store: Option<String>) {
    let mut site = Site::start(&plan(store.clone()));
    let url = store.unwrap_or_else(|| format!("sqlite://{}/orchestrator.db", site.daemon.place().display()));
    let mut crowd = Crowd::join(&site, CROWD);
    let (mut replies, mut dice) = (0, Dice::from_time());
    for round in 0..KILLS {
        // What the clients do goes on until the moment comes, and it is another one each time. Most often it comes while
        // they are served: on a busy machine, the first commit may take longer than all moments.
        let moment = Duration::from_micros(dice.below(500_000));
        let daemon = &mut site.daemon;
        let outcome = crowd.act_amid(Work::Mixed, || {
            if round % 4 > 0 {
                wait_for("a commit", PATIENCE, || (committed(daemon) > 0).then_some(()));
            }
            thread::sleep(moment);
            daemon.kill9();
        });
        replies += outcome.completed;
        crowd.check_recorded(&url);
        crowd.clients.settle();
        site.daemon.resume().unwrap();
        site.daemon.wait_until_ready(PATIENCE).unwrap();
    }
    crowd.check_renewed();
    let kept = crowd.promised().len();
    eprintln!("{KILLS} kills amid {replies} Replies: {kept} leases held at the end, none lost");
    assert!(
        replies > u64::from(KILLS) && kept > 0,
        "the clients were served in between"
    );
}

#[test]
fn a_hundred_kills_lose_nothing_on_sqlite() {
    killed_a_hundred_times(None);
}

#[test]
fn a_hundred_kills_lose_nothing_on_postgres() {
    let postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    killed_a_hundred_times(Some(postgres.database().unwrap()));
}

/// Takes the database away from a daemon under load, and gives it back.
///
/// Meanwhile clients are offered addresses and given none, the API tells why, and the log, too; then all goes on.
fn bereft(site: &mut Site, url: &str, take: impl FnOnce(), give_back: impl FnOnce()) {
    let mut crowd = Crowd::join(site, 0);
    let daemon = &site.daemon;
    crowd.act_amid(Work::New, || {
        wait_for("clients to be served", PATIENCE, || {
            (daemon.items("/v1/leases?limit=50").ok()?.len() >= 20).then_some(())
        });
        take();
        let before = failed_commits(daemon);
        wait_for("commits to fail", PATIENCE, || {
            (failed_commits(daemon) > before + 2).then_some(())
        });
    });
    let served = crowd.promised();
    assert!(!served.is_empty());
    // With nothing in flight any more, nobody is given a lease, and everybody is offered one.
    let load = Load {
        most: 20,
        patience: Duration::from_secs(2),
        ..Load::new(Work::New, Pace::Window(20), PATIENCE)
    };
    let outcome = crowd.act(&load, &AtomicBool::new(false));
    assert_eq!(outcome.completed, 0, "a Reply without a commit");
    assert!(outcome.advertise.count > 0, "Advertises go on");
    assert!(
        daemon.log().contains("bindings could not be recorded"),
        "the log tells of it"
    );

    give_back();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let load = Load {
        most: 50,
        patience: PATIENCE,
        ..Load::new(Work::New, Pace::Window(WINDOW), PATIENCE)
    };
    let outcome = crowd.act(&load, &AtomicBool::new(false));
    assert_eq!(outcome.completed, 50, "all goes on without a restart");
    crowd.check_recorded(url);
    crowd.check_renewed();
    assert!(served.is_subset(&crowd.promised()));
}

fn failed_commits(daemon: &Daemon) -> u64 {
    let metrics = daemon.ask("GET", "/metrics").unwrap().text();
    let name = "orchestrator_lease_commits_failed_total ";
    let failed = metrics.lines().find_map(|line| line.strip_prefix(name));
    failed.map_or(0, |count| count.parse().unwrap())
}

/// How many lease events the daemon has committed since it started, but for leases that ended by themselves.
fn committed(daemon: &Daemon) -> u64 {
    let metrics = daemon.ask("GET", "/metrics").unwrap().text();
    let events = metrics.lines().filter_map(|line| {
        let of_outcome = line.strip_prefix("orchestrator_lease_events_total{outcome=")?;
        let (outcome, count) = of_outcome.rsplit_once("} ")?;
        (outcome != "\"expired\"").then(|| count.parse::<u64>().unwrap())
    });
    events.sum()
}

#[test]
fn a_database_that_goes_away_under_load_loses_nothing() {
    let mut postgres = Postgres::start(&Lab::new().unwrap()).unwrap();
    let url = postgres.database().unwrap();
    let mut site = Site::start(&plan(Some(url.clone())));
    let postgres = std::cell::RefCell::new(&mut postgres);
    let take = || postgres.borrow_mut().stop().unwrap();
    let give_back = || postgres.borrow_mut().resume().unwrap();
    bereft(&mut site, &url, take, give_back);
}

#[test]
fn a_disk_that_fills_up_under_load_loses_nothing() {
    // A disk of its own, which only this thread and the daemon that it starts see, and which goes with them.
    let alone = thread::spawn(|| {
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let lab = Lab::new().unwrap();
        let disk = lab.place("disk").unwrap();
        mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=8m")).unwrap();
        let url = format!("sqlite://{}/orchestrator.db", disk.display());
        let host = lab.namespace("host").unwrap();
        let plan = plan(Some(url.clone()));
        let daemon = Daemon::start(&host, Path::new(BINARY), |place| plan.settings(place)).unwrap();
        let mut site = Site { lab, host, daemon };
        site.daemon.wait_until_ready(PATIENCE).unwrap();
        let ballast = disk.join("ballast");
        let fill = || assert!(fs::write(&ballast, vec![0; 16 << 20]).is_err(), "the disk is full");
        let clear = || fs::remove_file(&ballast).unwrap();
        bereft(&mut site, &url, fill, clear);
    });
    alone.join().unwrap();
}

/// Numbers at random, of a seed that the time gives.
struct Dice(u64);

impl Dice {
    fn from_time() -> Self {
        let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
        eprintln!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
