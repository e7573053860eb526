//! A service in memory: what is recorded of it, its instances, and the routers that lead to them.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_model::{Phase, Timestamp};
use orchestrator_service::health::Health;
use orchestrator_service::roll::{
    Cause, Closed, Failures, Life, Move, Moves, Removal, Situation, SlotSituation, SlotState, Target, next,
};
use orchestrator_service::{RollOrder, Strategy};

/// How often the roller may be asked until it has no further moves.
const ROUNDS: usize = 8;

pub(crate) struct World {
    pub(crate) situation: Situation,
    /// Versions whose instances never serve.
    pub(crate) broken: BTreeSet<u64>,
    /// Versions for which there is no host.
    placeless: BTreeSet<u64>,
    /// The lifetime of instances.
    pub(crate) lifetime: Option<Duration>,
    /// The number of the newest snapshot, and the slots that serve in it.
    snapshot: (u64, BTreeSet<u32>),
    /// The slots that the routers lead to.
    pub(crate) routed: BTreeSet<u32>,
    /// Every move so far, for people.
    pub(crate) log: Vec<String>,
}

impl World {
    /// A service that was never deployed.
    pub(crate) fn new(count: u32, strategy: Strategy) -> Self {
        let situation = Situation {
            now: Timestamp(1_000_000),
            target: Target { version: 1, count },
            good: None,
            given_up: None,
            paused: false,
            removal: Removal::Newest,
            strategy,
            failures: Failures::default(),
            applied: 0,
            slots: Vec::new(),
            closing: BTreeSet::new(),
        };
        Self {
            situation,
            broken: BTreeSet::new(),
            placeless: BTreeSet::new(),
            lifetime: None,
            snapshot: (0, BTreeSet::new()),
            routed: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// A service whose first version serves, and is good.
    pub(crate) fn deployed(count: u32, strategy: Strategy) -> Self {
        let mut world = Self::new(count, strategy);
        world.settle();
        world.prove();
        assert_eq!(world.situation.good, Some(1).filter(|_| count > 0));
        world.log.clear();
        world
    }

    pub(crate) fn advance(&mut self, span: Duration) {
        self.situation.now = self.situation.now.plus(span);
    }

    pub(crate) fn slot(&mut self, number: u32) -> &mut SlotSituation {
        self.situation
            .slots
            .iter_mut()
            .find(|slot| slot.number == number)
            .unwrap()
    }

    /// Changes a slot, and records the transition if it begins or ceases to serve.
    pub(crate) fn change(&mut self, number: u32, change: impl FnOnce(&mut SlotSituation)) {
        let now = self.situation.now;
        let slot = self.slot(number);
        let before = (slot.serves(), slot.state);
        change(slot);
        if before != (slot.serves(), slot.state) {
            slot.since = now;
            slot.published = None;
        }
    }

    /// From now on there is a host for instances of this version, or there is none. Those that are there stay.
    pub(crate) fn set_host(&mut self, version: u64, is_there: bool) {
        match is_there {
            true => self.placeless.remove(&version),
            false => self.placeless.insert(version),
        };
        let now = self.situation.now;
        for slot in self.situation.slots.iter_mut().filter(|slot| slot.version == version) {
            let reason = no_host(is_there || slot.phase.is_some());
            if slot.unplaced.is_some() && reason.is_none() {
                // Its time begins with its instance.
                slot.since = now;
            }
            slot.unplaced = reason;
        }
    }

    /// The instance is gone, without a trace.
    pub(crate) fn vanish(&mut self, number: u32) {
        let placeless = self.placeless.clone();
        self.change(number, |slot| {
            (slot.phase, slot.health) = (None, Health::Unknown);
            slot.unplaced = no_host(!placeless.contains(&slot.version));
        });
    }

    /// The instance runs and passes its checks, unless its version is broken, or has no host.
    pub(crate) fn bring_up(&mut self, number: u32) {
        if self.slot(number).unplaced.is_some() {
            return;
        }
        let (version, now) = (self.slot(number).version, self.situation.now);
        if let Some(lifetime) = self.lifetime {
            let slot = self.slot(number);
            slot.life = slot.life.or(Some(Life {
                from: now,
                until: now.plus(lifetime),
            }));
        }
        let broken = self.broken.contains(&version);
        self.change(number, |slot| match broken {
            true => (slot.phase, slot.attempts) = (Some(Phase::Pending), slot.attempts + 1),
            false => (slot.phase, slot.health, slot.attempts) = (Some(Phase::Ready), Health::Passing, 0),
        });
    }

    pub(crate) fn crash(&mut self, number: u32) {
        if self.slot(number).unplaced.is_some() {
            return;
        }
        self.change(number, |slot| {
            (slot.phase, slot.health, slot.attempts) = (Some(Phase::Pending), Health::Unknown, slot.attempts + 1);
        });
    }

    /// Sends a snapshot of the endpoints.
    pub(crate) fn publish(&mut self) {
        self.snapshot.0 += 1;
        let serving = self.situation.slots.iter().filter(|slot| slot.serves());
        self.snapshot.1 = serving.map(|slot| slot.number).collect();
        for slot in &mut self.situation.slots {
            slot.published.get_or_insert(self.snapshot.0);
        }
    }

    /// The routers apply the newest snapshot.
    pub(crate) fn route(&mut self) {
        self.situation.applied = self.snapshot.0;
        self.routed.clone_from(&self.snapshot.1);
    }

    /// Deploys a version. `broken`: its instances never serve.
    pub(crate) fn deploy(&mut self, version: u64, broken: bool) {
        self.situation.target.version = version;
        self.situation.failures = Failures::default();
        if broken {
            self.broken.insert(version);
        }
    }

    /// Asks the roller, checks its answer, and records it; again until it has no further moves. Returns the first answer.
    pub(crate) fn roll(&mut self) -> Moves {
        let first = next(&self.situation);
        let mut answer = first.clone();
        for _ in 0..ROUNDS {
            for one in &answer.moves {
                self.check(one);
                self.record(one);
            }
            answer = next(&self.situation);
            if answer.moves.is_empty() {
                assert!(answer.wake.is_none_or(|wake| wake > self.situation.now), "{answer:?}");
                return first;
            }
        }
        panic!("the roller moves on and on: {:?}", self.log);
    }

    /// Slots that are wanted and serve, with routers that lead to them.
    pub(crate) fn serving(&self) -> usize {
        let slots = self.situation.slots.iter();
        slots
            .filter(|slot| slot.serves() && self.routed.contains(&slot.number))
            .count()
    }

    /// What no move may do, whatever has happened.
    fn check(&self, one: &Move) {
        let Situation {
            target,
            strategy,
            slots,
            now,
            ..
        } = &self.situation;
        let find = |number: &u32| slots.iter().find(|slot| slot.number == *number);
        match one {
            Move::Open { slot, .. } => {
                assert_eq!(find(slot), None, "opens a slot that is not free");
                let ahead = if strategy.order == RollOrder::StartFirst {
                    strategy.surge
                } else {
                    0
                };
                let most = (target.count + ahead) as usize;
                let all = slots.len() + 1;
                assert!(all <= most, "{all} slots, with those that drain");
            }
            Move::Drain { slot, cause } => {
                let slot = find(slot).unwrap();
                assert_eq!(slot.state, SlotState::Wanted);
                match cause {
                    Cause::Failed(_) => assert!(!slot.serves() && !slot.off, "{slot:?} has not failed"),
                    Cause::Replaced | Cause::Ends | Cause::Surplus
                        if slot.serves() && self.routed.contains(&slot.number) =>
                    {
                        let left = self.serving() - 1;
                        let promised = match cause {
                            Cause::Replaced | Cause::Ends => strategy.promised(target.count),
                            _ => target.count,
                        };
                        assert!(
                            left >= promised as usize,
                            "{left} are left of {promised} that were promised"
                        );
                    }
                    Cause::Replaced | Cause::Ends | Cause::Surplus => {}
                }
                assert!(*cause != Cause::Replaced || slot.version != target.version);
                assert!(*cause != Cause::Ends || slot.version == target.version);
            }
            Move::Close { slot, cause } => {
                let slot = find(slot).unwrap();
                assert_eq!(slot.state, SlotState::Draining);
                assert!(!self.routed.contains(&slot.number), "a router leads to {slot:?}");
                let over = *now >= slot.since.plus(strategy.drain);
                let left = slot.connections.unwrap_or_default();
                let empty = slot.phase.is_none() && *cause == Closed::Empty;
                let dead = slot.phase != Some(Phase::Ready) || slot.health == Health::Unknown;
                let failed = slot.health == Health::Failing && *cause == Closed::Room;
                assert!(
                    over || left == 0 || empty || dead || failed,
                    "{left} connections are left"
                );
                if *cause == Closed::Room {
                    let wanted = slots.iter().filter(|slot| slot.state == SlotState::Wanted).count();
                    let missing = (target.count as usize).saturating_sub(wanted);
                    let most = (target.count + strategy.surge) as usize;
                    let stop_first = strategy.order == RollOrder::StopFirst;
                    assert!(slots.len() + missing > most || stop_first, "nothing needs its place");
                }
            }
            Move::GiveUp { version, back_to, .. } => {
                assert_eq!((*version, *back_to), (target.version, self.situation.good));
                let is_placeless = self.placeless.contains(version);
                assert!(is_placeless || self.situation.failures.in_a_row >= strategy.failures);
                assert!(!self.situation.paused);
            }
            Move::Good { version } => {
                assert_eq!(*version, target.version);
                let all = slots.iter().filter(|slot| slot.state == SlotState::Wanted);
                assert!(
                    all.clone()
                        .all(|slot| slot.version == *version && (slot.serves() || slot.off))
                );
                let serving = slots.iter().filter(|slot| slot.serves());
                let steady = |slot: &SlotSituation| *now >= slot.since.plus(strategy.steady);
                let is_first = self.situation.good.is_none() && self.situation.failures.in_a_row == 0;
                assert!(serving.clone().count() > 0 && (is_first || serving.clone().all(steady)));
            }
            Move::Recovered => {
                let steady = |slot: &SlotSituation| slot.serves() && *now >= slot.since.plus(strategy.steady);
                assert!(slots.iter().any(steady), "nothing has served steadily");
            }
            Move::Failed { .. } => {}
        }
    }

    /// Records a move as the daemon does.
    fn record(&mut self, one: &Move) {
        self.log.push(shown(one));
        let now = self.situation.now;
        match one {
            Move::Open { slot, version } => self.situation.slots.push(SlotSituation {
                number: *slot,
                version: *version,
                state: SlotState::Wanted,
                opened: now,
                since: now,
                phase: None,
                unplaced: no_host(!self.placeless.contains(version)),
                life: None,
                attempts: 0,
                health: Health::Unknown,
                off: false,
                published: None,
                connections: Some(0),
                reason: None,
            }),
            Move::Drain { slot, .. } => self.change(*slot, |slot| slot.state = SlotState::Draining),
            Move::Close { slot, .. } => self.situation.slots.retain(|other| other.number != *slot),
            Move::Failed { in_a_row, .. } => {
                self.situation.failures.in_a_row = *in_a_row;
                self.situation.failures.last = Some(now);
            }
            Move::Recovered => self.situation.failures = Failures::default(),
            Move::GiveUp { version, back_to, .. } => match back_to {
                Some(good) => self.deploy(*good, false),
                None => self.situation.given_up = Some(*version),
            },
            Move::Good { version } => {
                self.situation.good = Some(*version);
                self.situation.given_up = None;
            }
        }
    }

    /// Lets time pass while nothing disturbs, until everything is as wanted or the version was given up for good.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2000 {
            let answer = self.roll();
            let target = self.situation.target.version;
            let is_hopeless = self.situation.given_up == Some(target) && self.broken.contains(&target);
            if answer.settled || is_hopeless {
                return;
            }
            self.tick();
        }
        panic!("does not settle: {:#?}\n{:#?}", self.situation, next(&self.situation));
    }

