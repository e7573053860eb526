//! Hears relay agents on the interfaces that the settings name, where no link's own listener does.

use std::time::Duration;

use async_trait::async_trait;
use nix::net::if_::if_nametoindex;
use orchestrator_network::missing_groups;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Context;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run, TaskSet};
use orchestrator_runtime::conditions::Owned;
use orchestrator_settings::Settings;
use orchestrator_source::listener::{Directory, GROUPS, RelayPort};

/// How often an interface is looked at, and the wait between two tries to listen on it.
const PERIOD: Duration = Duration::from_secs(1);

/// How often multicast groups are looked at: the kernel lists those of all interfaces.
const GROUPS_PERIOD: Duration = Duration::from_secs(3);

/// The condition under which an interface with relay agents is shown.
pub(super) fn condition(interface: &str) -> String {
    format!("relays {interface}")
}

/// The interfaces on which messages of relay agents are received, apart from the bridges of links.
pub(super) fn interfaces(settings: &Settings) -> impl Iterator<Item = &String> {
    let named = settings.source.listener.relays.iter();
    // The listener of a bridge passes on what relay agents say there.
    named.filter(|interface| settings.link(interface).is_none())
}

/// All interfaces with relay agents.
pub(super) struct Relays {
    pub(super) context: Context,
    pub(super) directory: Directory,
}

impl Relays {
    /// Serves the interfaces of the settings until the daemon stops. One that leaves the settings ends by itself.
    pub(super) fn register(self) {
        let driver = self.context.driver.clone();
        let relays = RelaysReconciler {
            relays: self,
            running: TaskSet::new(),
        };
        let registration = Registration::new(
            "relays",
            "listens on every interface where the settings name relay agents",
        );
        driver.register(registration.following_settings(), relays);
    }
}

/// Has a supervisor for every interface.
struct RelaysReconciler {
    relays: Relays,
    running: TaskSet<String>,
}

#[async_trait]
impl Reconciler for RelaysReconciler {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let Relays { context, directory } = &self.relays;
        for interface in interfaces(&context.settings.get()) {
            self.running.ensure(interface, || {
                let supervisor = Supervisor::new(context, directory, interface);
                context.driver.register(Supervisor::registration(interface), supervisor)
            });
        }
        Ok(Next::Wait)
    }

    async fn notified(&mut self) {
        self.running.ended().await;
    }
}

/// Keeps one interface served: waits for it, and starts over when it is replaced.
struct Supervisor {
    context: Context,
    directory: Directory,
    interface: String,
    condition: String,
    /// Shown for as long as the interface is served.
    _owned: Owned,
}

#[async_trait]
impl Reconciler for Supervisor {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        if !self.is_wanted() {
            return Ok(Next::Over);
        }
        match self.serve(run).await {
            Ok(()) => Ok(Next::Wait),
            Err(reason) => {
                self.context.conditions.set_waiting(&self.condition, reason.as_str());
                Err(reason.into())
            }
        }
    }
}

impl Supervisor {
    fn new(context: &Context, directory: &Directory, interface: &str) -> Self {
        let condition = condition(interface);
        Self {
            context: context.clone(),
            directory: directory.clone(),
            interface: interface.to_owned(),
            _owned: context.conditions.own(&condition),
            condition,
        }
    }

    fn registration(interface: &str) -> Registration {
        Registration::new("relays", "listens to the relay agents on an interface")
            .about(interface)
            .every(PERIOD)
            .retrying(Backoff::constant(PERIOD))
            .following_settings()
            .ending_by_itself()
            .having_condition()
    }

    /// Serves until the daemon stops, the interface is no longer wanted, or it is no longer the one it was.
    async fn serve(&self, run: &Run) -> Result<(), String> {
        let interface = &self.interface;
        let index = if_nametoindex(interface.as_str()).map_err(|_| format!("interface {interface} is missing"))?;
        let port = RelayPort::open(interface, index, self.directory.clone(), self.context.metrics.clone());
        let port = port.map_err(|fault| {
            format!(
                "cannot listen for relay agents on {interface}: {fault}; is another DHCPv6 server running there, and \
                 may this process bind port 547?"
            )
        })?;
        self.context.conditions.set_ok(&self.condition);
        run.settled();
        let over = run.stop().child_token();
        let (received, watched) = tokio::join!(
            async {
                let received = port.run(&over).await;
                over.cancel();
                received.map_err(|fault| format!("{interface}: {fault}"))
            },
            self.watch(index, &over),
        );
        received.and(watched)
    }

    async fn watch(&self, index: u32, over: &CancellationToken) -> Result<(), String> {
        let mut settings = self.context.settings.clone();
        let mut groups_due = Instant::now() + GROUPS_PERIOD;
        loop {
            tokio::select! {
                () = over.cancelled() => return Ok(()),
                _ = settings.changed() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
            if !self.is_wanted() {
                over.cancel();
                return Ok(());
            }
            if if_nametoindex(self.interface.as_str()) != Ok(index) {
                over.cancel();
                return Err(format!("interface {} was removed", self.interface));
            }
            if groups_due <= Instant::now() {
                groups_due = Instant::now() + GROUPS_PERIOD;
                self.check_groups(index).inspect_err(|_| over.cancel())?;
            }
        }
    }

    /// Notices that the kernel dropped the groups that relay agents send to, which it does when it switches IPv6 off
    /// because of the MTU: the socket would hear nothing any more.
    fn check_groups(&self, index: u32) -> Result<(), String> {
        match missing_groups(index, &GROUPS).first() {
            None => Ok(()),
            Some(group) => {
                self.context.metrics.link_repaired("multicast");
                Err(format!(
                    "the kernel dropped multicast group {group} on {}, as it does with an MTU below 1280; the socket is \
                     opened anew",
                    self.interface
                ))
            }
        }
    }

    fn is_wanted(&self) -> bool {
        interfaces(&self.context.settings.get()).any(|interface| *interface == self.interface)
    }
}
