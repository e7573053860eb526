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
    /// Whether there were other settings before.
    was_set: bool,
}

/// What works with the present settings.
struct Running {
    settings: AcmeSettings,
    keeper: Keeper,
    client: Client,
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
            was_set: false,
        }
    }

    /// Begins anew with other settings. What failed is tried again at once then, but not after a restart.
    fn follow(&mut self) {
        let settings = self.context.settings.get().acme.clone();
        if self.running.as_ref().map(|running| &running.settings) == settings.as_ref() && self.was_set {
            return;
        }
        let hurries = std::mem::replace(&mut self.was_set, true);
        self.running = settings.map(|settings| Running {
            keeper: match hurries {
                true => Keeper::in_a_hurry(&settings.directory),
                false => Keeper::new(&settings.directory),
            },
            client: Client::new(
                &settings.directory,
                settings.email.clone(),
                settings.trust.clone(),
                self.vault.clone(),
            ),
            settings,
        });
    }

    /// Takes what is due, and returns when the next step is.
    async fn turn(&mut self) -> Option<Timestamp> {
        self.follow();
        let asked = self.asked.borrow_and_update().clone();
        if self.running.is_none() {
            let faults = asked.hosts.iter().map(|host| (host.clone(), NO_AUTHORITY.to_owned()));
            let shown = Shown {
                faults: faults.collect(),
                known: asked.hosts,
                ..Shown::default()
            };
            tell(&self.board.shown, shown);
            return None;
        }
        let names = asked.hosts.iter().filter(|host| !host.is_wildcard());
        let names: BTreeSet<String> = names.map(ToString::to_string).collect();
        let in_force = self.in_force(&asked);
        let clock = self.context.clock;
        let running = self.running.as_mut()?;
        let turn = running
            .keeper
            .turn(&names, &in_force, &mut running.client, self.vault.as_ref(), &|| {
                clock.now()
            })
            .await;
        self.report(&turn);
        tell(&self.board.shown, shown(&turn, &asked));
        turn.next
    }

    fn in_force(&self, asked: &Asked) -> BTreeSet<Proof> {
        let pairs = asked.in_force.iter().map(|challenge| Proof {
            token: challenge.to_string(),
            answer: challenge.answer().to_owned(),
        });
        pairs.collect()
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
                        "a certificate could not be had; it is tried again after a pause"
                    );
                    "failed"
                }
            };
            self.context.metrics.certificate_by_acme(word);
        }
    }
}

/// The fault of a route with `tls = "acme"` where the settings name no authority.
const NO_AUTHORITY: &str =
    "there is no authority that it could be ordered from: add the section [acme] to the settings";
/// The fault of a wildcard route with `tls = "acme"`.
const WILDCARD: &str = "no certificate for a wildcard is to be had by HTTP: take \"own-ca\" or files";

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
