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
//!   any ── refused ──▶ the same after a pause; or, where the order is over, idle after a pause
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_model::Timestamp;

use crate::authority::{Proof, Refusal, Standing};
use crate::life::{Life, pause};

/// How long an authority may take to look, and to make a certificate.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two questions how far an order is: at first, and at most.
const POLL: Duration = Duration::from_secs(1);
const LONGEST_POLL: Duration = Duration::from_secs(30);

/// The certificate that is there, and what is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Case {
    /// The life of the certificate that is there; `None` without one.
    pub(crate) life: Option<Life>,
    /// Whether it is of another authority than the one that is asked now.
    pub(crate) is_foreign: bool,
    /// How often the present attempt failed.
    pub(crate) failures: u32,
    /// Not before this moment anything is done.
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
    stage: Stage,
    /// Since when the authority is waited for.
    since: Option<Timestamp>,
    polls: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Look(Timestamp),
    Prove(BTreeSet<Proof>),
    /// The authority looks; what it looks for is shown meanwhile.
    Proven(BTreeSet<Proof>, Timestamp),
    Finalize,
    Fetch,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before this moment, or before something happens.
    Wait(Option<Timestamp>),
    Place,
    Look,
    Answer,
    Finalize,
    Fetch,
}

impl Order {
    /// An order of which only the URL is known.
    pub(crate) fn known(url: String, now: Timestamp) -> Self {
        Self {
            url,
            stage: Stage::Look(now),
            since: None,
            polls: 0,
        }
    }

    /// Asks again after a pause, which grows.
    fn poll_at(&mut self, now: Timestamp) -> Timestamp {
        let wait = POLL.saturating_mul(1 << self.polls.min(8)).min(LONGEST_POLL);
        self.polls += 1;
        self.since.get_or_insert(now);
        now.plus(wait)
    }

    /// Whether the authority was waited for long enough.
    fn is_stuck(&self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now >= since.plus(PATIENCE))
    }
}

impl Case {
    /// What is due. `in_force` is what every balancer shows.
    pub(crate) fn next(&self, now: Timestamp, in_force: &BTreeSet<Proof>) -> Step {
        if let Some(again) = self.again.filter(|again| *again > now) {
            return Step::Wait(Some(again));
        }
        let Some(order) = &self.order else {
            let due = self.life.filter(|_| !self.is_foreign).map(Life::renewal);
            return match due.filter(|due| *due > now) {
                Some(due) => Step::Wait(Some(due)),
                None => Step::Place,
            };
        };
        match &order.stage {
            Stage::Look(at) | Stage::Proven(_, at) if *at > now => Step::Wait(Some(*at)),
            Stage::Look(_) | Stage::Proven(..) => Step::Look,
            Stage::Prove(proofs) if proofs.is_subset(in_force) => Step::Answer,
            Stage::Prove(_) => Step::Wait(None),
            Stage::Finalize => Step::Finalize,
            Stage::Fetch => Step::Fetch,
        }
    }

    /// What is to be shown.
    pub(crate) fn proofs(&self) -> impl Iterator<Item = &Proof> {
        let stage = self.order.as_ref().map(|order| &order.stage);
        let proofs = match stage {
            Some(Stage::Prove(proofs) | Stage::Proven(proofs, _)) => Some(proofs),
            _ => None,
        };
        proofs.into_iter().flatten()
    }

    /// Why there is no certificate, or why it is not renewed; `None` if all is well.
    pub(crate) fn fault(&self) -> Option<String> {
        let stage = self.order.as_ref().map(|order| &order.stage);
        match (&self.reason, stage) {
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
        self.order = Some(Order::known(url, now));
    }

    /// The authority said how far the order is.
    pub(crate) fn looked(&mut self, standing: Standing, now: Timestamp) {
        let Some(order) = &mut self.order else { return };
        match standing {
            Standing::Invalid(reason) => self.refused(&over(reason), now),
            Standing::Ready => order.stage = Stage::Finalize,
            Standing::Valid => order.stage = Stage::Fetch,
            Standing::Pending {
                proofs,
                is_answered: false,
            } if order.since.is_none() => order.stage = Stage::Prove(proofs),
            Standing::Pending { .. } | Standing::Processing if order.is_stuck(now) => {
                let reason = format!("the authority did not decide within {} s", PATIENCE.as_secs());
                self.refused(&over(reason), now)
            }
            Standing::Pending { proofs, .. } => {
                let at = order.poll_at(now);
                order.stage = Stage::Proven(proofs, at);
            }
            Standing::Processing => {
                let at = order.poll_at(now);
                order.stage = Stage::Look(at);
            }
        }
    }

    /// We have asked the authority to check the proofs.
    pub(crate) fn answered(&mut self, now: Timestamp) {
        let Some(order) = &mut self.order else { return };
        let at = order.poll_at(now);
        order.stage = match &order.stage {
            Stage::Prove(proofs) => Stage::Proven(proofs.clone(), at),
            _ => Stage::Look(at),
        };
    }

    /// The authority has the signing request.
    pub(crate) fn finalized(&mut self, now: Timestamp) {
        let Some(order) = &mut self.order else { return };
        // A new wait begins.
        order.since = Some(now);
        order.polls = 0;
        order.stage = Stage::Look(now);
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
            self.refused(&over(reason), now);
        }
    }

