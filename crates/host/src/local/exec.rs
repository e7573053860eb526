//! Runs a command in a container.

use super::LocalHost;
use crate::{Cause, ContainerRef, ExecRequest, ExecSession, HostError};

impl LocalHost {
    pub(super) async fn exec_in(
        &self,
        container: &ContainerRef,
        request: &ExecRequest,
    ) -> Result<ExecSession, HostError> {
        let session = async {
            let engine = self.engine(&container.engine)?;
            Ok::<_, Cause>(engine.exec(&container.container(), request).await?)
        };
        session.await.map_err(|source| HostError::Exec {
            instance: container.instance,
            source,
        })
    }
}
