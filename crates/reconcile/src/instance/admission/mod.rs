//! Admission: which of the instances that are wanted are made next, and which wait.
//!
//! ```text
//!   a slot is to be filled ──▶ ask ──▶ no limit is reached, and its engine has a turn ──▶ granted ──▶ recorded, made
//!                               │                                                             ▲
//!                               ├──▶ waits in the queue ── a place is free, and its turn ─────┘
//!                               └──▶ refused: the queue is full, or there could never be a place
//! ```
//!
//! - What is promised never exceeds a limit: a claim counts from when it is granted until its instance is removed.
//! - The queue is fair (`queue`): across ports, then across the link-layer addresses behind each.
//! - It is derived from what is recorded, so that a restart keeps its order. [`Admission::finish_reading`] compares it.
//! - A place that becomes free is given at once. Removals ask nobody.
//!
//! Nothing here does I/O or reads a clock. `desk` connects it with the reconciler.

mod block;
mod budget;
mod check;
mod claim;
mod desk;
mod held;
mod limits;
mod load;
mod pace;
mod queue;
mod recent;
mod tally;
mod usage;
mod view;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use orchestrator_model::{HostId, InstanceId, Owner, SlotKey, Timestamp};
use orchestrator_store::Promise;

use block::{Block, Refusal};
use claim::{Claim, Port};
pub(super) use desk::{Desk, Verdict};
use held::{Held, Holders};
use limits::Limits;
use pace::Pace;
use queue::{Joined, Queue, Request, Served, Waiting};
use recent::{Recent, WINDOW};
use usage::Usage;

/// An instance that was granted and is not up yet.
#[derive(Debug, Clone)]
struct Making {
    claim: Claim,
    /// Whether it is recorded: from then on its claim is among those of instances.
    is_recorded: bool,
}

/// The answer to a slot that is to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// It may be filled now.
    Granted,
    /// It waits in the queue.
    Waits(Block),
    /// It is not filled, and does not wait.
    Refused(Refusal),
}

/// What else a question or a change has led to.
#[derive(Debug, Default)]
struct Effects {
    /// Slots that waited and may be filled now.
    granted: Vec<SlotKey>,
    /// A request that gave way to another one.
    displaced: Option<Request>,
}

/// What is promised, and who waits.
#[derive(Debug, Default)]
struct Admission {
    usage: Usage,
    recent: Recent,
    holders: Holders,
    making: BTreeMap<SlotKey, Making>,
    /// How many are being made, by host and engine.
    engines: HashMap<(HostId, String), usize>,
    /// How many of these are for clients behind one port.
    ports: HashMap<(HostId, String, Port), usize>,
    queue: Queue,
    pace: Pace,
    /// Whether what is recorded was read. Until then nothing is granted.
    is_read: bool,
    /// Whether somebody in the queue may have a place since it was last gone through.
    is_stale: bool,
    /// The slots that waited for their turn, and now wait for a limit. Their timelines do not say so yet.
    held_up: BTreeMap<SlotKey, Block>,
    /// The services of which a slot waits for another limit than before, or for one or none at all. Their workers do not
    /// know it yet.
    reworded: BTreeSet<String>,
    steps: u64,
    /// The steps at the begin of the reading that is under way.
    reading_since: u64,
}

