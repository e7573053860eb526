//! Measures a container.

use super::LocalHost;
use crate::{Cause, ContainerRef, DiskUse, HostError, Stats};

impl LocalHost {
    pub(super) async fn stats_of(&self, container: &ContainerRef) -> Result<Stats, HostError> {
        let measured = async {
            let engine = self.engine(&container.engine)?;
            Ok::<_, Cause>(engine.stats(&container.container()).await?)
        };
        measured.await.map_err(|source| HostError::Stats {
            instance: container.instance,
            source,
        })
    }

    pub(super) async fn disk_of(&self, container: &ContainerRef) -> Result<DiskUse, HostError> {
        let measured = async {
            let engine = self.engine(&container.engine)?;
            Ok::<_, Cause>(engine.disk(&container.container()).await?)
        };
        measured.await.map_err(|source| HostError::Stats {
            instance: container.instance,
            source,
        })
    }
}
