//! The certificates of all names: each turn takes what is due, at most one step of each name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::Timestamp;
use orchestrator_secrets::{Secret, new_private_key, signing_request};

use crate::authority::{Authority, Proof, Refusal};
use crate::chain::read_chain;
use crate::life::Life;
use crate::machine::{Case, Order, Step};
use crate::record::{self, Attempt, Kept, Vault, certificate_row, order_row};

/// Before the next try to read the record.
const RETRY: Duration = Duration::from_secs(5);
/// The longest that a pause on record is believed: the clock may have been set back since.
const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

/// Keeps a certificate for each name that is wanted.
pub struct Keeper {
    directory: String,
    names: BTreeMap<String, Known>,
    /// Whether pauses on record are skipped, once for each name.
    hurries: bool,
    hurried: BTreeSet<String>,
}

/// What is known of a name.
struct Known {
    case: Case,
    kept: Option<Arc<Kept>>,
    /// The key of the order that is under way.
    key: Option<Secret>,
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
    authority: &'t mut dyn Authority,
    vault: &'t dyn Vault,
    now: &'t (dyn Fn() -> Timestamp + Sync),
}

impl Keeper {
    /// Keeps certificates of the authority with this directory.
    pub fn new(directory: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            names: BTreeMap::new(),
            hurries: false,
            hurried: BTreeSet::new(),
        }
    }

    /// The same, and pauses after failures are skipped: the operator changed something.
    pub fn in_a_hurry(directory: &str) -> Self {
        Self {
            hurries: true,
            ..Self::new(directory)
        }
    }

    /// Takes one step for each name that has one due. If a name is new, the turn reads the record of that name and asks no
    /// authority, so that a certificate on record is in the answer at once. Every balancer shows the proofs `in_force`.
    /// Calls of the authority and of the vault take time; each has its own limit.
    pub async fn turn(
        &mut self,
        wanted: &BTreeSet<String>,
        in_force: &BTreeSet<Proof>,
        authority: &mut dyn Authority,
        vault: &dyn Vault,
        now: &(dyn Fn() -> Timestamp + Sync),
    ) -> Turn {
        let mut hands = Hands { authority, vault, now };
        let mut turn = Turn::default();
        let mut unreachable: Option<Refusal> = None;
        self.names.retain(|name, _| wanted.contains(name));
        // Certificates on record are in the answer before the authority is asked.
        let mut is_new = false;
        for name in wanted {
            if self.names.contains_key(name) {
                continue;
            }
            match self.load(name, &hands).await {
                Ok(known) => {
                    is_new = true;
                    self.names.insert(name.clone(), known);
                }
                Err(reason) => {
                    let fault = format!("its certificate cannot be read: {reason}");
                    turn.faults.insert(name.clone(), fault);
                    turn.due(now().plus(RETRY));
                }
            }
        }
        for (name, known) in &mut self.names {
            let step = known.case.next(now(), in_force);
            if !is_new && !matches!(step, Step::Wait(_)) {
                let event = known
                    .advance(name, step, &self.directory, &mut unreachable, &mut hands)
                    .await;
                turn.events.extend(event.map(|event| (name.clone(), event)));
            }
            turn.add(name, known, now(), in_force);
        }
        turn
    }

    /// What is on record of a name.
    async fn load(&mut self, name: &str, hands: &Hands<'_>) -> Result<Known, String> {
        let now = (hands.now)();
        let kept: Option<Kept> = record::read(hands.vault, &certificate_row(name)).await?;
        let attempt: Option<Attempt> = record::read(hands.vault, &order_row(name)).await?;
        let read = kept.map(|kept| (read_chain(&kept.chain, kept.key(), name), kept));
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
        let Some(attempt) = attempt else { return Ok(known) };
        if known.case.next(now, &BTreeSet::new()) != Step::Place {
            // It was interrupted after its certificate was kept.
            known.forget_order(name, hands.vault).await;
        } else if attempt.directory == self.directory {
            known.key = attempt.key();
            let case = &mut known.case;
            case.failures = attempt.failures;
            case.again = attempt.again().map(|again| again.min(now.plus(LONGEST_PAUSE)));
            case.reason = attempt.reason;
            case.order = attempt
                .order
                .filter(|_| known.key.is_some())
                .map(|url| Order::known(url, now));
            if self.hurries && self.hurried.insert(name.to_owned()) {
                case.hurry();
            }
        }
        Ok(known)
    }
}