impl Admission {
    /// Asks whether a slot may be filled now. If not, it waits, or is refused.
    fn ask(&mut self, request: Request, limits: &Limits, now: Timestamp) -> (Answer, Effects) {
        let key = request.key.clone();
        let is_same_host = |making: &&Making| making.claim.host == request.claim.host;
        let granted = self.making.get(&key).filter(is_same_host);
        if granted.is_some_and(|making| !making.is_recorded) {
            return (Answer::Granted, Effects::default());
        }
        // Its former instance is gone, or it was placed on another host since.
        self.over(&key);
        if let Err(refusal) = check::possible(&request.claim, limits) {
            self.queue.leave(&key);
            return (Answer::Refused(refusal), Effects::default());
        }
        let mut effects = Effects::default();
        let was_waiting = self.queue.leave(&key);
        self.recent.expire(now);
        if self.is_read && !self.is_stale && self.check(&request.claim, limits).is_ok() {
            // Nobody else has a place, whoever's turn it is.
            self.grant(&request, was_waiting.as_ref(), now);
            return (Answer::Granted, effects);
        }
        self.steps += 1;
        let waiting = Waiting {
            block: was_waiting.map_or(Block::Reading, |before| before.block),
            request,
            joined: self.steps,
        };
        match self.queue.join(waiting, limits.queue) {
            Joined::Waits => {}
            Joined::InPlaceOf(other) => effects.displaced = Some(*other),
            Joined::Full => return (Answer::Refused(Refusal::QueueFull { most: limits.queue }), effects),
        }
        if self.is_read {
            let block = self.queue.get_mut(&key).map(|waiting| waiting.request.claim.clone());
            let block = block.and_then(|claim| self.check(&claim, limits).err());
            if let Some(block) = block {
                self.set_block(&key, block);
            }
            effects.granted = self.admit(limits, now);
        }
        if let Some(place) = effects.granted.iter().position(|granted| *granted == key) {
            effects.granted.remove(place);
            return (Answer::Granted, effects);
        }
        let block = self.queue.get_mut(&key).map(|waiting| waiting.block.clone());
        (Answer::Waits(block.unwrap_or(Block::Reading)), effects)
    }

    /// Gives places to those that wait, each in its turn. Returns who got one.
    fn admit(&mut self, limits: &Limits, now: Timestamp) -> Vec<SlotKey> {
        self.is_stale |= self.recent.expire(now);
        if !self.is_read || !self.is_stale {
            return Vec::new();
        }
        self.is_stale = false;
        let mut granted = Vec::new();
        while let Some(request) = self.next(limits) {
            let waited = self.queue.leave(&request.key);
            self.grant(&request, waited.as_ref(), now);
            granted.push(request.key);
        }
        granted
    }

    /// The next one that has a place.
    fn next(&mut self, limits: &Limits) -> Option<Request> {
        if self.all_engines_busy(limits) {
            return None;
        }
        let mut blocked = Vec::new();
        let mut found = None;
        for waiting in self.queue.in_turn() {
            match self.check(&waiting.request.claim, limits) {
                Ok(()) => {
                    found = Some(waiting.request.clone());
                    break;
                }
                Err(block) if block != waiting.block => blocked.push((waiting.request.key.clone(), block)),
                Err(_) => {}
            }
        }
        for (key, block) in blocked {
            if self.set_block(&key, block.clone()) == Some(Block::Turn) && block.is_limit() {
                self.held_up.insert(key, block);
            }
        }
        found
    }

    /// Records the limit or pause that keeps a slot in the queue from a place. Returns the one before.
    fn set_block(&mut self, key: &SlotKey, block: Block) -> Option<Block> {
        let waiting = self.queue.get_mut(key)?;
        let before = std::mem::replace(&mut waiting.block, block);
        let words = |block: &Block| block.is_limit().then(|| block.to_string());
        if let Some(service) = key.owner.service_in(&key.slot)
            && words(&before) != words(&waiting.block)
        {
            self.reworded.insert(service.to_owned());
        }
        Some(before)
    }

    /// Whether every engine that makes something makes as much as it may. Then nobody needs to be looked for.
    fn all_engines_busy(&self, limits: &Limits) -> bool {
        let mut busy = self.engines.values().map(|making| *making >= limits.making);
        self.engines.len() >= limits.engines && busy.all(|is_busy| is_busy)
    }

