//! Keeps one link served: waits for its bridge, and starts over when the bridge is replaced.
//!
//! Four parts run side by side on a bridge: the DHCPv6 server, the router advertisements, the look-out for hosts, and
//! the watch on the bridge itself. Each follows the settings by itself, begins when they come to want it, and ends when
//! they no longer do; none holds up another. When the link is no longer in the settings, all end, and hosts are told
//! that it is no router any more.

mod advertise;
mod listen;
mod look;
mod observe;

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Bridge, BridgePlan, BridgePurpose, Host, NetworkItem, NetworkPart};
use orchestrator_network::Network;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Context;
use orchestrator_model::{Endpoints, EventKind};
use orchestrator_reconcile::PartOfHost;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_settings::{LinkSettings, Settings};
use orchestrator_source::Recorder;
use orchestrator_source::advertiser::{Ending, Standing};
use orchestrator_source::listener::{Command, Directory, Origins};
use orchestrator_source::reserved::Reserved;
use orchestrator_store::Store;

/// How often the bridge is looked at, and the wait between two tries to serve on it.
const PERIOD: Duration = Duration::from_secs(1);

/// The condition under which a link is shown.
pub(super) fn condition(bridge: &str) -> String {
    format!("link {bridge}")
}

/// What every part of a link works with.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) context: Context,
    /// Name of the link, and of its bridge where it has one here.
    pub(super) bridge: String,
    /// Whether it has none.
    pub(super) remote: bool,
    pub(super) store: Store,
    /// The machine of the bridge.
    pub(super) host: Arc<dyn Host>,
    /// The sockets of neighbours are opened through it.
    pub(super) network: Network,
    pub(super) recorder: Recorder,
    /// The listeners of all links.
    pub(super) directory: Directory,
    /// Where the messages of clients came from.
    pub(super) origins: Origins,
    pub(super) reserved: Reserved,
    /// Where services are reached: some by virtual addresses on the link.
    pub(super) endpoints: watch::Receiver<Arc<Endpoints>>,
    /// What hosts were last told about this router.
    pub(super) advertised: Standing,
    /// Changes whenever interfaces or addresses may have.
    pub(super) interfaces_changed: watch::Receiver<()>,
}

/// Serves one link, until the daemon stops or the link is no longer in the settings.
pub(super) struct Supervisor {
    parts: Parts,
    commands: mpsc::Receiver<Command>,
    /// Why the link had to be served anew, until it is.
    disturbed: Option<String>,
    /// Shown for as long as the link is served.
    _owned: Owned,
}

#[async_trait]
impl Reconciler for Supervisor {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        let served = match self.parts.plan() {
            None => {
                self.parts.withdraw_for_good().await?;
                return Ok(Next::Over);
            }
            Some(None) => self.serve_remote(run).await,
            Some(Some(plan)) => self.serve_bridge(run, plan).await,
        };
        match served {
            Ok(()) => Ok(Next::Wait),
            Err(reason) => {
                let conditions = &self.parts.context.conditions;
                conditions.set_waiting(&condition(&self.parts.bridge), reason.as_str());
                Err(reason.into())
            }
        }
    }
}

impl Supervisor {
    pub(super) fn new(parts: Parts, commands: mpsc::Receiver<Command>) -> Self {
        let owned = parts.context.conditions.own(&condition(&parts.bridge));
        Self {
            parts,
            commands,
            disturbed: None,
            _owned: owned,
        }
    }

    pub(super) fn registration(bridge: &str) -> Registration {
        Registration::new("link", "serves the clients of a link")
            .about(bridge)
            .every(PERIOD)
            .retrying(Backoff::constant(PERIOD))
            .following_settings()
            .ending_by_itself()
            .having_condition()
    }

    /// Serves clients that only relay agents reach, until the daemon stops or the link is left.
    async fn serve_remote(&mut self, run: &Run) -> Result<(), String> {
        let parts = &self.parts;
        let stop = run.stop().child_token();
        let listener = parts.open_listener(None).await?;
        parts.context.conditions.set_ok(&condition(&parts.bridge));
        run.settled();
        parts.listen(listener, None, &mut self.commands, &stop).await
    }

    /// Brings the bridge to what is planned, and serves on it.
    async fn serve_bridge(&mut self, run: &Run, plan: BridgePlan) -> Result<(), String> {
        let mut part = self.parts.part();
        let bridge = self.parts.ensure_bridge(&mut part, &plan).await?;
        if let Some(reason) = self.disturbed.take() {
            self.parts.note(EventKind::LinkDisturbed, format!("{reason}: mended"));
        }
        let served = self.serve(run, &bridge, plan, part).await;
        self.disturbed = served.as_ref().err().cloned();
        served
    }

