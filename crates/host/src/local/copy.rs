//! Copies files out of and into a container.

use std::path::Path;

use super::LocalHost;
use crate::{ByteStream, Cause, ContainerRef, HostError, InstanceRef};

impl LocalHost {
    pub(super) async fn read_files(&self, container: &ContainerRef, path: &Path) -> Result<ByteStream, HostError> {
        self.archive(container, path).await.map_err(|source| HostError::Files {
            instance: container.instance,
            source,
        })
    }

    pub(super) async fn write_files(
        &self,
        container: &ContainerRef,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), HostError> {
        let written = async {
            let engine = self.engine(&container.engine)?;
            Ok::<_, Cause>(engine.write_files(&container.container(), directory, archive).await?)
        };
        written.await.map_err(|source| HostError::Files {
            instance: container.instance,
            source,
        })
    }

    pub(super) async fn export_first(&self, instance: &InstanceRef) -> Result<ByteStream, HostError> {
        let archive = async {
            let first = instance.containers.first().ok_or(Cause::NoContainer)?;
            self.archive(first, Path::new("/")).await
        };
        archive.await.map_err(|source| HostError::Export {
            instance: instance.id,
            source,
        })
    }

    async fn archive(&self, container: &ContainerRef, path: &Path) -> Result<ByteStream, Cause> {
        let engine = self.engine(&container.engine)?;
        Ok(engine.read_files(&container.container(), path).await?)
    }
}
