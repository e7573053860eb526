//! Serves every link that is in the settings: one supervisor each, begun when its link comes into them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_dhcp6::Reconfigure;
use orchestrator_network::Network;
use tokio::sync::{mpsc, oneshot, watch};

use super::Context;
use super::link::{self, Supervisor};
use orchestrator_host::{Host, HostChange, WatchScope};
use orchestrator_model::{Duid, Endpoints};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run, TaskSet};
use orchestrator_reconcile::networks;
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::LinkSettings;
use orchestrator_source::Recorder;
use orchestrator_source::advertiser::Standing;
use orchestrator_source::listener::{Command, Directory, NotReconfigured, Origins, Reconfiguring};
use orchestrator_source::reserved::Reserved;
use orchestrator_store::Store;

/// Commands that may wait for a listener.
const COMMANDS: usize = 64;
/// How long a listener that is up may take to take up a command.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The wait before the kernel is asked again for notifications.
const PAUSE: Duration = Duration::from_millis(500);

/// Where the listener of each link takes commands. A cheap handle.
#[derive(Clone, Default)]
pub(super) struct Commands {
    senders: Arc<Mutex<HashMap<String, mpsc::Sender<Command>>>>,
}

impl Commands {
    /// Where the listener of this link takes commands; `None` when the link is not served.
    pub(super) fn of(&self, bridge: &str) -> Option<mpsc::Sender<Command>> {
        let senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.get(bridge).cloned()
    }

    /// Has a client of this link ask again, if it accepts that. Returns when it has begun, and goes on by itself: what
    /// was changed for a client is to be in force before.
    ///
    /// # Errors
    ///
    /// Why no Reconfigure is sent. The client renews by itself when its lease is half over.
    pub(super) async fn reconfigure(
        &self,
        bridge: &str,
        duid: &Duid,
        what: Reconfigure,
    ) -> Result<Reconfiguring, NotReconfigured> {
        let commands = self.of(bridge).ok_or(NotReconfigured::NotServed)?;
        let (done, begun) = oneshot::channel();
        let duid = duid.clone();
        let command = Command::Reconfigure { duid, what, done };
        // One that does not take commands is not up: its bridge is gone, or the settings want no listener.
        commands.try_send(command).map_err(|_| NotReconfigured::NotServed)?;
        let begun = tokio::time::timeout(ANSWER_LIMIT, begun).await;
        begun
            .map_err(|_| NotReconfigured::NotServed)?
            .unwrap_or(Err(NotReconfigured::NotServed))
    }

    fn open(&self, bridge: &str) -> mpsc::Receiver<Command> {
        let (sender, receiver) = mpsc::channel(COMMANDS);
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.insert(bridge.to_owned(), sender);
        receiver
    }

    fn close(&self, bridge: &str) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.remove(bridge);
    }
}

/// The links of the settings.
pub(super) struct Links {
    pub(super) context: Context,
    pub(super) store: Store,
    pub(super) host: Arc<dyn Host>,
    /// The sockets of neighbours are opened through it.
    pub(super) network: Network,
    pub(super) recorder: Recorder,
    pub(super) commands: Commands,
    pub(super) directory: Directory,
    pub(super) origins: Origins,
    pub(super) reserved: Reserved,
    /// Where services are reached: some by virtual addresses on a link.
    pub(super) endpoints: watch::Receiver<Arc<Endpoints>>,
}

impl Links {
    /// Serves them until the daemon stops.
    ///
    /// A link that leaves the settings ends by itself. One that comes back while it still ends begins when it has ended:
    /// nothing is served twice. Returns what changes whenever interfaces or addresses may have.
    pub(super) fn register(self) -> watch::Receiver<()> {
        let (changed, interfaces_changed) = watch::channel(());
        let driver = self.context.driver.clone();
        let networks = networks::Parts {
            settings: self.context.settings.clone(),
            records: Arc::new(self.store.clone()),
            host: self.host.clone(),
            clock: self.context.clock,
            conditions: self.context.conditions.clone(),
            metrics: self.context.metrics.clone(),
            tasks: self.context.tasks.clone(),
        };
        networks::register(&driver, networks, interfaces_changed.clone());
        let watch = InterfaceWatch {
            host: self.host.clone(),
            changed,
        };
        let links = LinksReconciler {
            links: self,
            interfaces_changed: interfaces_changed.clone(),
            running: TaskSet::new(),
        };
        driver.register(InterfaceWatch::registration(), watch);
        let registration = Registration::new("links", "serves every link that is in the settings");
        driver.register(registration.following_settings(), links);
        interfaces_changed
    }

    fn supervisor(&self, link: &LinkSettings, interfaces_changed: &watch::Receiver<()>) -> Supervisor {
        let bridge = &link.name;
        let parts = link::Parts {
            context: self.context.clone(),
            bridge: bridge.clone(),
            remote: link.remote,
            store: self.store.clone(),
            host: self.host.clone(),
            network: self.network.clone(),
            recorder: self.recorder.clone(),
            directory: self.directory.clone(),
            origins: self.origins.clone(),
            advertised: Standing::default(),
            reserved: self.reserved.clone(),
            endpoints: self.endpoints.clone(),
            interfaces_changed: interfaces_changed.clone(),
        };
        Supervisor::new(parts, self.commands.open(bridge))
    }
}

/// Has a supervisor for every link.
struct LinksReconciler {
    links: Links,
    interfaces_changed: watch::Receiver<()>,
    running: TaskSet<String>,
}

#[async_trait]
impl Reconciler for LinksReconciler {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let Self {
            links,
            interfaces_changed,
            running,
        } = self;
        let context = &links.context;
        for link in &context.settings.get().links {
            running.ensure(&link.name, || {
                let supervisor = links.supervisor(link, interfaces_changed);
                context
                    .driver
                    .register(Supervisor::registration(&link.name), supervisor)
            });
        }
        Ok(Next::Wait)
    }

    async fn notified(&mut self) {
        let bridge = self.running.ended().await;
        self.links.commands.close(&bridge);
    }
}

/// Tells every link that interfaces or addresses may have changed.
struct InterfaceWatch {
    host: Arc<dyn Host>,
    changed: watch::Sender<()>,
}

impl InterfaceWatch {
    fn registration() -> Registration {
        Registration::new("interface watch", "notices at once when interfaces or addresses change")
            .retrying(Backoff::constant(PAUSE))
            .settling_after(PAUSE)
    }
}

#[async_trait]
impl Reconciler for InterfaceWatch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let (sender, mut changes) = mpsc::channel(1);
        let pass_on = async {
            while let Some(HostChange::Interfaces) = changes.recv().await {
                self.changed.send_replace(());
            }
            // The watch says why it ended.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            fault = self.host.watch(WatchScope::Interfaces, sender) => {
                let reason = with_causes(&fault);
                let meanwhile = "links are looked at once a second meanwhile";
                Err(format!("no notifications about interfaces, {meanwhile}: {reason}").into())
            }
            () = pass_on => Ok(Next::Wait),
        }
    }
}
