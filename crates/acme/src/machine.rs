//! The next step for the certificate of one name, and when it is due. Pure: the caller passes events and the time.
//!
//! ```text
//!            due                  looked: pending           in force, answered
//!   idle ─────────▶ placed ─▶ look ───────────▶ prove ─────────────────────────┐
//!    ▲                         ▲ ▲                                             │
//!    │                         │ └─────────── after a pause ───────────────────┘
//!    │        looked: ready    │         looked: valid
//!    │  finalize ◀─────────────┼───────────────▶ fetch ─▶ a certificate
//!    │     └── finalized ──────┘                              │
//!    └────────────────────────────────────────────────────────┘
//!
//!   any ── refused ──▶ look after a pause; or, where the order is over or given up, idle after a pause
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_model::Timestamp;

use crate::authority::{Proof, Reach, Refusal, Standing};
use crate::life::{LONGEST_PAUSE, Life, pause};

/// How long an authority may take to check a proof, and to make a certificate.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two questions how far an order is: at first, and at most.
const POLL: Duration = Duration::from_secs(1);
const LONGEST_POLL: Duration = Duration::from_secs(30);
/// How long the balancers may take to show a proof before the order is looked at again. It may have ended meanwhile.
const PROVING: Duration = Duration::from_secs(3600);
/// An order is given up after so many failures of its own before the authority has its signing request, or so long after it was
/// placed. With the signing request there may be a certificate, and another order would be another certificate.
const MOST_FAILURES: u32 = 6;
const LONGEST_ORDER: Duration = Duration::from_secs(86_400);

/// The certificate that is there, and what is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Case {
    /// The life of the certificate that is there; `None` without one.
    pub(crate) life: Option<Life>,
    /// Whether it is of another authority than the one that is asked now.
    pub(crate) is_foreign: bool,
    /// How often the present attempt failed.
    pub(crate) failures: u32,
    /// The end of the pause after a failure.
    pub(crate) again: Option<Timestamp>,
    /// Why it failed last.
    pub(crate) reason: Option<String>,
    /// The order that is under way.
    pub(crate) order: Option<Order>,
}

/// An order that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) url: String,
    /// The proofs that the authority may ask for. They are shown, whatever the stage is, until it has decided.
    pub(crate) proofs: BTreeSet<Proof>,
    /// When it was placed.
    pub(crate) placed: Timestamp,
    /// How often a question about this order failed.
    pub(crate) failures: u32,
    /// Whether an earlier process placed it.
    pub(crate) is_resumed: bool,
    stage: Stage,
    /// Whether the authority has the signing request, as far as we know.
    is_finalized: bool,
    /// When the present wait for the authority began.
    since: Option<Timestamp>,
    polls: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The order is looked at, from this moment on.
    Look(Timestamp),
    /// The balancers are to show the proofs. At this moment, the order is looked at again.
    Prove(Timestamp),
    Finalize,
    Fetch,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before this moment, or before something happens.
    Wait(Timestamp),
    Place,
    Look,
    Answer,
    Finalize,
    Fetch,
}

impl Order {
    fn placed(url: String, now: Timestamp) -> Self {
        Self {
            url,
            proofs: BTreeSet::new(),
            placed: now,
            failures: 0,
            is_resumed: false,
            stage: Stage::Look(now),
            is_finalized: false,
            since: None,
            polls: 0,
        }
    }

    /// An order of an earlier process.
    pub(crate) fn resumed(url: String, now: Timestamp) -> Self {
        Self {
            is_resumed: true,
            ..Self::placed(url, now)
        }
    }

    /// Looks again after a pause, which grows.
    fn poll(&mut self, now: Timestamp) {
        let wait = POLL.saturating_mul(1 << self.polls.min(8)).min(LONGEST_POLL);
        self.polls += 1;
        // The clock may have been set back.
        self.since = Some(self.since.map_or(now, |since| since.min(now)));
        self.stage = Stage::Look(now.plus(wait));
    }

    /// Looks once the pause after a failure is over. A new wait begins.
    fn rest(&mut self, now: Timestamp) {
        self.placed = self.placed.min(now);
        self.since = None;
        self.polls = 0;
        self.stage = Stage::Look(now);
    }

    /// Whether the authority was waited for long enough.
    fn is_stuck(&self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now >= since.plus(PATIENCE))
    }

    fn is_hopeless(&self, now: Timestamp) -> bool {
        (self.failures >= MOST_FAILURES && !self.is_finalized) || now >= self.placed.plus(LONGEST_ORDER)
    }
}

/// Whether a moment is still to come. A moment further ahead than we ever wait was noted before the clock was set back.
fn is_ahead(at: Timestamp, now: Timestamp, longest: Duration) -> bool {
    at > now && at <= now.plus(longest)
}

impl Case {
    /// What is due. `in_force` is what every balancer shows.
    pub(crate) fn next(&self, now: Timestamp, in_force: &BTreeSet<Proof>) -> Step {
        if let Some(again) = self.again.filter(|again| is_ahead(*again, now, LONGEST_PAUSE)) {
            return Step::Wait(again);
        }
        let Some(order) = &self.order else {
            let due = self.life.filter(|_| !self.is_foreign).map(Life::renewal);
            return match due.filter(|due| *due > now) {
                Some(due) => Step::Wait(due),
                None => Step::Place,
            };
        };
        match order.stage {
            Stage::Look(at) if is_ahead(at, now, LONGEST_POLL) => Step::Wait(at),
            Stage::Look(_) => Step::Look,
            Stage::Prove(_) if order.proofs.is_subset(in_force) => Step::Answer,
            Stage::Prove(at) if is_ahead(at, now, PROVING) => Step::Wait(at),
            Stage::Prove(_) => Step::Look,
            Stage::Finalize => Step::Finalize,
            Stage::Fetch => Step::Fetch,
        }
    }

