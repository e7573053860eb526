//! The certificates of all names: each turn takes what is due, at most one step of each name.

mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::Timestamp;

use crate::authority::{Authority, Proof, Reach, Refusal};
use crate::chain::read_chain;
use crate::life::Life;
use crate::machine::{Case, Step};
use crate::record::{self, Attempt, Kept, Vault, certificate_row, order_row};
use known::Known;

/// Before the next try to read the record.
const RETRY: Duration = Duration::from_secs(5);
/// The most questions to the authority in a turn. What a turn comes to is known only at its end.
const MOST_STEPS: usize = 8;

/// Says whether balancers can show a chain with its key, both in PEM; if not, why not.
pub type Fits = fn(chain: &str, key: &str) -> Result<(), String>;

/// Keeps a certificate for each name that is wanted.
pub struct Keeper {
    directory: String,
    fits: Fits,
    names: BTreeMap<String, Known>,
    /// The name for which the authority was asked last. The others come before it in the next turn.
    last: Option<String>,
    /// Whether pauses on record are skipped, once for each name.
    hurries: bool,
    hurried: BTreeSet<String>,
}

/// What happened to a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A certificate was ordered.
    Ordered,
    /// A certificate was issued, and is kept.
    Issued(Life),
    /// A step failed, and why.
    Failed(String),
}

/// What a turn has come to.
#[derive(Debug, Default)]
pub struct Turn {
    /// The certificates that are there.
    pub shown: BTreeMap<String, Arc<Kept>>,
    /// What every balancer is to show.
    pub proofs: BTreeSet<Proof>,
    /// What is missing or wrong, by name.
    pub faults: BTreeMap<String, String>,
    /// When the next step is due, if nothing happens before.
    pub next: Option<Timestamp>,
    /// What happened.
    pub events: Vec<(String, Event)>,
}

/// What a turn works with.
struct Hands<'t> {
    directory: &'t str,
    fits: Fits,
    authority: &'t mut dyn Authority,
    vault: &'t dyn Vault,
    now: &'t (dyn Fn() -> Timestamp + Sync),
}

/// A name whose record cannot be read.
struct Unread {
    reason: String,
    /// Its certificate, if that can be.
    kept: Option<Arc<Kept>>,
}

impl Keeper {
    /// Keeps certificates of the authority with this directory, as far as balancers can show them.
    pub fn new(directory: &str, fits: Fits) -> Self {
        Self {
            directory: directory.to_owned(),
            fits,
            names: BTreeMap::new(),
            last: None,
            hurries: false,
            hurried: BTreeSet::new(),
        }
    }

    /// The same, and pauses after failures are skipped: the operator changed something.
    pub fn in_a_hurry(directory: &str, fits: Fits) -> Self {
        Self {
            hurries: true,
            ..Self::new(directory, fits)
        }
    }

    /// Takes one step for each name that has one due, up to a number of steps: the rest is due at once. If a name is new,
    /// the turn reads the record of that name and asks no authority, so that a certificate on record is in the answer at
    /// once. Every balancer shows the proofs `in_force`. Calls of the authority and of the vault take time; each has its
    /// own limit.
    pub async fn turn(
        &mut self,
        wanted: &BTreeSet<String>,
        in_force: &BTreeSet<Proof>,
        authority: &mut dyn Authority,
        vault: &dyn Vault,
        now: &(dyn Fn() -> Timestamp + Sync),
    ) -> Turn {
        let mut turn = Turn::default();
        // Certificates on record are in the answer before the authority is asked.
        if !self.read(wanted, vault, now(), &mut turn).await {
            let directory = self.directory.clone();
            let mut hands = Hands {
                directory: &directory,
                fits: self.fits,
                authority,
                vault,
                now,
            };
            turn.events = self.step(in_force, &mut hands).await;
        }
        for (name, known) in &self.names {
            turn.add(name, known, now(), in_force);
        }
        turn
    }

    /// A turn without an authority: it reads what is on record, and takes no step.
    pub async fn rest(&mut self, wanted: &BTreeSet<String>, vault: &dyn Vault, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        self.read(wanted, vault, now, &mut turn).await;
        for (name, known) in &self.names {
            turn.show(name, known);
        }
        turn
    }

    /// Takes the steps that are due.
    async fn step(&mut self, in_force: &BTreeSet<Proof>, hands: &mut Hands<'_>) -> Vec<(String, Event)> {
        let mut events = Vec::new();
        let mut refusals: Vec<Refusal> = Vec::new();
        let mut asked = 0;
        for name in self.due((hands.now)(), in_force) {
            let Some(known) = self.names.get_mut(&name) else {
                continue;
            };
            let step = known.case.next((hands.now)(), in_force);
            let refused = refusals.iter().find(|refusal| match refusal.reach {
                Reach::All => true,
                Reach::Orders => step == Step::Place,
                Reach::Ours | Reach::One => false,
            });
            if refused.is_none() {
                if asked == MOST_STEPS {
                    continue;
                }
                asked += 1;
                self.last = Some(name.clone());
            }
            let refused = refused.cloned();
            let is_asked = refused.is_none();
            let (event, refusal) = known.advance(&name, step, refused, hands).await;
            events.extend(event.map(|event| (name, event)));
            if is_asked && let Some(mut refusal) = refusal {
                if refusal.reach == Reach::Orders {
                    // How long to wait may be about this name alone.
                    refusal.after = None;
                }
                refusals.push(refusal);
            }
        }
        events
    }

