//! The handle that everything starts from.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use rtnetlink::Handle;
use tokio::sync::{Mutex, Semaphore};

use crate::entry::Held;
use crate::join::Joins;
use crate::namespace::Namespace;
use crate::own_proc::OwnProc;
use crate::sysctl::Ipv6Settings;
use crate::{NetworkError, connection};

/// How many attachments are wired at once.
///
/// The kernel changes links one at a time anyway; more threads would only wait for each other.
const WIRED_AT_ONCE: usize = 4;

/// A cheap handle on the daemon's own network namespace.
///
/// All its methods may be dropped at any await: what was begun is either finished or completed by the next call.
/// Calls for different interfaces may run side by side.
#[derive(Debug, Clone)]
pub struct Network {
    /// Requests in the daemon's namespace.
    pub(crate) netlink: Handle,
    /// The daemon's namespace.
    pub(crate) own: Namespace,
    /// The namespaces in which no instance is ever wired.
    reserved: Arc<[Namespace]>,
    /// Bounds the threads that wire attachments.
    pub(crate) wiring: Arc<Semaphore>,
    /// How many removals of many links there have been: each has a link group to itself.
    pub(crate) removals: Arc<AtomicU32>,
    /// The joined bridges, where instances may get ports on such.
    pub(crate) joins: Option<Arc<Joins>>,
    /// The IPv6 settings of the daemon's namespace; `None` where this machine has none to be opened.
    pub(crate) settings: Option<Arc<Ipv6Settings>>,
    /// How the IPv6 settings of instances are reached.
    pub(crate) proc: Arc<OwnProc>,
    /// The neighbour entries of attachments.
    pub(crate) held: Arc<Mutex<Held>>,
}

impl Network {
    /// Opens netlink in the network namespace of the calling thread, which must be within a tokio runtime with time.
    ///
    /// # Errors
    ///
    /// [`Open`](NetworkError::Open) if no socket or thread can be had.
    pub fn open() -> Result<Self, NetworkError> {
        let own = Namespace::own()?;
        // The process's and the machine's are others only if thread or process were moved; the machine's may be hidden.
        let others = ["/proc/self/ns/net", "/proc/1/ns/net"].map(|path| Namespace::open(Path::new(path)).ok());
        Ok(Self {
            reserved: std::iter::once(own.clone())
                .chain(others.into_iter().flatten())
                .collect(),
            own,
            netlink: connection::open()?,
            wiring: Arc::new(Semaphore::new(WIRED_AT_ONCE)),
            removals: Arc::default(),
            joins: None,
            settings: Ipv6Settings::open().ok().map(Arc::new),
            proc: Arc::default(),
            held: Arc::default(),
        })
    }

    /// Refuses the namespace of the daemon and that of the machine.
    pub(crate) fn check_separate(&self, netns: &Namespace) -> Result<(), NetworkError> {
        match self.reserved.iter().any(|reserved| reserved.is(netns)) {
            true => Err(NetworkError::NotSeparate {
                netns: netns.path().into(),
            }),
            false => Ok(()),
        }
    }
}