    /// What is to be shown.
    pub(crate) fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.order.iter().flat_map(|order| &order.proofs)
    }

    /// Why there is no certificate, or why it is not renewed; `None` if all is well.
    pub(crate) fn fault(&self) -> Option<String> {
        let stage = self.order.as_ref().map(|order| &order.stage);
        match (&self.reason, stage) {
            (Some(reason), _) if self.failures == 1 => Some(format!("{reason} (failed once)")),
            (Some(reason), _) => Some(format!("{reason} (failed {} times in a row)", self.failures)),
            (None, _) if self.life.is_some() => None,
            (None, Some(Stage::Prove(_))) => {
                Some("its certificate is being ordered; waiting until every balancer shows the proof".to_owned())
            }
            (None, _) => Some("its certificate is being ordered".to_owned()),
        }
    }

    /// An order was placed.
    pub(crate) fn placed(&mut self, url: String, now: Timestamp) {
        self.order = Some(Order::placed(url, now));
    }

    /// The authority said how far the order is.
    pub(crate) fn looked(&mut self, standing: Standing, now: Timestamp) {
        let Some(order) = &mut self.order else { return };
        let is_ready = standing == Standing::Ready;
        match standing {
            Standing::Invalid(reason) => return self.refused(&Refusal::over(reason), now),
            Standing::Pending { proofs, is_answered } if !order.is_finalized => {
                order.proofs = proofs;
                if !is_answered && order.since.is_none() {
                    order.stage = Stage::Prove(now.plus(PROVING));
                    return;
                }
            }
            Standing::Ready if !order.is_finalized => {
                order.proofs.clear();
                order.stage = Stage::Finalize;
                return;
            }
            Standing::Valid => {
                order.proofs.clear();
                order.is_finalized = true;
                order.stage = Stage::Fetch;
                return;
            }
            Standing::Processing => {
                order.proofs.clear();
                order.is_finalized = true;
            }
            // It has the signing request, and does not say so yet.
            Standing::Pending { .. } | Standing::Ready => {}
        }
        match order.is_stuck(now) {
            false => order.poll(now),
            true => self.waited_in_vain(is_ready, now),
        }
    }

    fn waited_in_vain(&mut self, is_ready: bool, now: Timestamp) {
        let seconds = PATIENCE.as_secs();
        match &mut self.order {
            Some(order) if order.is_finalized => {
                let reason = format!("the authority did not make the certificate within {seconds} s");
                let refusal = Refusal::passing(reason);
                if is_ready {
                    // It lost the signing request, which is sent again after the pause.
                    order.is_finalized = false;
                    self.refused(&refusal, now);
                } else {
                    // It knows the order and says that it is at work: no failure of the order.
                    self.failed(&refusal, now);
                }
            }
            _ => {
                let reason = format!("the authority did not decide within {seconds} s");
                self.refused(&Refusal::over(reason), now);
            }
        }
    }

    /// We have asked the authority to check the proofs.
    pub(crate) fn answered(&mut self, now: Timestamp) {
        if let Some(order) = &mut self.order {
            order.poll(now);
        }
    }

    /// The authority has the signing request.
    pub(crate) fn finalized(&mut self, now: Timestamp) {
        if let Some(order) = &mut self.order {
            order.is_finalized = true;
            order.rest(now);
            order.since = Some(now);
        }
    }

    /// There is a certificate.
    pub(crate) fn issued(&mut self, life: Life, now: Timestamp) {
        let (failures, is_old) = (self.failures, life.renewal() <= now);
        *self = Self {
            life: Some(life),
            ..Self::default()
        };
        if is_old {
            // Otherwise it would be ordered again and again.
            self.failures = failures;
            let reason = format!(
                "the certificate that the authority has just issued is good from {} until {}, of which two thirds are \
                 over: check the clock of this machine",
                life.from, life.until
            );
            self.refused(&Refusal::over(reason), now);
        }
    }

    /// A step failed.
    pub(crate) fn refused(&mut self, refusal: &Refusal, now: Timestamp) {
        if let Some(order) = &mut self.order
            && matches!(refusal.reach, Reach::One | Reach::Orders)
        {
            order.failures = order.failures.saturating_add(1);
        }
        self.failed(refusal, now);
    }

    fn failed(&mut self, refusal: &Refusal, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.again = Some(now.plus(pause(self.failures, refusal.after)));
        let mut reason = refusal.reason.clone();
        match &mut self.order {
            Some(order) if refusal.is_passing => {
                order.rest(now);
                if order.is_hopeless(now) {
                    reason += "; the order is given up, and the next try places another one";
                    self.order = None;
                }
            }
            _ => self.order = None,
        }
        self.reason = Some(reason);
    }

    /// Forgets the pause: the operator changed something.
    pub(crate) fn hurry(&mut self) {
        self.again = None;
        self.failures = 0;
        self.reason = None;
        if let Some(order) = &mut self.order {
            order.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests;
