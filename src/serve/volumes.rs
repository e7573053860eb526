//! Volumes: their removal by rule, and what the API asks about them.

use std::sync::Arc;

use futures_util::TryStreamExt;
use orchestrator_api::{ByteStream, Caller, ControlError};
use orchestrator_host::Host;
use orchestrator_model::{Clock, RecordedVolume, VolumeId};
use orchestrator_reconcile::driver::Handle;
use orchestrator_reconcile::volumes::{Parts, register};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::usage::{VolumeUsage, VolumeUsages};
use orchestrator_store::{Store, StoreError};

use super::Context;

/// What the API asks about volumes.
pub(super) struct Volumes {
    store: Store,
    host: Arc<dyn Host>,
    clock: Clock,
    usages: VolumeUsages,
    removal: Handle,
}

impl Volumes {
    /// Has volumes removed when their time has come.
    pub(super) fn register(context: &Context, store: &Store, host: &Arc<dyn Host>) -> Self {
        let usages = VolumeUsages::default();
        let parts = Parts {
            records: Arc::new(store.clone()),
            hosts: vec![host.clone()],
            clock: context.clock,
            usages: usages.clone(),
            metrics: context.metrics.clone(),
        };
        Self {
            store: store.clone(),
            host: host.clone(),
            clock: context.clock,
            usages,
            removal: register(&context.driver, parts),
        }
    }

    /// What a volume took of the disk when it was measured last.
    pub(super) fn usage(&self, id: VolumeId) -> Option<VolumeUsage> {
        self.usages.of(id)
    }

    /// Records that a volume is to be removed, and has that begun.
    pub(super) async fn destroy(&self, by: &Caller, id: VolumeId) -> Result<RecordedVolume, ControlError> {
        let volume = self
            .store
            .destroy_volume(id, Some(by.to_string()), self.clock.now())
            .await?;
        tracing::info!(volume = %id, by = %by, "volume is to be removed");
        self.removal.activate();
        Ok(volume)
    }

    /// The content of a volume, as a tar archive.
    pub(super) async fn export(&self, id: VolumeId) -> Result<ByteStream, ControlError> {
        self.store.volume(id).await?.ok_or(StoreError::NoSuchVolume(id))?;
        let archive = self.host.export_volume(id).await;
        let archive = archive.map_err(|fault| ControlError::Refused {
            reason: with_causes(&fault),
        })?;
        Ok(Box::pin(archive.map_err(Into::into)))
    }
}
