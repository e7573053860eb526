//! The helper's engine: which containers there are, and what is done to them.
//!
//! ```text
//!   record.json ─▶ shim ─▶ Running ─▶ the shim ends ─▶ Exited          ensure, and what follows by itself
//!   end ─▶ move to removing/ ─▶ delete                                  remove
//! ```
//!
//! Everything that counts is on disk (see `state`); what is held here is read from there at the start and kept equal.
//! One thing at a time is done to the containers of a key. A verb that was begun is carried out to its end, whether
//! anybody waits for it or not.

mod copy;
mod create;
mod ensure;
mod entry;
mod exec;
mod find;
mod hands;
mod images;
mod index;
mod logs;
mod measure;
mod recover;
mod remove;
mod share;
mod start;
mod stop;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use orchestrator_ahead::Ahead;
use orchestrator_images::Store;
use orchestrator_plugin::{ContainerKey, Creations, InstanceId, SiteId, Turn};
use orchestrator_plugin_oci::protocol::{Fault, Target, Verb};
use tokio::sync::broadcast;

use crate::cgroup::{Group, Hierarchy};
use crate::runc::Runc;
use crate::shim::Common;
use crate::state::Place;

pub(crate) use copy::Pieces;
pub(crate) use entry::Entry;
pub(crate) use exec::{Bound, CommandLimits, Session};
pub(crate) use hands::{Act, ByHand};
use index::Index;

/// Changes that a watch may be behind before it is ended.
const CHANGES: usize = 4096;

/// How long what the runtime said of its version is believed.
const RECENT: Duration = Duration::from_secs(60);

/// The helper's engine.
#[derive(Clone)]
pub(crate) struct Helper(Arc<Inner>);

struct Inner {
    place: Place,
    common: Common,
    runtime: Runc,
    /// What the runtime said of its version, and when.
    version: Mutex<Option<(Instant, String)>>,
    hierarchy: Hierarchy,
    /// Takes the kernel's lock on control groups before the runtime needs it, where that can be done.
    ahead: Option<Ahead>,
    images: Store,
    /// This program, which is the shim's, too.
    program: PathBuf,
    /// A directory with a short path, for sockets.
    sockets: PathBuf,
    /// The commands in containers.
    commands: Bound,
    index: Mutex<Index>,
    turns: Creations,
    changes: broadcast::Sender<Changed>,
    /// When the newest container was made, in nanoseconds since 1970.
    newest: AtomicU64,
    /// Numbers for files that are needed for a moment.
    numbers: AtomicU64,
}

/// A container of a site started, ended or was removed.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    /// The site.
    pub(crate) site: SiteId,
    /// The container.
    pub(crate) container: Target,
}

impl Helper {
    /// The engine whose state is in `place`. Finds and adopts what runs.
    ///
    /// # Errors
    ///
    /// When the state cannot be read or the machine lacks what is needed.
    pub(crate) fn open(
        place: Place,
        sockets: PathBuf,
        common: Common,
        images: Store,
        commands: CommandLimits,
    ) -> io::Result<Self> {
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo")?;
        let hierarchy = Hierarchy::read(&mountinfo).map_err(io::Error::other)?;
        // What runtimes leave in a container when they end becomes a child of ours.
        nix::sys::prctl::set_child_subreaper(true)?;
        let helper = Self(Arc::new(Inner {
            place,
            runtime: Runc::new(common.runtime.clone()),
            version: Mutex::default(),
            common,
            ahead: Ahead::new(),
            hierarchy,
            images,
            program: std::env::current_exe()?,
            sockets,
            commands: Bound::new(commands),
            index: Mutex::default(),
            turns: Creations::default(),
            changes: broadcast::Sender::new(CHANGES),
            newest: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
        }));
        helper.recover()?;
        Ok(helper)
    }

    /// The changes from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Changed> {
        self.0.changes.subscribe()
    }

    /// The runtime's name and version, as it says now.
    pub(crate) async fn runtime_version(&self) -> io::Result<String> {
        let runtime = self.0.runtime.clone();
        let version = tokio::task::spawn_blocking(move || runtime.version()).await;
        let version = version.map_err(io::Error::other)??;
        *self.known_version() = Some((Instant::now(), version.clone()));
        Ok(version)
    }

    /// The runtime's name and version, as it said a short while ago: whoever asks every second has it run seldom.
    pub(crate) async fn recent_runtime_version(&self) -> io::Result<String> {
        let known = self.known_version().clone();
        match known {
            Some((at, version)) if at.elapsed() < RECENT => Ok(version),
            _ => self.runtime_version().await,
        }
    }

    fn known_version(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kind of the machine's control groups.
    pub(crate) fn cgroup_kind(&self) -> &'static str {
        self.0.hierarchy.kind()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn group(&self, reference: &str) -> Group {
        self.0.common.group(self.0.hierarchy.clone(), reference)
    }

    /// Waits for the kernel in the runtime's place, which will be started soon.
    fn wait_ahead(&self) {
        if let Some(ahead) = &self.0.ahead {
            ahead.wait();
        }
    }

    /// Waits until nothing else is done to the containers of this key.
    async fn turn(&self, key: &ContainerKey) -> Turn {
        self.0.turns.turn(key).await
    }

    /// Waits until nothing else is done to this container. Those without a mark take turns with one another.
    async fn turn_of(&self, entry: &Entry) -> Turn {
        let owner = entry.record().owner.as_ref().map(|owner| owner.key());
        let nobody = || ContainerKey::main(InstanceId::from_bytes([0; 6]));
        self.turn(&owner.unwrap_or_else(nobody)).await
    }

    /// Reports that something happened to a container.
    fn report(&self, entry: &Entry) {
        if let Some(owner) = &entry.record().owner {
            // Nobody may be watching.
            let _ = self.0.changes.send(Changed {
                site: owner.site,
                container: entry.target(),
            });
        }
    }

    /// Now, in nanoseconds since 1970, and later than every time before.
    fn moment(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let later = |newest: u64| Some(now.max(newest + 1));
        let before = self.0.newest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        now.max(before.unwrap_or_default() + 1)
    }

    /// A number that was not used before.
    fn number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// Does something that waits for the disk or for other processes.
async fn blocking<T: Send + 'static>(
    verb: Verb,
    subject: &str,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(act).await;
    let done = done.unwrap_or_else(|fault| Err(io::Error::other(fault)));
    done.map_err(|error| Fault::failed(verb, subject, error))
}
