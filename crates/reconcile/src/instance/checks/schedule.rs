//! The schedule of checks and their results. It does no I/O and is given the time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_host::{InstanceRef, Socket};
use tokio::time::Instant;

use super::Outcome;
use orchestrator_model::{HostId, InstanceId, SlotKey};

/// The first check of an instance that has just become ready comes within this time.
const SOON: Duration = Duration::from_secs(1);

/// Connections that must go without a reaction before none is expected of the instance.
const TRIALS: u8 = 3;

/// The target of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::instance) enum Target {
    /// Whether it takes a connection at this socket.
    Socket(Socket),
    /// Whether the inside of its wiring is as planned.
    Wiring(Arc<InstanceRef>),
}

/// The subject of an instance's checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::instance) struct Subject {
    /// The slot whose worker is woken when a check fails.
    pub(in crate::instance) key: SlotKey,
    /// The host that it is on.
    pub(in crate::instance) host: HostId,
    /// The target.
    pub(in crate::instance) target: Target,
    /// Time between two checks; a tenth more or less at random.
    pub(in crate::instance) every: Duration,
    /// Failed checks in a row that make it silent.
    pub(in crate::instance) failures: u32,
}

/// A check that is to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::instance) struct Check {
    /// The instance.
    pub(in crate::instance) id: InstanceId,
    /// The subject.
    pub(in crate::instance) subject: Subject,
    /// Whether it is to be seen to react to a connection.
    pub(in crate::instance) reacting: bool,
    round: u64,
}

/// How an instance has failed to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::instance) struct Silence {
    /// Checks in a row that failed.
    pub(in crate::instance) checks: u32,
    /// What the last of them found, for people.
    pub(in crate::instance) how: &'static str,
}

/// Whether an instance reacts to connections that are closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reacts {
    /// It was not seen to, so many times.
    NotYet(u8),
    /// It did once, so that it is silent when it no longer does.
    Yes,
    /// It is of the kind that does not.
    Never,
}

/// Where an instance is in its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next check is due then.
    Waiting(Instant),
    /// A check is under way.
    Asked,
    /// None is to be made.
    Paused,
}

#[derive(Debug)]
struct Entry {
    subject: Subject,
    state: State,
    /// The number of the present check. An answer to an earlier one comes too late.
    round: u64,
    failed: u32,
    how: &'static str,
    reacts: Reacts,
    /// Whether it ever answered what it is asked.
    answered: bool,
}

/// All instances that are checked.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: HashMap<InstanceId, Entry>,
    due: BTreeSet<(Instant, InstanceId)>,
}