    /// A step failed.
    pub(crate) fn refused(&mut self, refusal: &Refusal, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.again = Some(now.plus(pause(self.failures, refusal.after)));
        self.reason = Some(refusal.reason.clone());
        match &mut self.order {
            Some(order) if refusal.is_passing => *order = Order::known(order.url.clone(), now),
            _ => self.order = None,
        }
    }

    /// Forgets the pause: the operator changed something.
    pub(crate) fn hurry(&mut self) {
        self.again = None;
        self.failures = 0;
        self.reason = None;
    }
}

fn over(reason: String) -> Refusal {
    Refusal {
        reason,
        is_passing: false,
        is_unreachable: false,
        after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn proofs() -> BTreeSet<Proof> {
        BTreeSet::from([Proof {
            token: "a".to_owned(),
            answer: "a.b".to_owned(),
        }])
    }

    fn pending() -> Standing {
        Standing::Pending {
            proofs: proofs(),
            is_answered: false,
        }
    }

    fn passing(after: Option<Duration>) -> Refusal {
        Refusal {
            reason: "no answer".to_owned(),
            is_passing: true,
            is_unreachable: true,
            after,
        }
    }

    fn placed() -> Case {
        let mut case = Case::default();
        assert_eq!(case.next(NOW, &BTreeSet::new()), Step::Place);
        case.placed("u".to_owned(), NOW);
        case
    }

    #[test]
    fn an_order_is_answered_only_once_its_proof_is_in_force() {
        let none = BTreeSet::new();
        let mut case = placed();
        assert_eq!(case.next(NOW, &none), Step::Look);
        case.looked(pending(), NOW);
        assert_eq!(case.next(after(3600), &none), Step::Wait(None));
        assert!(case.fault().unwrap().contains("every balancer"));
        assert_eq!(case.proofs().count(), 1);
        assert_eq!(case.next(NOW, &proofs()), Step::Answer);
        case.answered(NOW);
        assert_eq!(case.proofs().count(), 1, "it is shown while the authority looks");
        assert_eq!(case.next(NOW, &proofs()), Step::Wait(Some(after(1))));
        assert_eq!(case.next(after(1), &proofs()), Step::Look);
        case.looked(Standing::Ready, after(1));
        assert_eq!(case.next(after(1), &none), Step::Finalize);
        case.finalized(after(1));
        assert_eq!(case.next(after(1), &none), Step::Look);
        case.looked(Standing::Valid, after(1));
        assert_eq!(case.next(after(1), &none), Step::Fetch);
        let life = Life {
            from: NOW,
            until: after(90),
        };
        case.issued(life, after(2));
        assert_eq!((case.fault(), case.proofs().count()), (None, 0));
        assert_eq!(case.next(after(59), &none), Step::Wait(Some(after(60))));
        assert_eq!(case.next(after(60), &none), Step::Place);
    }

    #[test]
    fn an_authority_that_does_not_decide_is_asked_ever_less_and_given_up() {
        let mut case = placed();
        case.looked(pending(), NOW);
        case.answered(NOW);
        let (mut now, mut questions) = (NOW, 0);
        while case.order.is_some() {
            match case.next(now, &proofs()) {
                Step::Wait(Some(at)) => now = at,
                Step::Look => {
                    questions += 1;
                    case.looked(pending(), now);
                }
                step => panic!("{step:?}"),
            }
        }
        assert!((10..20).contains(&questions), "{questions}");
        assert!(now >= after(300) && now <= after(330));
        assert!(case.fault().unwrap().contains("did not decide within 300 s"));
        assert_eq!(
            case.next(now, &proofs()),
            Step::Wait(Some(now.plus(Duration::from_secs(60))))
        );
    }

    #[test]
    fn what_passes_is_taken_up_again_and_what_is_over_is_ordered_anew() {
        let mut case = placed();
        case.refused(&passing(Some(Duration::from_secs(100))), NOW);
        assert_eq!(case.next(after(99), &proofs()), Step::Wait(Some(after(100))));
        assert_eq!(case.next(after(100), &proofs()), Step::Look, "the same order");
        case.looked(Standing::Invalid("no such name".to_owned()), after(100));
        assert_eq!(
            case.next(after(399), &proofs()),
            Step::Wait(Some(after(400))),
            "the second pause"
        );
        assert_eq!(case.next(after(400), &proofs()), Step::Place);
        assert!(case.fault().unwrap().contains("no such name (failed 2 times"));
        case.hurry();
        assert_eq!(case.next(after(101), &proofs()), Step::Place);
    }

    #[test]
    fn a_certificate_that_comes_old_does_not_make_one_order_after_the_other() {
        let mut case = placed();
        let life = Life {
            from: NOW.minus(Duration::from_secs(900)),
            until: after(10),
        };
        let mut now = NOW;
        for pause in [60, 300, 900, 3600, 3600] {
            case.issued(life, now);
            assert!(case.fault().unwrap().contains("check the clock"));
            let due = now.plus(Duration::from_secs(pause));
            assert_eq!(case.next(now, &proofs()), Step::Wait(Some(due)));
            now = due;
            assert_eq!(case.next(now, &proofs()), Step::Place);
            case.placed("u".to_owned(), now);
        }
    }

    #[test]
    fn a_certificate_of_another_authority_is_replaced_and_shown_until_then() {
        let case = Case {
            life: Some(Life {
                from: NOW,
                until: after(1000),
            }),
            is_foreign: true,
            ..Case::default()
        };
        assert_eq!(case.next(NOW, &BTreeSet::new()), Step::Place);
        assert_eq!(case.fault(), None);
    }
}