    /// Serves until the daemon stops, the link is left, or the bridge is no longer the one it was; the error says what
    /// went wrong.
    async fn serve(&mut self, run: &Run, bridge: &Bridge, plan: BridgePlan, part: PartOfHost) -> Result<(), String> {
        let parts = &self.parts;
        let ending = parts.ending(run);
        let stop = &ending.stop;
        let listener = parts.open_listener(Some(bridge)).await?;
        let advertiser = parts.open_advertiser(bridge)?;
        let neighbors = parts.recall_neighbors(bridge).await?;
        parts.context.conditions.set_ok(&condition(&parts.bridge));
        run.settled();
        // Routes through the bridge that was here before went with it.
        parts.context.notifications.notify_prefixes();
        let serving = async {
            // Each on the heap: together they are larger than a thread's stack has room for.
            let (listened, advertised, looked) = tokio::join!(
                end_all(
                    Box::pin(parts.listen(listener, Some(bridge), &mut self.commands, stop)),
                    &ending
                ),
                end_all(Box::pin(parts.advertise(advertiser, bridge, &ending)), &ending),
                end_all(Box::pin(parts.look(neighbors, bridge, stop)), &ending),
            );
            listened.and(advertised).and(looked)
        };
        let (served, watched) = tokio::join!(serving, parts.watch_bridge(bridge, plan, part, stop));
        served.and(watched)
    }
}

impl Parts {
    /// How the link's parts come to end: with the daemon, or before it.
    fn ending(&self, run: &Run) -> Ending {
        Ending {
            stop: run.stop().child_token(),
            for_good: self.context.for_good.child_token(),
        }
    }

    /// The link in these settings, where they have it, and have it as what is served here.
    fn link<'s>(&self, settings: &'s Settings) -> Option<&'s LinkSettings> {
        settings.link(&self.bridge).filter(|link| link.remote == self.remote)
    }

    /// What the settings want the bridge to be, if the link has one; `None` when the link is not in them.
    fn plan(&self) -> Option<Option<BridgePlan>> {
        let settings = self.context.settings.get();
        let link = self.link(&settings)?;
        let plan = || BridgePlan {
            name: self.bridge.clone(),
            purpose: BridgePurpose::Link,
            create: link.create,
            address: Some(link.address),
            services: services(&settings, link, &self.endpoints.borrow()),
            mtu: None,
            mac: None,
            link_local: None,
        };
        Some((!self.remote).then(plan))
    }

    /// What `apply` of this link is about.
    fn part(&self) -> PartOfHost {
        PartOfHost::new(self.host.clone(), NetworkPart::Link(self.bridge.clone()))
    }

    async fn ensure_bridge(&self, part: &mut PartOfHost, plan: &BridgePlan) -> Result<Bridge, String> {
        apply(part, plan).await?;
        let found = part.host().see_bridge(plan, &[]).await;
        match found.map_err(|fault| with_causes(&fault))? {
            Some(found) => Ok(Bridge {
                up: true,
                ..found.bridge
            }),
            None => Err(format!("bridge {} was removed", plan.name)),
        }
    }

    /// Waits until the settings want a part of the link; `false` when the link is left, or all is to stop.
    async fn is_wanted(&self, stop: &CancellationToken, wanted: impl Fn(&LinkSettings) -> bool) -> bool {
        let mut current = self.context.settings.clone();
        loop {
            match self.link(&current.get()) {
                _ if stop.is_cancelled() => return false,
                None => return false,
                Some(link) if wanted(link) => return true,
                Some(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = current.changed() => {}
            }
        }
    }
}

/// The addresses at which this machine serves the clients and the instances of a link, virtual addresses of services among
/// them. Each is there once.
fn services(settings: &Settings, link: &LinkSettings, endpoints: &Endpoints) -> Vec<Ipv6Addr> {
    let metadata = settings.metadata.address.filter(|_| link.instances.is_some());
    let mut all: Vec<Ipv6Addr> = metadata
        .into_iter()
        .chain(link.front_door())
        .chain(link.portal())
        .collect();
    let listen = endpoints.services.values().flat_map(|service| &service.listen);
    let here = listen.map(|listen| listen.address).filter(|address| {
        // The link's own address is there already.
        link.prefix().contains(address) && link.address.addr() != *address
    });
    let virtuals: BTreeSet<Ipv6Addr> = here.filter(|address| !all.contains(address)).collect();
    all.extend(virtuals);
    all
}

/// Has the host bring a link's bridge to its plan.
async fn apply(part: &mut PartOfHost, plan: &BridgePlan) -> Result<(), String> {
    let applied = part.apply_whole(vec![NetworkItem::Bridge(plan.clone())]).await;
    applied.map_err(|fault| with_causes(&fault))
}

/// Runs one part of a link; when it ends, the others are told to. One that ends of itself and without a fault has seen
/// that the link is left: the others may not have, when it has come back since.
async fn end_all(part: impl Future<Output = Result<(), String>>, ending: &Ending) -> Result<(), String> {
    let outcome = part.await;
    if outcome.is_ok() && !ending.stop.is_cancelled() {
        ending.for_good.cancel();
    }
    ending.stop.cancel();
    outcome
}
