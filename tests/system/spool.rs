//! Whatever lies in the spool that is no event: it is set aside, and hinders neither events nor the end of the daemon.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::mkfifo;
use orchestrator_lab::wait_for;

use crate::dnsmasq::{plan, stray, tell_with};
use crate::site::{PATIENCE, PREFIX, Site};

/// Bytes of no event: a reader that takes what it is given would take all memory.
const HUGE: u64 = 1 << 40;

/// One of each kind of thing that is no regular file, and a file that is too large, named like events before all others.
fn strangers(spool: &Path) -> usize {
    let named = |count: u32| spool.join(format!("{count:020}-0000000001-0000000001.json"));
    let all = Mode::from_bits_truncate(0o666);
    mkfifo(&named(1), all).unwrap();
    drop(UnixListener::bind(named(2)).unwrap());
    symlink("/dev/zero", named(3)).unwrap();
    fs::create_dir(named(4)).unwrap();
    mknod(&named(5), SFlag::S_IFCHR, all, makedev(1, 5)).unwrap();
    File::create(named(6)).unwrap().set_len(HUGE).unwrap();
    // One that is set aside has the name already, and is a directory that nothing can replace.
    mkfifo(&named(7), all).unwrap();
    fs::create_dir_all(named(7).with_extension("bad").join("full")).unwrap();
    7
}

#[test]
fn what_is_no_regular_file_in_the_spool_hinders_neither_events_nor_the_end_of_the_daemon() {
    let mut site = Site::start(&plan());
    let spool = site.daemon.place().join("spool");
    fs::create_dir(&spool).unwrap();
    let count = strangers(&spool);
    let leased = format!("{PREFIX}::1:77");
    let words = ["add", "00:03:00:01:02:00:5e:10:00:01", &leased];
    let variables = [("INTERFACE", "br0"), ("LEASE_EXPIRES", "0")];
    tell_with(&stray(&site, "spool"), &words, &variables);
    wait_for("the event behind the strangers", PATIENCE, || {
        site.lease(leased.parse().unwrap())
    });
    wait_for("the strangers to be counted", PATIENCE, || {
        let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
        metrics
            .contains(&format!("orchestrator_spool_set_aside_total {count}\n"))
            .then_some(())
    });
    let left = fs::read_dir(&spool).unwrap().map(|file| file.unwrap().path());
    let left: Vec<_> = left
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    assert!(left.is_empty(), "they are read again and again: {left:?}");
    site.daemon.stop().unwrap();
}
