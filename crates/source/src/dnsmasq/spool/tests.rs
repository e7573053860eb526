//! The spool on a real directory.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;
use crate::dnsmasq::{Answer, DnsmasqVerb, Outcome, hand_over};
use orchestrator_model::{Duid, Iaid, Timestamp};

/// A directory that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-spool-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn spool(&self) -> Spool {
        Spool::new(self.0.join("below/spool"))
    }

    fn files(&self, extension: &str) -> usize {
        let files = fs::read_dir(self.0.join("below/spool")).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().unwrap() == extension)
            .count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn event(iaid: u32) -> DnsmasqEvent {
    DnsmasqEvent {
        verb: DnsmasqVerb::Add,
        duid: Duid::new([0, 3, 0, 1]).unwrap(),
        iaid: Iaid(iaid),
        address: Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 1, 7),
        interface: "br0".to_owned(),
        expires: None,
        remaining: Some(7200),
        length: None,
        link_layer: None,
        hostname: None,
        at: Timestamp(1_700_000_000_000),
    }
}

fn order(pending: &[Spooled]) -> Vec<u32> {
    pending.iter().map(|spooled| spooled.event.iaid.0).collect()
}

#[test]
fn events_come_in_order_and_stay_until_they_are_removed() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    assert!(spool.pending(9).unwrap().is_empty());
    for iaid in 0..5 {
        spool.keep(&event(iaid)).unwrap();
    }
    assert_eq!(order(&spool.pending(3).unwrap()), [0, 1, 2]);
    for spooled in spool.pending(3).unwrap() {
        spool.remove(spooled).unwrap();
    }
    assert_eq!(order(&spool.pending(9).unwrap()), [3, 4]);
    assert_eq!(scratch.files(UNFINISHED), 0);
}

#[test]
fn removing_what_is_gone_is_success() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    spool.keep(&event(1)).unwrap();
    let (once, twice) = (spool.pending(9).unwrap(), spool.pending(9).unwrap());
    for spooled in once.into_iter().chain(twice) {
        spool.remove(spooled).unwrap();
    }
}

#[test]
fn what_cannot_be_read_is_set_aside_and_holds_up_no_other() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    spool.keep(&event(1)).unwrap();
    let directory = scratch.0.join("below/spool");
    fs::write(directory.join("00000000000000000001-1-1.json"), "{").unwrap();
    fs::write(directory.join("00000000000000000002-1-1.json"), [b' '; LARGEST + 100]).unwrap();
    fs::create_dir(directory.join("00000000000000000003-1-1.json")).unwrap();
    fs::write(directory.join("stranger.txt"), "x").unwrap();
    assert_eq!(order(&spool.pending(9).unwrap()), [1]);
    assert_eq!((scratch.files(BAD), scratch.files("txt")), (3, 1));
    assert_eq!(order(&spool.pending(9).unwrap()), [1]);
}

#[test]
fn what_cannot_even_be_set_aside_is_counted_once_and_holds_up_no_other() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    spool.keep(&event(1)).unwrap();
    let stranger = scratch.0.join("below/spool/00000000000000000001-1-1.json");
    fs::create_dir(&stranger).unwrap();
    // Every name that it could get is taken.
    fs::write(stranger.with_extension(BAD), "x").unwrap();
    for number in 2..=NAMES_ASIDE {
        fs::write(stranger.with_extension(format!("{number}.{BAD}")), "x").unwrap();
    }
    assert_eq!(order(&spool.pending(9).unwrap()), [1]);
    assert_eq!(spool.take_set_aside(), 1);
    assert_eq!(order(&spool.pending(9).unwrap()), [1]);
    assert_eq!(spool.clone().take_set_aside(), 0);
    // If it is removed and comes again, it is counted again.
    fs::remove_dir(&stranger).unwrap();
    spool.pending(9).unwrap();
    fs::create_dir(&stranger).unwrap();
    spool.pending(9).unwrap();
    assert_eq!(spool.take_set_aside(), 1);
}

#[test]
fn what_a_killed_hook_left_is_removed_and_what_a_living_one_writes_is_not() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    spool.keep(&event(1)).unwrap();
    let directory = scratch.0.join("below/spool");
    fs::write(directory.join("1-1-1.tmp"), "{").unwrap();
    let abandoned = File::create(directory.join("2-1-1.tmp")).unwrap();
    abandoned.set_modified(SystemTime::now() - ABANDONED * 2).unwrap();
    spool.pending(9).unwrap();
    assert_eq!(scratch.files(UNFINISHED), 1);
}

#[test]
fn a_full_spool_says_so() {
    let scratch = Scratch::new();
    let spool = Spool {
        most: 2,
        ..scratch.spool()
    };
    for iaid in 0..2 {
        spool.keep(&event(iaid)).unwrap();
    }
    let directory = scratch.0.join("below/spool");
    let error = spool.keep(&event(2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} holds 2 events and takes no more; start the daemon, which empties it",
            directory.display()
        )
    );
    let outcome = hand_over(&event(3), Answer::Failed("it hangs".to_owned()), &spool);
    assert!(
        matches!(
            outcome,
            Outcome::Lost {
                spool: SpoolError::Full { .. },
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(order(&spool.pending(9).unwrap()), [0, 1]);
}

#[test]
fn only_what_could_not_be_handed_over_is_kept() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    assert!(matches!(hand_over(&event(1), Answer::Taken, &spool), Outcome::Taken));
    assert!(matches!(
        hand_over(&event(2), Answer::Refused(String::new()), &spool),
        Outcome::Refused(_)
    ));
    assert!(matches!(
        hand_over(&event(3), Answer::Failed(String::new()), &spool),
        Outcome::Kept(_)
    ));
    assert_eq!(order(&spool.pending(9).unwrap()), [3]);
}

#[test]
fn hooks_may_write_while_the_daemon_reads() {
    let scratch = Scratch::new();
    let spool = scratch.spool();
    const EACH: u32 = 50;
    std::thread::scope(|scope| {
        for hook in 0..4 {
            let spool = &spool;
            scope.spawn(move || (0..EACH).for_each(|count| spool.keep(&event(hook * EACH + count)).unwrap()));
        }
        let mut taken = Vec::new();
        while taken.len() < 4 * EACH as usize {
            for spooled in spool.pending(16).unwrap() {
                taken.push(spooled.event.iaid.0);
                spool.remove(spooled).unwrap();
            }
        }
        taken.sort_unstable();
        assert_eq!(taken, (0..4 * EACH).collect::<Vec<_>>());
    });
    assert_eq!(
        (scratch.files(EVENT), scratch.files(BAD), scratch.files(UNFINISHED)),
        (0, 0, 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_lies_in_the_spool_no_event_is_lost(
        strangers in prop::collection::vec(("[a-z0-9.-]{1,12}", prop::collection::vec(any::<u8>(), 0..64)), 0..6),
        count in 0u32..4,
    ) {
        let scratch = Scratch::new();
        let spool = scratch.spool();
        spool.keep(&event(0)).unwrap();
        for (name, text) in strangers {
            // `.` and `..` are no files.
            let _ = fs::write(scratch.0.join("below/spool").join(name), text);
        }
        for iaid in 1..=count {
            spool.keep(&event(iaid)).unwrap();
        }
        prop_assert_eq!(order(&spool.pending(99).unwrap()), (0..=count).collect::<Vec<_>>());
    }
}
