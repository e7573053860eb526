//! A HAProxy in a container of an instance.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use orchestrator_balancer::Files;
use orchestrator_balancer::runtime::{Balancer, Control, Stream};
use orchestrator_host::{ContainerRef, DialPlan, Host, HostError, Socket};
use orchestrator_model::{EndpointState, Instance};
use orchestrator_runtime::causes::with_causes;

use super::archive::archive;

/// Where the image has HAProxy's files and sockets.
pub(super) const DIRECTORY: &str = "/var/lib/balancer";
/// How long one connection may take.
const WITHIN: Duration = Duration::from_secs(2);

/// The HAProxy of an instance, in its first container.
pub(super) struct InstanceBalancer {
    host: Arc<dyn Host>,
    container: ContainerRef,
    state: EndpointState,
}

impl InstanceBalancer {
    /// `None` for an instance that has no container yet, or that runs on a host that this daemon does not reach.
    pub(super) fn of(instance: &Instance, state: EndpointState, host: &Arc<dyn Host>) -> Option<Self> {
        let container = instance.containers.first()?;
        let is_here = instance.host.as_ref().is_some_and(|of| of.as_str() == host.name());
        let container = ContainerRef {
            instance: instance.id,
            name: container.name.parse().ok()?,
            engine: container.engine.clone(),
            reference: container.reference.clone(),
        };
        is_here.then(|| Self {
            host: host.clone(),
            container,
            state,
        })
    }
}

#[async_trait]
impl Balancer for InstanceBalancer {
    fn name(&self) -> String {
        self.container.instance.to_string()
    }

    fn serves(&self) -> bool {
        self.state == EndpointState::Serving
    }

    fn has_served(&self) -> bool {
        self.state != EndpointState::Starting
    }

    async fn dial(&self, control: Control) -> io::Result<Box<dyn Stream>> {
        let plan = DialPlan {
            id: self.container.instance,
            socket: Socket::Unix {
                container: self.container.clone(),
                path: PathBuf::from(DIRECTORY).join(control.file()),
            },
            within: WITHIN,
        };
        let dialled = self.host.dial(&plan).await;
        Ok(Box::new(dialled.map_err(failure)?))
    }

    async fn write(&self, files: &Files) -> io::Result<()> {
        let archive = stream::iter([Ok(archive(files)?.into())]);
        let written = self
            .host
            .put_files(&self.container, Path::new(DIRECTORY), Box::pin(archive));
        written.await.map_err(failure)
    }
}

/// A failure of a host, of the kind of the operating system's failure that caused it.
fn failure(fault: HostError) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&fault);
    let mut kind = io::ErrorKind::Other;
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            kind = error.kind();
        }
        cause = error.source();
    }
    io::Error::new(kind, with_causes(&fault))
}
