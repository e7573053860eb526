//! An authority and a record in memory, on a clock that stands still, which end with the daemon on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_acme::{Authority, Keeper, Proof, Refusal, Standing, Turn, Vault};
use orchestrator_model::Timestamp;
use orchestrator_secrets::Secret;
use rcgen::{CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair};
use time::OffsetDateTime;

/// The beginning: whole seconds, as certificates have them.
pub(crate) const BEGIN: i64 = 1_800_000_000_000;
pub(crate) const DIRECTORY: &str = "https://ca.example/directory";
pub(crate) const LIFE: Duration = Duration::from_secs(90 * 86_400);

/// When the daemon ends: at which call, and whether that call took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) call: usize,
    pub(crate) is_done: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) orders: Vec<Order>,
    pub(crate) issued: usize,
    /// What the balancers show.
    pub(crate) shown: BTreeSet<Proof>,
    pub(crate) is_down: bool,
    /// Names that are refused.
    pub(crate) refused: BTreeSet<String>,
    /// The name in certificates, in place of the one that was ordered.
    pub(crate) wrong_name: Option<String>,
    pub(crate) after: Option<Duration>,
    /// Calls that are refused: the call, the name or the order, and how.
    pub(crate) refusals: Vec<(&'static str, String, Refusal)>,
    /// Whether the authority takes its time: to check a proof, and to make a certificate.
    pub(crate) is_slow: bool,
    /// The chain that is sent, in place of the new one.
    pub(crate) repeated: Option<String>,
    /// Whether what is issued cannot be shown.
    pub(crate) is_unfit: bool,
    /// How long each question takes.
    pub(crate) duration: Duration,
    pub(crate) asked: usize,
    /// The names and orders of which the authority was asked.
    pub(crate) subjects: Vec<String>,
}

pub(crate) struct Order {
    standing: Standing,
    chain: String,
}

/// How a chain begins that no balancer can show.
const UNFIT: &str = "# unfit\n";

/// What the balancers of these tests can show.
fn fits(chain: &str, _key: &str) -> Result<(), String> {
    match chain.starts_with(UNFIT) {
        true => Err("it is unfit".to_owned()),
        false => Ok(()),
    }
}

pub(crate) fn fresh() -> Keeper {
    Keeper::new(DIRECTORY, fits)
}

pub(crate) fn hurried(directory: &str) -> Keeper {
    Keeper::in_a_hurry(directory, fits)
}

pub(crate) struct World {
    pub(crate) state: Mutex<State>,
    pub(crate) rows: Mutex<BTreeMap<String, Secret>>,
    now: AtomicI64,
    pub(crate) calls: AtomicUsize,
    pub(crate) end: Mutex<Option<End>>,
    /// Rows that cannot be read.
    pub(crate) unreadable: Mutex<BTreeSet<String>>,
    /// Rows that cannot be written or removed.
    pub(crate) unwritable: Mutex<BTreeSet<String>>,
    issuer: Issuer<'static, KeyPair>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
        Arc::new(Self {
            state: Mutex::default(),
            rows: Mutex::default(),
            now: AtomicI64::new(BEGIN),
            calls: AtomicUsize::new(0),
            end: Mutex::new(None),
            unreadable: Mutex::default(),
            unwritable: Mutex::default(),
            issuer,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn wait_until(&self, at: Timestamp) {
        self.now.fetch_max(at.0, Ordering::Relaxed);
    }

    /// One turn. The balancers show what they are asked for after it, unless they do not follow.
    pub(crate) async fn turn(self: &Arc<Self>, keeper: &mut Keeper, names: &[&str], follows: bool) -> Turn {
        let wanted = names.iter().map(|name| (*name).to_owned()).collect();
        let in_force = self.state.lock().unwrap().shown.clone();
        let mut authority = Far(self.clone());
        let turn = keeper
            .turn(&wanted, &in_force, &mut authority, self.as_ref(), &|| self.now())
            .await;
        if follows {
            self.state.lock().unwrap().shown = turn.proofs.clone();
        }
        turn
    }

    /// Reads what is on record, and takes the first step.
    pub(crate) async fn begin(self: &Arc<Self>, keeper: &mut Keeper, names: &[&str]) -> Turn {
        let asked = self.state.lock().unwrap().asked;
        self.turn(keeper, names, true).await;
        assert_eq!(
            self.state.lock().unwrap().asked,
            asked,
            "nobody is asked in the first turn"
        );
        self.turn(keeper, names, true).await
    }

    /// Turns until nothing is due before `until`.
    pub(crate) async fn run(self: &Arc<Self>, keeper: &mut Keeper, names: &[&str], until: Timestamp) -> Turn {
        for _ in 0..1000 {
            let before = self.state.lock().unwrap().shown.clone();
            let turn = self.turn(keeper, names, true).await;
            let is_new = self.state.lock().unwrap().shown != before;
            match turn.next {
                _ if is_new => {}
                Some(next) if next <= until => self.wait_until(next),
                _ => return turn,
            }
        }
        panic!("it does not come to rest");
    }

    /// A turn without an authority.
    pub(crate) async fn rest(self: &Arc<Self>, keeper: &mut Keeper, names: &[&str]) -> Turn {
        let wanted = names.iter().map(|name| (*name).to_owned()).collect();
        keeper.rest(&wanted, self.as_ref(), self.now()).await
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.now
            .fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn check_writable(&self, name: &str) -> Result<(), String> {
        match self.unwritable.lock().unwrap().contains(name) {
            true => Err("the disk is full".to_owned()),
            false => Ok(()),
        }
    }

    /// Counts a call. `Err` when the daemon ends before it, or with it.
    fn call<T>(&self, effect: impl FnOnce() -> T) -> Option<T> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match *self.end.lock().unwrap() {
            Some(end) if call > end.call || (call == end.call && !end.is_done) => None,
            Some(end) if call == end.call => {
                effect();
                None
            }
            _ => Some(effect()),
        }
    }
}

#[async_trait]
impl Vault for World {
    async fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        if self.unreadable.lock().unwrap().contains(name) {
            return Err("it does not open".to_owned());
        }
        let read = self.call(|| self.rows.lock().unwrap().get(name).cloned());
        read.ok_or_else(|| "ended".to_owned())
    }

    async fn keep(&self, name: &str, secret: &Secret) -> Result<(), String> {
        self.check_writable(name)?;
        let keep = || drop(self.rows.lock().unwrap().insert(name.to_owned(), secret.clone()));
        self.call(keep).ok_or_else(|| "ended".to_owned())
    }

    async fn forget(&self, name: &str) -> Result<(), String> {
        self.check_writable(name)?;
        let forget = || drop(self.rows.lock().unwrap().remove(name));
        self.call(forget).ok_or_else(|| "ended".to_owned())
    }
}

/// The authority of a world.
struct Far(Arc<World>);

impl Far {
    fn ask<T>(
        &self,
        call: &str,
        subject: &str,
        effect: impl FnOnce(&mut State) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let answered = self.0.call(|| {
            let mut state = self.0.state.lock().unwrap();
            state.asked += 1;
            self.0.wait_until(self.0.now().plus(state.duration));
            state.subjects.push(subject.to_owned());
            if state.is_down {
                return Err(Refusal {
                    after: state.after,
                    ..Refusal::passing("no answer").of_all()
                });
            }
            let mut refusals = state.refusals.iter();
            match refusals.find(|(of, about, _)| *of == call && about == subject) {
                Some((.., refusal)) => Err(refusal.clone()),
                None => effect(&mut state),
            }
        });
        answered.unwrap_or_else(|| Err(Refusal::passing("ended")))
    }
}

fn at<'s>(state: &'s mut State, url: &str) -> Result<&'s mut Order, Refusal> {
    let number: usize = url.parse().unwrap();
    state
        .orders
        .get_mut(number)
        .ok_or_else(|| Refusal::over("no such order"))
}