impl Schedule {
    /// Begins to check an instance that has just answered.
    pub(super) fn begin(&mut self, id: InstanceId, subject: Subject, now: Instant) {
        let first = SOON.min(subject.every);
        self.put(id, subject, now, first);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.answered = true;
        }
    }

    /// Another process begins, which may be of another kind: nothing is expected of it but an answer.
    pub(super) fn renew(&mut self, id: InstanceId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.reacts = Reacts::NotYet(0);
        }
    }

    /// Checks an instance no more until it begins again. What it was seen to do is kept.
    pub(super) fn pause(&mut self, id: InstanceId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            if let State::Waiting(due) = entry.state {
                self.due.remove(&(due, id));
            }
            entry.state = State::Paused;
            entry.round += 1;
            entry.failed = 0;
        }
    }

    /// Forgets an instance, and what it was seen to do.
    pub(super) fn forget(&mut self, id: InstanceId) {
        self.pause(id);
        self.entries.remove(&id);
    }

    /// Forgets what is not `live`, pauses what is not `ready`, and begins with what is ready and not checked yet,
    /// spread over the time between two checks. A ready one of which nothing is known to check stays as it is.
    pub(super) fn reconcile(
        &mut self,
        live: &HashSet<InstanceId>,
        ready: HashMap<InstanceId, Option<Subject>>,
        now: Instant,
    ) {
        let known: Vec<InstanceId> = self.entries.keys().copied().collect();
        for id in known {
            match (live.contains(&id), ready.contains_key(&id)) {
                (false, _) => self.forget(id),
                (true, false) => self.pause(id),
                (true, true) => {}
            }
        }
        for (id, subject) in ready {
            let Some(subject) = subject else { continue };
            match self.entries.get_mut(&id) {
                // The same question, perhaps to be asked more often from now on: the answers so far count.
                Some(entry) if entry.state != State::Paused && entry.subject.target == subject.target => {
                    entry.subject = subject;
                }
                _ => {
                    let spread = subject.every;
                    self.put(id, subject, now, spread);
                }
            }
        }
    }

    /// The next check that is due, if one is.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Check> {
        let (due, id) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, id));
        let entry = self.entries.get_mut(&id)?;
        entry.state = State::Asked;
        entry.round += 1;
        Some(Check {
            id,
            subject: entry.subject.clone(),
            reacting: entry.reacts != Reacts::Never,
            round: entry.round,
        })
    }

    /// When the next check is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes in what a check found. Whether it counts, and is a failure.
    pub(super) fn report(&mut self, check: &Check, outcome: Outcome, now: Instant) -> bool {
        let Some(entry) = self
            .entries
            .get_mut(&check.id)
            .filter(|entry| entry.round == check.round)
        else {
            return false;
        };
        let failed = entry.take_in(outcome);
        let due = now + spread(entry.subject.every, check.id, entry.round);
        entry.state = State::Waiting(due);
        self.due.insert((due, check.id));
        failed
    }

    /// Whether the instance was seen to react to a connection.
    pub(super) fn reacts(&self, id: InstanceId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.reacts == Reacts::Yes)
    }

    /// Whether the instance ever answered what it is asked now.
    pub(super) fn answered(&self, id: InstanceId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.answered)
    }

    /// How the instance is silent, if it is.
    pub(super) fn mute(&self, id: InstanceId) -> Option<Silence> {
        let entry = self.entries.get(&id)?;
        (entry.failed >= entry.subject.failures).then_some(Silence {
            checks: entry.failed,
            how: entry.how,
        })
    }

    /// Schedules the first check at random within this time.
    fn put(&mut self, id: InstanceId, subject: Subject, now: Instant, within: Duration) {
        self.pause(id);
        let before = self.entries.remove(&id);
        let round = before.as_ref().map_or(0, |entry| entry.round);
        let same = before.filter(|entry| entry.subject.target == subject.target);
        let due = now + within.mul_f64(fraction(id, round));
        let entry = Entry {
            subject,
            state: State::Waiting(due),
            round,
            failed: 0,
            how: "",
            reacts: same.as_ref().map_or(Reacts::NotYet(0), |entry| entry.reacts),
            answered: same.is_some_and(|entry| entry.answered),
        };
        self.entries.insert(id, entry);
        self.due.insert((due, id));
    }
}

impl Entry {
    /// Counts an outcome; whether it is a failure.
    fn take_in(&mut self, outcome: Outcome) -> bool {
        let how = match (outcome, self.reacts) {
            (Outcome::Unknown, _) => return false,
            (Outcome::Silent(how), _) => Some(how),
            (Outcome::Taken, Reacts::Yes) => Some("it takes connections and does nothing with them"),
            (Outcome::Taken, Reacts::NotYet(trials)) => {
                self.reacts = if trials + 1 < TRIALS {
                    Reacts::NotYet(trials + 1)
                } else {
                    Reacts::Never
                };
                None
            }
            (Outcome::Reacted, _) => {
                self.reacts = Reacts::Yes;
                None
            }
            (Outcome::Taken, Reacts::Never) | (Outcome::AsPlanned, _) => None,
        };
        match how {
            Some(how) => {
                self.failed = self.failed.saturating_add(1);
                self.how = how;
                true
            }
            None => {
                self.failed = 0;
                self.answered = true;
                false
            }
        }
    }
}

/// The time until the next check: a tenth more or less than `every`, so that checks that began together part.
fn spread(every: Duration, id: InstanceId, round: u64) -> Duration {
    every.mul_f64(0.9 + 0.2 * fraction(id, round))
}

/// A number from 0 to 1 that differs from instance to instance and from round to round (splitmix64).
fn fraction(id: InstanceId, round: u64) -> f64 {
    let [a, b, c, d, e, f] = id.bytes();
    let mut bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let [high, low, ..] = (bits ^ (bits >> 31)).to_be_bytes();
    f64::from(u16::from_be_bytes([high, low])) / 65_536.0
}