    /// Lets time pass while nothing disturbs, until the version is good. Without instances none ever is.
    pub(crate) fn prove(&mut self) {
        for _ in 0..400 {
            if self.situation.good == Some(self.situation.target.version) || self.situation.target.count == 0 {
                return;
            }
            self.roll();
            self.tick();
        }
        panic!("is not good: {:#?}", self.situation);
    }

    /// One second in which everything works that can.
    pub(crate) fn tick(&mut self) {
        let numbers: Vec<u32> = self.situation.slots.iter().map(|slot| slot.number).collect();
        for number in numbers {
            if self.slot(number).state == SlotState::Wanted {
                self.bring_up(number);
            }
            self.slot(number).connections = Some(0);
        }
        self.publish();
        self.route();
        self.advance(Duration::from_secs(1));
    }
}

/// The moves that were made since the log was last taken.
pub(crate) fn log(world: &mut World) -> Vec<String> {
    world.roll();
    std::mem::take(&mut world.log)
}

fn no_host(is_there: bool) -> Option<String> {
    (!is_there).then(|| "no host has the role public".to_owned())
}

fn shown(one: &Move) -> String {
    match one {
        Move::Open { slot, version } => format!("open {slot} v{version}"),
        Move::Drain { slot, cause } => match cause {
            Cause::Replaced => format!("drain {slot}: replaced"),
            Cause::Ends => format!("drain {slot}: ends"),
            Cause::Surplus => format!("drain {slot}: surplus"),
            Cause::Failed(_) => format!("drain {slot}: failed"),
        },
        Move::Close { slot, cause } => format!("close {slot}: {cause:?}"),
        Move::Failed { .. } => "failed".to_owned(),
        Move::Recovered => "recovered".to_owned(),
        Move::GiveUp { back_to, .. } => format!("give up for {back_to:?}"),
        Move::Good { version } => format!("v{version} is good"),
    }
}