/// Checks the proofs of an order that was answered, and completes what is being made.
fn decide(state: &mut State, url: &str) -> Result<(), Refusal> {
    let shown = state.shown.clone();
    let order = at(state, url)?;
    order.standing = match &order.standing {
        Standing::Pending {
            proofs,
            is_answered: true,
        } => match proofs.is_subset(&shown) {
            true => Standing::Ready,
            false => Standing::Invalid("the proof is not there".to_owned()),
        },
        Standing::Processing => Standing::Valid,
        other => other.clone(),
    };
    Ok(())
}

#[async_trait]
impl Authority for Far {
    async fn place(&mut self, name: &str) -> Result<String, Refusal> {
        self.ask("place", name, |state| {
            if state.refused.contains(name) {
                return Err(Refusal::over("the name is refused"));
            }
            let number = state.orders.len();
            let proof = Proof {
                token: format!("token-{number}"),
                answer: format!("token-{number}.print"),
            };
            state.orders.push(Order {
                standing: Standing::Pending {
                    proofs: BTreeSet::from([proof]),
                    is_answered: false,
                },
                chain: String::new(),
            });
            Ok(number.to_string())
        })
    }

    async fn look(&mut self, order: &str) -> Result<Standing, Refusal> {
        self.ask("look", order, |state| {
            if !state.is_slow {
                decide(state, order)?;
            }
            Ok(at(state, order)?.standing.clone())
        })
    }

    async fn answer(&mut self, order: &str) -> Result<(), Refusal> {
        self.ask("answer", order, |state| {
            if let Standing::Pending { is_answered, .. } = &mut at(state, order)?.standing {
                *is_answered = true;
            }
            match state.is_slow {
                true => Ok(()),
                false => decide(state, order),
            }
        })
    }

    async fn finalize(&mut self, order: &str, request: &[u8]) -> Result<(), Refusal> {
        let now = self.0.now();
        self.ask("finalize", order, |state| {
            let wrong = state.wrong_name.clone();
            let (is_slow, begin) = (state.is_slow, if state.is_unfit { UNFIT } else { "" });
            let order = at(state, order)?;
            if order.standing != Standing::Ready {
                return Err(Refusal::over("the order is not ready"));
            }
            let mut request = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
            let moment = |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.0 / 1000).unwrap();
            request.params.not_before = moment(now);
            request.params.not_after = moment(now.plus(LIFE));
            if let Some(name) = wrong {
                request.params.subject_alt_names = CertificateParams::new(vec![name]).unwrap().subject_alt_names;
            }
            order.chain = format!("{begin}{}", request.signed_by(&self.0.issuer).unwrap().pem());
            order.standing = if is_slow { Standing::Processing } else { Standing::Valid };
            state.issued += 1;
            Ok(())
        })
    }

    async fn fetch(&mut self, order: &str) -> Result<String, Refusal> {
        self.ask("fetch", order, |state| {
            let chain = at(state, order)?.chain.clone();
            Ok(state.repeated.clone().unwrap_or(chain))
        })
    }
}
