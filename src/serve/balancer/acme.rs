//! Orders certificates by ACME for the routes that want them, and renews them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_acme::{Client, Event, Keeper, Kept, Proof, Turn, Vault};
use orchestrator_balancer::Pem;
use orchestrator_model::Timestamp;
use orchestrator_reconcile::driver::{Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{Room, Secret};
use orchestrator_settings::AcmeSettings;
use orchestrator_store::Store;
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

use super::board::{Asked, Board, Shown, challenge, tell};
use crate::serve::Context;
use crate::serve::access::open_room;

/// How often what is due is looked for, also when nothing happened: the clock may have been set.
const PERIOD: Duration = Duration::from_secs(600);

pub(super) fn registration() -> Registration {
    Registration::new("acme", "orders certificates of routes by ACME, and renews them")
        .every(PERIOD)
        .following_settings()
}

pub(super) struct Acme {
    context: Context,
    vault: Arc<Sealed>,
    board: Board,
    asked: watch::Receiver<Asked>,
    running: Option<Running>,
}

/// What works with the present settings. Without an authority, certificates on record are shown, and none is ordered.
struct Running {
    settings: Option<AcmeSettings>,
    keeper: Keeper,
    client: Option<Client>,
}

impl Acme {
    pub(super) fn new(context: &Context, store: &Store, board: &Board) -> Self {
        Self {
            context: context.clone(),
            vault: Arc::new(Sealed {
                context: context.clone(),
                store: store.clone(),
                room: OnceCell::new(),
            }),
            board: board.clone(),
            asked: board.asked.subscribe(),
            running: None,
        }
    }

    /// What works with the present settings. Begins anew with other ones: what failed is tried again at once then, but not
    /// after a restart.
    fn follow(&mut self) -> &mut Running {
        let settings = self.context.settings.get().acme.clone();
        let before = self.running.take();
        let is_first = before.is_none();
        let running = match before.filter(|running| running.settings == settings) {
            Some(running) => running,
            None => begin(settings, is_first, &self.vault),
        };
        self.running.insert(running)
    }

    /// Takes what is due, and returns when the next step is.
    async fn turn(&mut self) -> Option<Timestamp> {
        let asked = self.asked.borrow_and_update().clone();
        let names = asked.hosts.iter().filter(|host| !host.is_wildcard());
        let names: BTreeSet<String> = names.map(ToString::to_string).collect();
        let in_force = in_force(&asked);
        let (clock, vault) = (self.context.clock, self.vault.clone());
        let Running { keeper, client, .. } = self.follow();
        let turn = match client {
            Some(client) => {
                let now = || clock.now();
                keeper.turn(&names, &in_force, client, vault.as_ref(), &now).await
            }
            None => {
                let mut turn = keeper.rest(&names, vault.as_ref(), clock.now()).await;
                for name in names {
                    turn.faults.entry(name).or_insert_with(|| NO_AUTHORITY.to_owned());
                }
                turn
            }
        };
        self.report(&turn);
        tell(&self.board.shown, shown(&turn, &asked));
        turn.next
    }

    fn report(&self, turn: &Turn) {
        for (host, event) in &turn.events {
            let word = match event {
                Event::Ordered => {
                    tracing::info!(host, "ordered a certificate");
                    "ordered"
                }
                Event::Issued(life) => {
                    tracing::info!(host, until = %life.until, renewal = %life.renewal(), "a certificate was issued");
                    "issued"
                }
                Event::Failed(reason) => {
                    tracing::warn!(
                        host,
                        reason,
                        "a certificate was not issued; the next try is after a pause"
                    );
                    "failed"
                }
            };
            self.context.metrics.certificate_by_acme(word);
        }
    }
}

/// What works with these settings.
fn begin(settings: Option<AcmeSettings>, is_first: bool, vault: &Arc<Sealed>) -> Running {
    let directory = settings.as_ref().map(|settings| settings.directory.as_str());
    let directory = directory.unwrap_or_default();
    let keeper = match is_first {
        true => Keeper::new(directory, fits),
        false => Keeper::in_a_hurry(directory, fits),
    };
    let client = settings.as_ref().map(|settings| {
        let (email, trust) = (settings.email.clone(), settings.trust.clone());
        Client::new(&settings.directory, email, trust, vault.clone())
    });
    Running {
        settings,
        keeper,
        client,
    }
}

/// Whether balancers can show a chain with its key.
fn fits(chain: &str, key: &str) -> Result<(), String> {
    Pem::new(chain, key).map(drop).map_err(|fault| fault.to_string())
}

fn in_force(asked: &Asked) -> BTreeSet<Proof> {
    let pairs = asked.in_force.iter().map(|challenge| Proof {
        token: challenge.to_string(),
        answer: challenge.answer().to_owned(),
    });
    pairs.collect()
}

/// The fault of a route with `tls = "acme"` where the settings name no authority.
const NO_AUTHORITY: &str =
    "there is no authority that it could be ordered from: add the section [acme] to the settings";
/// The fault of a wildcard route with `tls = "acme"`.
const WILDCARD: &str = "an authority cannot check a wildcard by HTTP: use \"own-ca\" or files for it";

fn shown(turn: &Turn, asked: &Asked) -> Shown {
    let mut shown = Shown {
        known: asked.hosts.clone(),
        challenges: turn.proofs.iter().filter_map(challenge).collect(),
        ..Shown::default()
    };
    for host in &asked.hosts {
        let name = host.as_str();
        let fault = match host.is_wildcard() {
            true => Some(WILDCARD.to_owned()),
            false => turn.faults.get(name).cloned(),
        };
        shown.faults.extend(fault.map(|fault| (host.clone(), fault)));
        match turn.shown.get(name).map(|kept| pem(kept)) {
            Some(Ok(pem)) => drop(shown.certificates.insert(host.clone(), pem)),
            Some(Err(fault)) => drop(shown.faults.insert(host.clone(), fault)),
            None => {}
        }
    }
    shown
}

fn pem(kept: &Kept) -> Result<Pem, String> {
    let pem = Pem::new(&kept.chain, kept.key());
    pem.map_err(|fault| format!("the certificate of the authority cannot be shown: {fault}"))
}

#[async_trait]
impl Reconciler for Acme {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let next = self.turn().await;
        Ok(match next {
            Some(at) => Next::At(Instant::now() + at.since(self.context.clock.now())),
            None => Next::Wait,
        })
    }

    async fn notified(&mut self) {
        if self.asked.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// The record, as sealed rows.
struct Sealed {
    context: Context,
    store: Store,
    room: OnceCell<Room>,
}

impl Sealed {
    async fn room(&self) -> Result<&Room, String> {
        let room = self
            .room
            .get_or_try_init(|| open_room(&self.context, &self.store))
            .await;
        room.map_err(|fault| with_causes(&fault))
    }
}

#[async_trait]
impl Vault for Sealed {
    async fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        let read = self.room().await?.read(name).await;
        read.map_err(|fault| with_causes(&fault))
    }

    async fn keep(&self, name: &str, secret: &Secret) -> Result<(), String> {
        let kept = self.room().await?.keep(name, secret, self.context.clock.now()).await;
        kept.map_err(|fault| with_causes(&fault))
    }

    async fn forget(&self, name: &str) -> Result<(), String> {
        let forgotten = self.room().await?.forget(name).await;
        forgotten.map(drop).map_err(|fault| with_causes(&fault))
    }
}
