//! The hosts that services may be placed on: what is recorded of them, and the name and roles that the settings give this one.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::HostId;
use orchestrator_service::place::KnownHost;
use orchestrator_settings::{Current, HostSettings};
use orchestrator_store::{Store, StoreError};
use tokio::sync::watch;

use super::Context;

/// Where the kernel says what this machine is called.
const KERNEL_NAME: &str = "/proc/sys/kernel/hostname";

/// The wait before a database is asked again that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The hosts as they were last read. A cheap handle.
#[derive(Clone)]
pub(super) struct Hosts {
    settings: Current,
    store: Store,
    known: watch::Sender<Arc<Vec<KnownHost>>>,
}

impl Hosts {
    /// Records this machine and reads all hosts, however long the database takes to answer.
    ///
    /// # Errors
    ///
    /// When waiting cannot help, or the daemon stops before.
    pub(super) async fn open(context: &Context, store: &Store) -> Result<Self, StoreError> {
        let hosts = Self {
            settings: context.settings.clone(),
            store: store.clone(),
            known: watch::channel(Arc::default()).0,
        };
        loop {
            match hosts.refresh().await {
                Ok(()) => return Ok(hosts),
                Err(fault) if fault.is_away() && !context.stop.is_cancelled() => tokio::time::sleep(PAUSE).await,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Records the name and the roles of this machine as the settings have them now, and reads all hosts.
    ///
    /// # Errors
    ///
    /// When the database is away, or another host has the name of this one.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let HostSettings { name, roles } = self.settings.get().host.clone();
        let name = name.or_else(kernel_name).unwrap_or_else(|| HostId::LOCAL.to_owned());
        self.store.declare_local_host(name, roles).await?;
        let hosts = self.store.hosts().await?.into_iter().map(KnownHost::from).collect();
        self.known.send_if_modified(|known| {
            let is_new = **known != hosts;
            if is_new {
                *known = Arc::new(hosts);
            }
            is_new
        });
        Ok(())
    }

    /// The hosts, now and from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<Vec<KnownHost>>> {
        self.known.subscribe()
    }

    /// The hosts now.
    pub(super) fn now(&self) -> Arc<Vec<KnownHost>> {
        self.known.borrow().clone()
    }
}

/// What the kernel calls this machine; `None` if it does not say.
fn kernel_name() -> Option<String> {
    let name = std::fs::read_to_string(KERNEL_NAME).ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
