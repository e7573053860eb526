//! The state of the fake's far side.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_plugin::{Capabilities, ContainerKey, SiteId};
use tokio::sync::broadcast;

use crate::container::{FakeContainer, State};
use crate::image::Published;
use crate::program;
use crate::request::{Hold, Trouble, Verb};

/// Events that a slow watcher may be behind.
const BEHIND: usize = 1024;

/// An engine in memory. A cheap handle: all clones are one engine.
#[derive(Debug, Clone)]
pub struct FakeWorld {
    state: Arc<Mutex<Contents>>,
    pub(crate) events: broadcast::Sender<Event>,
}

/// Something that happened, for whoever watches.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// To a container of this site.
    Container(SiteId, ContainerKey),
    /// The engine went down: watches end.
    Down,
}

/// Everything in it.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) capabilities: Capabilities,
    pub(crate) up: bool,
    pub(crate) containers: Vec<FakeContainer>,
    /// The id of each image by its name.
    pub(crate) images: BTreeMap<String, String>,
    /// The images that have no name.
    pub(crate) nameless: BTreeSet<String>,
    /// The images of registries, by full name.
    pub(crate) registry: BTreeMap<String, Published>,
    /// The files of each volume, and of each directory of the host.
    pub(crate) volumes: BTreeMap<String, BTreeMap<PathBuf, Vec<u8>>>,
    pub(crate) troubles: VecDeque<(Option<Verb>, Trouble)>,
    pub(crate) hold: Option<Hold>,
    pub(crate) requests: Vec<Verb>,
    next: u32,
}

impl Default for FakeWorld {
    fn default() -> Self {
        Self::new(Capabilities::all())
    }
}

impl FakeWorld {
    /// An engine without images or containers that can do this.
    pub fn new(capabilities: Capabilities) -> Self {
        Self {
            state: Arc::new(Mutex::new(Contents {
                capabilities,
                up: true,
                containers: Vec::new(),
                images: BTreeMap::new(),
                nameless: BTreeSet::new(),
                registry: BTreeMap::new(),
                volumes: BTreeMap::new(),
                troubles: VecDeque::new(),
                hold: None,
                requests: Vec::new(),
                next: 1000,
            })),
            events: broadcast::Sender::new(BEHIND),
        }
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has watchers hear of a container.
    pub(crate) fn tell(&self, container: &FakeContainer) {
        if let Some((site, key)) = container.mark.clone() {
            // Nobody has to watch.
            let _ = self.events.send(Event::Container(site, key));
        }
    }
}

impl Contents {
    /// A number that no other thing has.
    pub(crate) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(crate) fn by_reference(&mut self, reference: &str) -> Option<&mut FakeContainer> {
        self.containers
            .iter_mut()
            .find(|container| container.reference == reference)
    }

    /// Starts a container that does not run. Success, without doing anything, when it does.
    ///
    /// # Errors
    ///
    /// Why it cannot be started.
    pub(crate) fn start(&mut self, reference: &str) -> Result<FakeContainer, String> {
        let joined = self.namespace_to_join(reference)?;
        let pid = self.number();
        let container = self.by_reference(reference).ok_or("there is no such container")?;
        if !container.is_alive() {
            let begun = program::start(&container.spec.command, container.starts);
            container.starts += 1;
            container.joined = joined;
            container.log.extend(begun.output);
            container.state = match begun.exit {
                Some(code) => State::Exited { code },
                None => State::Running { pid },
            };
        }
        Ok(container.clone())
    }

    fn namespace_to_join(&mut self, reference: &str) -> Result<Option<(String, u32)>, String> {
        let container = self.by_reference(reference).ok_or("there is no such container")?;
        let Some((with, _)) = container.joined.clone() else {
            return Ok(None);
        };
        match self.by_reference(&with) {
            Some(other) if other.is_alive() => Ok(Some((with, other.starts))),
            _ => Err("the container whose network it shares does not run".to_owned()),
        }
    }

    /// The file at this path in a container.
    pub(crate) fn file(&self, container: &FakeContainer, path: &Path) -> Option<Vec<u8>> {
        match container.volume_of(path) {
            Some((volume, within, _)) => self.volumes.get(&volume)?.get(&within).cloned(),
            None => container.own_file(path),
        }
    }

    /// Writes a file in a container; whether that was allowed.
    pub(crate) fn write(&mut self, reference: &str, path: &Path, bytes: Vec<u8>) -> bool {
        let Some(container) = self.by_reference(reference) else {
            return false;
        };
        match container.volume_of(path) {
            Some((_, _, true)) => return false,
            Some((volume, within, false)) => {
                self.volumes.entry(volume).or_default().insert(within, bytes);
            }
            None => {
                container.files.insert(path.to_owned(), bytes);
            }
        }
        true
    }
}
