//! The container that a caller means, and its state.

use std::sync::Arc;

use orchestrator_plugin::{Container, SiteId};
use orchestrator_plugin_oci::protocol::{Fault, FoundAnswer, RunningAnswer, RunningIn, State, TargetRequest, Verb};

use super::entry::{Alive, Now};
use super::{Entry, Helper};
use crate::state::NetworkRecord;

impl Helper {
    /// The container that a caller of this site means.
    pub(super) fn find_entry(&self, site: SiteId, container: &Container) -> Option<Arc<Entry>> {
        self.index().meant(site, container).into_iter().next()
    }

    /// The container that a request is about.
    pub(super) fn of(&self, request: &TargetRequest) -> Option<Arc<Entry>> {
        self.find_entry(request.site, &request.container.container())
    }

    /// The container that a request is about, which must be there.
    pub(super) fn existing(&self, request: &TargetRequest, verb: Verb) -> Result<Arc<Entry>, Fault> {
        let missing = || Fault::not_running(verb, request.container.key().engine_name());
        self.of(request).ok_or_else(missing)
    }

    /// The container that a request is about, which must run.
    pub(super) fn running(&self, request: &TargetRequest, verb: Verb) -> Result<(Arc<Entry>, Arc<Alive>), Fault> {
        let entry = self.existing(request, verb)?;
        match entry.alive() {
            Some(alive) => Ok((entry, alive)),
            None => Err(Fault::not_running(verb, request.container.key().engine_name())),
        }
    }

    /// Finds one container.
    pub(crate) fn find(&self, request: &TargetRequest) -> Option<FoundAnswer> {
        self.of(request).map(|entry| self.found(&entry))
    }

    /// All containers of a site, the oldest first.
    pub(crate) fn list(&self, site: SiteId) -> Vec<FoundAnswer> {
        let all = self.index().of_site(site);
        all.iter().map(|entry| self.found(entry)).collect()
    }

    /// A container as it is reported.
    pub(super) fn found(&self, entry: &Entry) -> FoundAnswer {
        let state = match entry.now() {
            Now::Created => State::Created,
            Now::Exited { code } => State::Exited { code },
            Now::Running(alive) => {
                let running = RunningAnswer {
                    pid: alive.process.pid,
                    network: match &entry.record().network {
                        NetworkRecord::Own => RunningIn::Own,
                        NetworkRecord::Prepared(path) => RunningIn::Prepared(path.clone()),
                        NetworkRecord::Shared { name, .. } => RunningIn::Shared(name.clone()),
                    },
                };
                match self.group(&entry.reference).is_frozen() {
                    true => State::Paused(running),
                    false => State::Running(running),
                }
            }
        };
        FoundAnswer {
            container: entry.target(),
            state,
        }
    }
}