    /// The names with a step that is due. Orders that are under way come before those that are still to be placed. Among
    /// each, the name that was asked for last comes last, so that no name holds up the others for ever.
    fn due(&self, now: Timestamp, in_force: &BTreeSet<Proof>) -> Vec<String> {
        let mut names: Vec<&String> = self.names.keys().collect();
        let first = names.partition_point(|name| Some(*name) <= self.last.as_ref());
        names.rotate_left(first);
        let next = |name: &&String| self.names.get(*name).map(|known| known.case.next(now, in_force));
        names.retain(|name| !matches!(next(name), None | Some(Step::Wait(_))));
        names.sort_by_key(|name| next(name) == Some(Step::Place));
        names.into_iter().cloned().collect()
    }

    /// Reads the record of the names that are new, and forgets those that are not wanted. Returns whether one is new.
    async fn read(&mut self, wanted: &BTreeSet<String>, vault: &dyn Vault, now: Timestamp, turn: &mut Turn) -> bool {
        self.names.retain(|name, _| wanted.contains(name));
        let mut is_new = false;
        for name in wanted {
            if self.names.contains_key(name) {
                continue;
            }
            match self.load(name, vault, now).await {
                Ok(known) => {
                    is_new = true;
                    self.names.insert(name.clone(), known);
                }
                Err(Unread { reason, kept }) => {
                    // The certificate is shown all the same, and no step is taken without the order.
                    turn.shown.extend(kept.map(|kept| (name.clone(), kept)));
                    let fault = format!("its certificate cannot be read: {reason}");
                    turn.faults.insert(name.clone(), fault);
                    turn.due(now.plus(RETRY));
                }
            }
        }
        is_new
    }

    /// What is on record of a name.
    async fn load(&mut self, name: &str, vault: &dyn Vault, now: Timestamp) -> Result<Known, Unread> {
        let unread = |reason| Unread { reason, kept: None };
        let kept: Option<Kept> = record::read(vault, &certificate_row(name)).await.map_err(unread)?;
        let attempt: Result<Option<Attempt>, String> = record::read(vault, &order_row(name)).await;
        let read = kept.map(|kept| {
            let life = read_chain(&kept.chain, kept.key(), name);
            let fits = life.and_then(|life| (self.fits)(&kept.chain, kept.key()).map(|()| life));
            (fits, kept)
        });
        let (life, kept) = match read {
            Some((Ok(life), kept)) => (Some(life), Some(kept)),
            Some((Err(fault), _)) => {
                tracing::warn!(
                    name,
                    fault,
                    "the certificate on record cannot be used, and is ordered anew"
                );
                (None, None)
            }
            None => (None, None),
        };
        let mut known = Known {
            case: Case {
                life,
                is_foreign: kept.as_ref().is_some_and(|kept| kept.directory != self.directory),
                ..Case::default()
            },
            kept: kept.map(Arc::new),
            key: None,
        };
        let attempt = attempt.map_err(|reason| Unread {
            reason,
            kept: known.kept.clone(),
        })?;
        let Some(attempt) = attempt else { return Ok(known) };
        if known.case.next(now, &BTreeSet::new()) != Step::Place {
            // It was interrupted after its certificate was kept.
            known.forget_order(name, vault).await;
        } else if attempt.directory == self.directory {
            known.key = attempt.key();
            let case = &mut known.case;
            case.failures = attempt.failures;
            case.again = attempt.again();
            case.order = attempt.order(now).filter(|_| known.key.is_some());
            case.reason = attempt.reason;
            if self.hurries && self.hurried.insert(name.to_owned()) {
                case.hurry();
            }
        }
        Ok(known)
    }
}

impl Turn {
    fn due(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn show(&mut self, name: &str, known: &Known) {
        if let Some(kept) = &known.kept {
            self.shown.insert(name.to_owned(), kept.clone());
        }
    }

    fn add(&mut self, name: &str, known: &Known, now: Timestamp, in_force: &BTreeSet<Proof>) {
        match known.case.next(now, in_force) {
            Step::Wait(at) => self.due(at),
            _ => self.due(now),
        }
        self.proofs.extend(known.case.proofs().cloned());
        if let Some(fault) = known.case.fault() {
            self.faults.insert(name.to_owned(), fault);
        }
        self.show(name, known);
    }
}
