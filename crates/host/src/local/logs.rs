//! Reads what a container wrote.

use super::LocalHost;
use crate::{Cause, ContainerRef, HostError, LogRequest, OutputStream};

impl LocalHost {
    pub(super) async fn logs_of(
        &self,
        container: &ContainerRef,
        request: &LogRequest,
    ) -> Result<OutputStream, HostError> {
        let stream = async {
            let engine = self.engine(&container.engine)?;
            Ok::<_, Cause>(engine.logs(&container.container(), request).await?)
        };
        stream.await.map_err(|source| HostError::Logs {
            instance: container.instance,
            source,
        })
    }
}
