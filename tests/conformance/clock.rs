//! A wall clock that is set while the daemon runs: lifetimes are spans that clients were promised.

use std::fs;
use std::path::PathBuf;

use orchestrator_lab::{Lab, wait_for};
use orchestrator_wire::{NO_ADDRS_AVAIL, RENEW};

use crate::site::{PATIENCE, POOL, PREFIX, Site, link, on_link};

/// What the daemon takes for the wall clock, in place of the machine's.
struct Wall(PathBuf);

impl Wall {
    /// Sets it so far from the machine's: "+365d".
    fn set(&self, offset: &str) {
        // In one step: it is read at any moment.
        let next = self.0.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(next, &self.0).unwrap();
    }
}

/// What libfaketime leaves in shared memory of a process that was killed. Removed when dropped.
#[derive(Default)]
struct Leftovers(Vec<u32>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        for pid in &self.0 {
            for kind in ["faketime_shm", "sem.faketime_sem"] {
                // A process that ended by itself has left nothing.
                fs::remove_file(format!("/dev/shm/{kind}_{pid}")).ok();
            }
        }
    }
}

/// A site whose daemon has a wall clock of its own, and the monotonic clock of the machine.
fn start(links: &str) -> (Site, Wall) {
    let lab = Lab::new().unwrap();
    let wall = Wall(lab.place("clock").unwrap().join("wall"));
    wall.set("+0");
    let environment = [
        ("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1"),
        ("FAKETIME_TIMESTAMP_FILE", wall.0.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    (Site::start_in(lab, &environment, links), wall)
}

/// The daemon sees that its wall clock was set, and says so.
fn wait_noticed(site: &Site, times: usize) {
    wait_for("the daemon to see what the clock says", PATIENCE, || {
        let told = site.daemon.log().matches("the wall clock was set").count();
        (told == times).then_some(())
    });
}

#[test]
fn a_clock_that_is_set_ends_no_lease_and_keeps_none_too_long() {
    let mut leftovers = Leftovers::default();
    let (mut site, wall) = start(&link("br0", PREFIX, POOL, ""));
    leftovers.0.push(site.pid());
    let keeper = site.client();
    let kept = keeper.lease(1);
    let goes_on = |site: &Site| {
        assert!(site.holds(&keeper, kept));
        assert_ne!(site.client().solicit(1, &[kept]).leased().ip, kept);
        let renewed = keeper.tell(RENEW, 1, kept).ia(1);
        let times = (renewed.leased().preferred, renewed.leased().valid);
        assert_eq!((renewed.leased().ip, times, renewed.t1), (kept, (3600, 7200), 1800));
    };
    wall.set("+365d");
    wait_noticed(&site, 1);
    goes_on(&site);
    wall.set("-365d");
    wait_noticed(&site, 2);
    goes_on(&site);

    // A short lease ends when it was to end, though the wall clock is far behind.
    let short = "preferred_lifetime = \"2s\"\nvalid_lifetime = \"4s\"";
    let only = on_link("::2:8");
    site.reload_with(&link("br0", PREFIX, &format!("{only}/128"), short));
    let (first, second) = (site.client(), site.client());
    // On a busy machine the lease may have ended before anybody asks for it.
    wait_for("the lease to be in the way of another", PATIENCE, || {
        assert_eq!(first.lease(1), only);
        (second.solicit(1, &[]).status == Some(NO_ADDRS_AVAIL)).then_some(())
    });
    wall.set("-730d");
    wait_for("the lease to end", PATIENCE, || second.solicit(1, &[]).addresses.pop());
    assert_eq!(second.request(1, &[only]).leased().ip, only);

    // The next daemon goes by the wall clock, and moves what was recorded by as much: the lease goes on as it was.
    site.write(&link("br0", PREFIX, POOL, ""));
    for offset in ["+365d", "-365d"] {
        site.daemon.kill9();
        wall.set(offset);
        site.resume();
        leftovers.0.push(site.pid());
        assert!(
            site.daemon
                .log()
                .contains("the wall clock was set since the daemon last ran")
        );
        goes_on(&site);
    }
    let events = site.daemon.items("/v1/events?limit=1000").unwrap();
    let told = events.iter().filter(|event| event["kind"] == "clock-set").count();
    assert_eq!(told, 2);
}