    fn grant(&mut self, request: &Request, waited: Option<&Waiting>, now: Timestamp) {
        let Request { key, claim, .. } = request;
        if waited.is_some_and(|waited| waited.block.is_limit()) {
            self.pace.given(now);
        }
        self.usage.add(claim);
        self.recent.reserve(claim);
        self.queue.serve(&claim.share);
        *self.engines.entry(engine_of(claim)).or_default() += 1;
        *self.ports.entry(port_of(claim)).or_default() += 1;
        let making = Making {
            claim: claim.clone(),
            is_recorded: false,
        };
        self.making.insert(key.clone(), making);
    }

    /// The instance of a slot that was granted is recorded. `doubt` is set if nobody knows whether it is.
    fn recorded(&mut self, key: &SlotKey, id: InstanceId, now: Timestamp, doubt: bool) {
        let Some(making) = self.making.get_mut(key) else { return };
        making.is_recorded = true;
        self.recent.record(now, &making.claim);
        let held = Held {
            key: key.clone(),
            claim: making.claim.clone(),
            created: now,
        };
        self.holders.recorded(id, held, doubt.then_some(now));
    }

    /// The instance of a slot needs its engine no more, or is not made after all.
    fn over(&mut self, key: &SlotKey) {
        let Some(Making { claim, is_recorded }) = self.making.remove(key) else {
            return;
        };
        count_down(&mut self.engines, &engine_of(&claim));
        count_down(&mut self.ports, &port_of(&claim));
        if !is_recorded {
            self.usage.take(&claim);
            self.recent.withdraw(&claim);
        }
        self.is_stale = true;
    }

    /// An instance is removed: its place is free.
    fn removed(&mut self, id: InstanceId) {
        if let Some(held) = self.holders.removed(id) {
            self.usage.take(&held.claim);
            self.is_stale = true;
        }
    }

    /// Takes what an owner does not want any more out of the queue.
    fn keep_only(&mut self, owner: &Owner, wanted: impl Fn(&SlotKey) -> bool) {
        let own = self.queue.keys_of(owner).filter(|key| !wanted(key));
        let gone: Vec<SlotKey> = own.cloned().collect();
        for key in gone {
            self.queue.leave(&key);
        }
    }

    /// Takes a slot that is not to be filled any more out of the queue.
    fn leave(&mut self, key: &SlotKey) {
        self.queue.leave(key);
    }

    /// From now on the record is read.
    fn begin_reading(&mut self) {
        self.holders.begin_reading();
        self.reading_since = self.steps;
    }

    /// Takes in what was read since [`begin_reading`](Self::begin_reading): the promises, and every slot of clients that is
    /// to be filled. Returns how many found no room in the queue.
    fn finish_reading(
        &mut self,
        promises: &[Promise],
        requests: Vec<Request>,
        limits: &Limits,
        now: Timestamp,
    ) -> usize {
        let meanwhile = self.holders.finish_reading(promises, now);
        let was_read = self.is_read;
        self.recount(promises, &meanwhile, now);
        self.is_read = true;
        self.is_stale = true;
        let filled: HashSet<&SlotKey> = self.holders.values().map(|held| &held.key).collect();
        let wanted: HashMap<&SlotKey, &Request> = requests.iter().map(|one| (&one.key, one)).collect();
        let since = self.reading_since;
        let keys: Vec<SlotKey> = self.queue.keys().cloned().collect();
        let mut gone = Vec::new();
        for key in keys {
            let joined = self.queue.get_mut(&key).map_or(0, |waiting| waiting.joined);
            let is_of_client = key.owner.client().is_some();
            if filled.contains(&key) || (is_of_client && joined <= since && !wanted.contains_key(&key)) {
                gone.push(key);
            }
        }
        let is_new = |request: &Request| !filled.contains(&request.key) && !self.making.contains_key(&request.key);
        let requests: Vec<Request> = requests.iter().filter(|one| is_new(one)).cloned().collect();
        for key in gone {
            self.queue.leave(&key);
        }
        // The timeline already says so of slots that waited before the daemon started.
        let block = if was_read { Block::Turn } else { Block::Reading };
        self.join_all(requests, &block, limits)
    }

