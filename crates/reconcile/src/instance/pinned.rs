//! The images that an instance is made from: those that the version of its template is pinned to.

use std::collections::BTreeMap;

use orchestrator_host::{Cause, EnsureFault, HostError, InstancePlan};
use orchestrator_model::{EngineError, Instance};
use orchestrator_store::StoreError;

use super::Orchestrator;
use super::failure::Failure;
use crate::images::PinFault;

/// The engine's id of the image for each name that the containers of an instance have, where it is pinned.
pub(super) type Pinned = BTreeMap<String, String>;

impl Orchestrator {
    /// The pins of an instance. The first instance of a version on an engine makes them.
    ///
    /// An image that the engine lacks is left out: a container may outlive its image, and what needs it says so.
    pub(super) async fn pinned(&self, instance: &Instance) -> Result<Result<Pinned, Failure>, StoreError> {
        let Some(host) = &instance.host else {
            return Ok(Ok(Pinned::new()));
        };
        let of = (instance.template.as_str(), instance.version);
        let mut pinned = Pinned::new();
        for container in &instance.containers {
            let image = &container.image;
            match self.inner.pins.digest(of, (host, &container.engine), image).await {
                Ok(Some(digest)) => {
                    pinned.insert(image.clone(), digest);
                }
                Ok(None) => {}
                Err(PinFault::Store(fault)) => return Err(fault),
                Err(PinFault::Host(fault)) => return Ok(Err(Failure::Host(fault))),
                Err(fault @ PinFault::Going { .. }) => return Ok(Err(Failure::Image(fault))),
            }
        }
        Ok(Ok(pinned))
    }
}

/// Has the containers of a plan made from the images that their names are pinned to.
pub(super) fn pin(plan: &mut InstancePlan, pinned: &Pinned) {
    for container in &mut plan.containers {
        if let Some(digest) = pinned.get(&container.spec.image) {
            container.spec.image.clone_from(digest);
        }
    }
}

/// The failure of an instance whose pinned image is not on the engine; `None` if that is not why.
pub(super) fn explain(instance: &Instance, pinned: &Pinned, fault: &HostError) -> Option<Failure> {
    let missing = match fault {
        HostError::Ensure(EnsureFault::Cause(Cause::Engine(EngineError::ImageMissing { image }))) => image,
        _ => return None,
    };
    let (image, digest) = pinned.iter().find(|(_, digest)| *digest == missing)?;
    Some(Failure::PinnedImageGone {
        template: instance.template.clone(),
        version: instance.version,
        image: image.clone(),
        digest: digest.clone(),
        engine: instance.engine().to_owned(),
    })
}
