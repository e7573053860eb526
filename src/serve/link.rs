//! Keeps one link served: waits for its bridge, and starts over when the bridge is replaced.

use std::time::Duration;

use orchestrator_dhcp6::Server;
use orchestrator_network::{Bridge, BridgePlan, Network};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::advertiser::{Advertiser, Ending};
use crate::causes::with_causes;
use crate::model::LeaseSource;
use crate::settings::LinkSettings;
use crate::source::Recorder;
use crate::source::listener::{Command, Listener, Parts, limiter, protocol_link, recall};
use crate::source::neighbors::{self, Neighbors};
use crate::store::Store;

/// How often the bridge is looked at, and the wait between two tries to serve on it.
const PERIOD: Duration = Duration::from_secs(1);
/// Commands that may wait for a listener.
const COMMANDS: usize = 64;

/// The condition under which a link is shown.
pub(super) fn condition(bridge: &str) -> String {
    format!("link {bridge}")
}

/// Serves one link.
pub(super) struct Supervisor {
    context: Context,
    settings: LinkSettings,
    store: Store,
    network: Network,
    recorder: Recorder,
    commands: mpsc::Receiver<Command>,
}

impl Supervisor {
    pub(super) fn new(
        context: &Context,
        settings: &LinkSettings,
        store: &Store,
        network: &Network,
        recorder: &Recorder,
    ) -> (Self, mpsc::Sender<Command>) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let supervisor = Self {
            context: context.clone(),
            settings: settings.clone(),
            store: store.clone(),
            network: network.clone(),
            recorder: recorder.clone(),
            commands,
        };
        (supervisor, sender)
    }

    pub(super) async fn run(mut self) {
        let condition = condition(&self.settings.bridge);
        let stop = self.context.stop.clone();
        while !stop.is_cancelled() {
            match self.ensure_bridge().await {
                Err(reason) => self.context.conditions.set_waiting(&condition, reason),
                Ok(bridge) => {
                    if let Err(reason) = self.serve(&bridge, &condition).await {
                        self.context.conditions.set_waiting(&condition, reason);
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    async fn ensure_bridge(&self) -> Result<Bridge, String> {
        let plan = BridgePlan {
            name: self.settings.bridge.clone(),
            create: self.settings.create,
            address: Some(self.settings.address),
            mark: format!("orchestrator:{}:link", self.store.identity().site),
        };
        self.network
            .ensure_bridge(&plan)
            .await
            .map_err(|fault| with_causes(&fault))
    }

    /// Serves until the daemon stops or the bridge is no longer the one it was; the error says what went wrong.
    async fn serve(&mut self, bridge: &Bridge, condition: &str) -> Result<(), String> {
        let stop = self.context.stop.child_token();
        let listener = self.open_listener(bridge).await?;
        let advertiser = self.open_advertiser(bridge)?;
        let neighbors = self.recall_neighbors(bridge).await?;
        let ending = Ending {
            stop: stop.clone(),
            for_good: self.context.for_good.clone(),
        };
        self.context.conditions.set_ok(condition);
        // Routes through the bridge that was here before went with it.
        self.context.bell.ring_prefixes();
        let serving = async {
            let listening = async {
                match listener {
                    Some(listener) => listener.run(&mut self.commands, &stop).await,
                    None => wait(&stop).await,
                }
            };
            let advertising = async {
                match advertiser {
                    Some(advertiser) => advertiser.run(&ending).await,
                    None => wait(&stop).await,
                }
            };
            let (listened, advertised) = tokio::join!(until_end(listening, &stop), until_end(advertising, &stop));
            listened
                .and(advertised)
                .map_err(|fault| format!("{}: {fault}", self.settings.bridge))
        };
        let looking = async {
            if let Some(neighbors) = neighbors {
                neighbors.run(&stop).await;
            }
        };
        let (served, watched, ()) = tokio::join!(serving, watch_bridge(&self.network, bridge, &stop), looking);
        served.and(watched)
    }

    async fn open_listener(&self, bridge: &Bridge) -> Result<Option<Listener>, String> {
        if self.settings.source != LeaseSource::Listener {
            return Ok(None);
        }
        let Some(link) = protocol_link(&self.settings) else {
            return Ok(None);
        };
        let bindings = recall(&self.store, &self.settings.bridge)
            .await
            .map_err(|fault| with_causes(&fault))?;
        let identity = self.store.identity();
        let server = Server::new(identity.server_duid.clone(), identity.allocation_key);
        let parts = Parts {
            bridge: self.settings.bridge.clone(),
            link,
            server,
            limiter: limiter(&self.settings, identity.allocation_key),
            recorder: self.recorder.clone(),
            clock: self.context.clock,
            metrics: self.context.metrics.clone(),
        };
        Listener::open(parts, bridge.index, bindings)
            .map(Some)
            .map_err(|fault| {
                format!(
                    "cannot listen for DHCPv6 on {}: {fault}; is another DHCPv6 server running there, and may this process bind port 547?",
                    self.settings.bridge
                )
            })
    }

    async fn recall_neighbors(&self, bridge: &Bridge) -> Result<Option<Neighbors>, String> {
        let Some(settings) = &self.settings.neighbors else {
            return Ok(None);
        };
        let parts = neighbors::Parts {
            link: self.settings.clone(),
            bridge: bridge.clone(),
            network: self.network.clone(),
            store: self.store.clone(),
            recorder: self.recorder.clone(),
            clock: self.context.clock,
            metrics: self.context.metrics.clone(),
        };
        let recalled = Neighbors::recall(parts, settings).await;
        recalled.map(Some).map_err(|fault| with_causes(&fault))
    }

    fn open_advertiser(&self, bridge: &Bridge) -> Result<Option<Advertiser>, String> {
        let Some(advertisement) = &self.settings.advertisement else {
            return Ok(None);
        };
        let metrics = self.context.metrics.clone();
        let opened = Advertiser::open(&self.settings, advertisement, bridge.index, metrics);
        opened.map(Some).map_err(|fault| {
            format!(
                "cannot advertise on {}: {fault}; raw sockets take CAP_NET_RAW",
                self.settings.bridge
            )
        })
    }
}

async fn wait(stop: &CancellationToken) -> std::io::Result<()> {
    stop.cancelled().await;
    Ok(())
}

/// Runs one half of a link; when it ends, the other half is told to.
async fn until_end(half: impl Future<Output = std::io::Result<()>>, stop: &CancellationToken) -> std::io::Result<()> {
    let outcome = half.await;
    stop.cancel();
    outcome
}

/// Ends the link's tokens when its bridge is gone, or is another one by the same name.
async fn watch_bridge(network: &Network, bridge: &Bridge, stop: &CancellationToken) -> Result<(), String> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
        // A kernel that does not answer says nothing about the bridge.
        let Ok(now) = network.find_bridge(&bridge.name).await else {
            continue;
        };
        if now.is_none_or(|now| now.index != bridge.index) {
            stop.cancel();
            return Err(format!("bridge {} was removed", bridge.name));
        }
    }
}