    /// Has those wait that do not yet, and follows those that moved to another port.
    fn join_all(&mut self, requests: Vec<Request>, block: &Block, limits: &Limits) -> usize {
        let mut refused = 0;
        for request in requests {
            let moved = |waiting: &mut Waiting| waiting.request != request;
            if self.queue.holds(&request.key) && !self.queue.get_mut(&request.key).is_some_and(moved) {
                continue;
            }
            if check::possible(&request.claim, limits).is_err() {
                self.queue.leave(&request.key);
                continue;
            }
            let before = self.queue.leave(&request.key);
            let waiting = Waiting {
                joined: before.as_ref().map_or(self.steps, |before| before.joined),
                block: before.map_or_else(|| block.clone(), |before| before.block),
                request,
            };
            match self.queue.join(waiting, limits.queue) {
                Joined::Waits => {}
                Joined::InPlaceOf(_) | Joined::Full => refused += 1,
            }
        }
        refused
    }

    /// Counts anew what is used, and whose turn it was, from what is recorded.
    fn recount(&mut self, promises: &[Promise], meanwhile: &[Held], now: Timestamp) {
        self.usage = Usage::default();
        self.holders.values().for_each(|held| self.usage.add(&held.claim));
        let unrecorded = || self.making.values().filter(|making| !making.is_recorded);
        unrecorded().for_each(|making| self.usage.add(&making.claim));
        let mut made: Vec<(Timestamp, Claim)> = promises.iter().map(|one| (one.created, Claim::from(one))).collect();
        made.sort_by_key(|(created, _)| *created);
        made.extend(meanwhile.iter().map(|held| (held.created, held.claim.clone())));
        self.recent = Recent::default();
        let mut served = Served::default();
        for (created, claim) in &made {
            served.serve(&claim.share);
            // A time to come is a clock that was set back.
            if created.plus(WINDOW) > now {
                self.recent.reserve(claim);
                self.recent.record((*created).min(now), claim);
            }
        }
        for making in unrecorded() {
            served.serve(&making.claim.share);
            self.recent.reserve(&making.claim);
        }
        self.queue.set_served(served);
    }

    /// Takes those that wait for a limit by now, and were not told.
    fn take_held_up(&mut self) -> BTreeMap<SlotKey, Block> {
        std::mem::take(&mut self.held_up)
    }

    /// The link that a slot waits on; `None` if it does not wait any more.
    fn link_of(&mut self, key: &SlotKey) -> Option<String> {
        let waiting = self.queue.get_mut(key)?;
        Some(waiting.request.claim.share.link.clone())
    }

    /// When somebody in the queue may have a place without anybody's doing.
    fn next_due(&self) -> Option<Timestamp> {
        (self.queue.len() > 0).then(|| self.recent.next()).flatten()
    }

    /// Others limits are in force.
    fn limits_changed(&mut self) {
        self.is_stale = true;
    }

    /// The place of everybody that waits, counted from 1, and how long it is expected to wait.
    fn places(&self, now: Timestamp) -> impl Iterator<Item = (usize, Option<Duration>, &Waiting)> {
        let places = (1..).zip(self.queue.in_turn());
        places.map(move |(place, waiting)| (place, self.expected(place, waiting, now), waiting))
    }

    fn expected(&self, place: usize, waiting: &Waiting, now: Timestamp) -> Option<Duration> {
        match &waiting.block {
            Block::Paused(_) | Block::Reading => None,
            Block::Turn => Some(Duration::ZERO),
            Block::Rate { until, .. } => {
                let at_least = until.map(|until| until.since(now));
                self.pace.expected(place, now).max(at_least)
            }
            _ => self.pace.expected(place, now),
        }
    }
}

fn engine_of(claim: &Claim) -> (HostId, String) {
    (claim.host.clone(), claim.engine.clone())
}

fn port_of(claim: &Claim) -> (HostId, String, Port) {
    (claim.host.clone(), claim.engine.clone(), Port::of(&claim.share))
}

fn count_down<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
