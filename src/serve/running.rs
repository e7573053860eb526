//! What runs in instances, for the API.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_api::{Caller, ControlError, RunControl};
use orchestrator_host::{ContainerRef, ExecRequest, ExecSession, Host, HostError, LogRequest, OutputStream, Stats};
use orchestrator_model::{ByteStream, Clock, Container, EventKind, Instance, NewEvent};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::Store;

/// Reaches the containers of instances through their host.
pub(super) struct Running {
    pub(super) host: Arc<dyn Host>,
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Running {
    /// The host of an instance, and the container as that knows it.
    fn at<'a>(
        &'a self,
        instance: &Instance,
        container: &Container,
    ) -> Result<(&'a Arc<dyn Host>, ContainerRef), ControlError> {
        let is_here = instance
            .host
            .as_ref()
            .is_some_and(|host| host.as_str() == self.host.name());
        if !is_here {
            return Err(ControlError::Engine {
                code: "engine-unavailable",
                reason: format!("instance {} is on no host that this daemon reaches", instance.id),
            });
        }
        let of = ContainerRef {
            instance: instance.id,
            // Names are checked before they are recorded.
            name: container.name.parse().unwrap_or_default(),
            engine: container.engine.clone(),
            reference: container.reference.clone(),
        };
        Ok((&self.host, of))
    }

    /// Records who ran which program. What ran has run: that it cannot be recorded is logged.
    async fn record(&self, by: &Caller, instance: &Instance, request: &ExecRequest) {
        let event = NewEvent {
            by: Some(by.to_string()),
            detail: request.command.first().cloned(),
            ..instance.event(self.clock.now(), EventKind::InstanceExec)
        };
        if let Err(fault) = self.store.append_event(event).await {
            let error = with_causes(&fault);
            tracing::warn!(instance = %instance.id, %by, error, "a command that was run is not in the timeline");
        }
    }
}

fn failed(fault: HostError) -> ControlError {
    ControlError::Engine {
        code: fault.code(),
        reason: with_causes(&fault),
    }
}

#[async_trait]
impl RunControl for Running {
    async fn exec(
        &self,
        by: &Caller,
        instance: &Instance,
        container: &Container,
        request: &ExecRequest,
    ) -> Result<ExecSession, ControlError> {
        let (host, of) = self.at(instance, container)?;
        tracing::info!(%by, instance = %instance.id, program = request.command.first(), "asked to run a command");
        // The record waits for no command, nor a command for its record.
        let (session, ()) = tokio::join!(host.exec(&of, request), self.record(by, instance, request));
        session.map_err(failed)
    }

    async fn put_files(
        &self,
        instance: &Instance,
        container: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), ControlError> {
        let (host, of) = self.at(instance, container)?;
        host.put_files(&of, directory, archive).await.map_err(failed)
    }

    async fn logs(
        &self,
        instance: &Instance,
        container: &Container,
        request: &LogRequest,
    ) -> Result<OutputStream, ControlError> {
        let (host, of) = self.at(instance, container)?;
        host.logs(&of, request).await.map_err(failed)
    }

    async fn stats(&self, instance: &Instance, container: &Container) -> Result<Stats, ControlError> {
        let (host, of) = self.at(instance, container)?;
        host.stats(&of).await.map_err(failed)
    }
}