impl Known {
    /// Takes a step, and records what becomes of it.
    async fn advance(
        &mut self,
        name: &str,
        step: Step,
        directory: &str,
        unreachable: &mut Option<Refusal>,
        hands: &mut Hands<'_>,
    ) -> Option<Event> {
        let before = self.case.failures;
        let taken = match &*unreachable {
            Some(refusal) => Err(refusal.clone()),
            None => self.take(name, step, directory, hands).await,
        };
        let event = match taken {
            Ok(event) => event,
            Err(refusal) => {
                self.case.refused(&refusal, (hands.now)());
                if refusal.is_unreachable {
                    *unreachable = Some(refusal);
                }
                None
            }
        };
        if self.case.failures <= before {
            return event;
        }
        if self.case.order.is_none() {
            self.key = None;
        }
        if let Err(reason) = self.record(name, directory, hands.vault).await {
            tracing::warn!(
                name,
                reason,
                "a failed order cannot be recorded: a restart would try again at once"
            );
        }
        Some(Event::Failed(self.case.reason.clone().unwrap_or_default()))
    }

    async fn take(
        &mut self,
        name: &str,
        step: Step,
        directory: &str,
        hands: &mut Hands<'_>,
    ) -> Result<Option<Event>, Refusal> {
        let order = self.case.order.as_ref().map(|order| order.url.clone());
        let now = hands.now;
        match (step, order) {
            (Step::Place, _) => {
                let key = new_private_key().map_err(|fault| passing(fault.to_string()))?;
                let url = hands.authority.place(name).await?;
                self.case.placed(url, now());
                self.key = Some(key);
                self.record(name, directory, hands.vault).await.map_err(passing)?;
                Ok(Some(Event::Ordered))
            }
            (Step::Look, Some(order)) => {
                let standing = hands.authority.look(&order).await?;
                self.case.looked(standing, now());
                Ok(None)
            }
            (Step::Answer, Some(order)) => {
                hands.authority.answer(&order).await?;
                self.case.answered(now());
                Ok(None)
            }
            (Step::Finalize, Some(order)) => {
                // The key is on record before there may be a certificate for it.
                self.record(name, directory, hands.vault).await.map_err(passing)?;
                let request = match &self.key {
                    Some(key) => signing_request(key, name).map_err(|fault| over(fault.to_string()))?,
                    None => return Err(over("the key of the order is lost".to_owned())),
                };
                hands.authority.finalize(&order, &request).await?;
                self.case.finalized(now());
                Ok(None)
            }
            (Step::Fetch, Some(order)) => {
                let chain = hands.authority.fetch(&order).await?;
                self.accept(name, chain, directory, hands).await
            }
            _ => Ok(None),
        }
    }

    /// Keeps a chain that the authority sent.
    async fn accept(
        &mut self,
        name: &str,
        chain: String,
        directory: &str,
        hands: &Hands<'_>,
    ) -> Result<Option<Event>, Refusal> {
        if self.kept.as_ref().is_some_and(|kept| kept.chain == chain) {
            // An order that was interrupted after its certificate was kept, long ago.
            self.forget_order(name, hands.vault).await;
            return Ok(None);
        }
        let key = self.key.as_ref().and_then(Secret::expose_text).unwrap_or_default();
        let life = read_chain(&chain, key, name)
            .map_err(|fault| over(format!("the certificate of the authority cannot be used: {fault}")))?;
        let kept = Kept::new(directory, chain, key);
        let row = certificate_row(name);
        record::keep(hands.vault, &row, &kept).await.map_err(passing)?;
        self.kept = Some(Arc::new(kept));
        self.case.issued(life, (hands.now)());
        if self.case.reason.is_none() {
            self.forget_order(name, hands.vault).await;
        }
        Ok(Some(Event::Issued(life)))
    }

    async fn record(&self, name: &str, directory: &str, vault: &dyn Vault) -> Result<(), String> {
        let attempt = Attempt::new(directory, &self.case, self.key.as_ref());
        record::keep(vault, &order_row(name), &attempt).await
    }

    async fn forget_order(&mut self, name: &str, vault: &dyn Vault) {
        self.case.order = None;
        self.key = None;
        if let Err(reason) = vault.forget(&order_row(name)).await {
            // The next start forgets it.
            tracing::warn!(
                name,
                reason,
                "an order that is complete cannot be removed from the record"
            );
        }
    }
}

impl Turn {
    fn due(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn add(&mut self, name: &str, known: &Known, now: Timestamp, in_force: &BTreeSet<Proof>) {
        match known.case.next(now, in_force) {
            Step::Wait(None) => {}
            Step::Wait(Some(at)) => self.due(at),
            _ => self.due(now),
        }
        self.proofs.extend(known.case.proofs().cloned());
        if let Some(fault) = known.case.fault() {
            self.faults.insert(name.to_owned(), fault);
        }
        if let Some(kept) = &known.kept {
            self.shown.insert(name.to_owned(), kept.clone());
        }
    }
}

/// Our own side failed: the order may go on later.
fn passing(reason: String) -> Refusal {
    Refusal {
        reason,
        is_passing: true,
        is_unreachable: false,
        after: None,
    }
}

fn over(reason: String) -> Refusal {
    Refusal {
        is_passing: false,
        ..passing(reason)
    }
}
