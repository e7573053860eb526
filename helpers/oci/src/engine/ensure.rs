//! Makes sure that a container exists and runs.

use std::path::PathBuf;
use std::sync::Arc;

use orchestrator_plugin_oci::protocol::{EnsureRequest, Fault, FoundAnswer, Verb};
use tokio::sync::oneshot;
use tracing::warn;

use super::create::{Plan, check_files};
use super::entry::Now;
use super::{Entry, Helper, share};
use crate::state::{NetworkRecord, Owner};

impl Helper {
    /// Makes the container where there is none, starts it where it does not run. See [`Self::start`] for `early`.
    pub(crate) async fn ensure(
        &self,
        request: EnsureRequest,
        early: Option<oneshot::Sender<PathBuf>>,
    ) -> Result<FoundAnswer, Fault> {
        let container = request.container.container();
        let name = container.key.engine_name();
        check_files(&name, &request.spec)?;
        self.wait_ahead();
        let _turn = self.turn(&container.key).await;
        let (network, other) = self.network(request.site, &container, &request.network)?;
        if let Some(entry) = self.find_entry(request.site, &container) {
            if !share::is_of_another(&entry, other.as_ref()) {
                return self.ensure_runs(&entry, other.as_ref(), early).await;
            }
            warn!(
                container = name,
                "it shares the network of a container that is gone: creating it anew"
            );
            self.remove_entry(&entry).await?;
        }
        if self.index().has_name(&name) {
            return Err(stranger(name));
        }
        let mut spec = request.spec;
        let image = spec.image.clone();
        if let (NetworkRecord::Shared { .. }, Some(other)) = (&network, &other) {
            // It has the host name and the name servers of the other one.
            let of_other = other.record();
            spec.hostname.clone_from(&of_other.spec.hostname);
            spec.resolver.clone_from(&of_other.spec.resolver);
        }
        let entry = self
            .create(Plan {
                name,
                owner: Some(Owner {
                    site: request.site,
                    instance: container.key.instance,
                    container: container.key.name,
                }),
                replaces: container.reference,
                image,
                network,
                spec,
                log: request.log,
            })
            .await?;
        self.start(&entry, early).await
    }

    /// Sees to it that a container runs, in the network that it belongs to.
    async fn ensure_runs(
        &self,
        entry: &Arc<Entry>,
        other: Option<&Arc<Entry>>,
        early: Option<oneshot::Sender<PathBuf>>,
    ) -> Result<FoundAnswer, Fault> {
        if share::was_left(entry, other) {
            self.end(entry).await?;
        }
        match entry.now() {
            Now::Running(_) => {
                self.thaw(entry)?;
                Ok(self.found(entry))
            }
            Now::Created | Now::Exited { .. } => self.start(entry, early).await,
        }
    }
}

/// Somebody else's container goes by the name that ours would have.
fn stranger(name: String) -> Fault {
    let reason = "a container of that name is there and is not ours; remove or rename it";
    Fault::refused(Verb::Create, name, reason)
}
