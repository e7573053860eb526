//! Resolves the names of images in a version of a template, once for each engine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_host::{Capability, Cause, Host, HostError};
use orchestrator_model::{Clock, EngineError, HostId};
use orchestrator_settings::TemplateSettings;
use orchestrator_store::{NewPin, Pinning, StoreError};
use tokio::sync::OnceCell;

use super::PinRecords;

/// The number of remembered pins. Beyond it, all are read again.
const REMEMBERED: usize = 4096;

/// A name in a version of a template on an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    template: String,
    version: u64,
    host: HostId,
    engine: String,
    image: String,
}

/// Why it is not known which image a name means.
#[derive(Debug, thiserror::Error)]
pub enum PinFault {
    /// The engine could not be asked.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image is being removed. It is there again once it is loaded again, or its name means another one.
    #[error("image {image:?} ({digest}) is being removed from engine {engine}, because nothing used it; load it again")]
    Going {
        /// The name.
        image: String,
        /// The image.
        digest: String,
        /// The engine.
        engine: String,
    },
}

/// Knows which image each name in a version of a template means. A pin never changes, so that it is remembered.
///
/// A cheap handle: all clones share what is remembered.
#[derive(Clone)]
pub struct Pins {
    inner: Arc<Inner>,
}

struct Inner {
    records: Arc<dyn PinRecords>,
    hosts: BTreeMap<HostId, Arc<dyn Host>>,
    clock: Clock,
    /// One cell a name, so that many instances that begin at once resolve it once.
    known: Mutex<HashMap<Name, Arc<OnceCell<String>>>>,
}

impl Pins {
    /// Resolves on these machines, and records there.
    pub fn new(records: Arc<dyn PinRecords>, hosts: Vec<Arc<dyn Host>>, clock: Clock) -> Self {
        let named = hosts.into_iter();
        let inner = Inner {
            records,
            hosts: named.map(|host| (HostId::new(host.name()), host)).collect(),
            clock,
            known: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The engine's id of the image that a name in a version of a template means on an engine. The first call resolves
    /// and records it.
    ///
    /// `None` when there is nothing to pin: the engine has no such image, pins no images, or is not known, or the
    /// version is not recorded. The next call tries again.
    ///
    /// # Errors
    ///
    /// When the engine or the database did not answer, or the image is being removed.
    pub async fn digest(
        &self,
        (template, version): (&str, u64),
        (host, engine): (&HostId, &str),
        image: &str,
    ) -> Result<Option<String>, PinFault> {
        let Some(machine) = self
            .inner
            .hosts
            .get(host)
            .filter(|machine| pins_images(machine.as_ref(), engine))
        else {
            return Ok(None);
        };
        let name = Name {
            template: template.to_owned(),
            version,
            host: host.clone(),
            engine: engine.to_owned(),
            image: image.to_owned(),
        };
        let cell = self.cell(&name);
        match cell.get_or_try_init(|| self.resolve(machine.as_ref(), &name)).await {
            Ok(digest) => Ok(Some(digest.clone())),
            Err(Unpinned::Nothing) => Ok(None),
            Err(Unpinned::Fault(fault)) => Err(fault),
        }
    }

    fn cell(&self, name: &Name) -> Arc<OnceCell<String>> {
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(name) {
            known.clear();
        }
        known.entry(name.clone()).or_default().clone()
    }

    async fn resolve(&self, machine: &dyn Host, name: &Name) -> Result<String, Unpinned> {
        let Inner { records, clock, .. } = self.inner.as_ref();
        let pins = records.image_pins(&name.template, name.version).await?;
        let same = |pin: &&orchestrator_model::ImagePin| {
            pin.host == name.host && pin.engine == name.engine && pin.image == name.image
        };
        if let Some(pin) = pins.iter().find(same) {
            return Ok(pin.digest.clone());
        }
        let facts = match machine.find_image(&name.engine, &name.image).await {
            Ok(facts) => facts,
            Err(fault) if is_missing(&fault) => return Err(Unpinned::Nothing),
            Err(fault) => return Err(Unpinned::Fault(fault.into())),
        };
        let pin = NewPin {
            host: name.host.clone(),
            engine: name.engine.clone(),
            image: name.image.clone(),
            digest: facts.id.clone(),
        };
        match records
            .pin_image(&name.template, name.version, pin, clock.now())
            .await?
        {
            Pinning::Pinned(pin) => Ok(pin.digest),
            Pinning::NoVersion => Err(Unpinned::Nothing),
            Pinning::Going => Err(Unpinned::Fault(PinFault::Going {
                image: name.image.clone(),
                digest: facts.id,
                engine: name.engine.clone(),
            })),
        }
    }
}

/// Why a cell stays empty.
enum Unpinned {
    Nothing,
    Fault(PinFault),
}

impl From<StoreError> for Unpinned {
    fn from(fault: StoreError) -> Self {
        Self::Fault(fault.into())
    }
}

/// Whether an engine makes containers from images by their ids, so that a version can be pinned to one.
pub fn pins_images(machine: &dyn Host, engine: &str) -> bool {
    can(machine, engine, Capability::ImagePins)
}

/// Whether an engine lists its images.
pub(super) fn lists_images(machine: &dyn Host, engine: &str) -> bool {
    can(machine, engine, Capability::Images)
}

fn can(machine: &dyn Host, engine: &str, capability: Capability) -> bool {
    let capabilities = machine.capabilities();
    let of = capabilities.engines.get(engine);
    of.is_some_and(|capabilities| capabilities.has(capability))
}

/// The names of all images of a template.
pub fn image_names(template: &TemplateSettings) -> BTreeSet<&str> {
    let containers = template.containers();
    containers.map(|(_, container)| container.image.as_str()).collect()
}

pub(super) fn is_missing(fault: &HostError) -> bool {
    matches!(
        fault,
        HostError::Images {
            source: Cause::Engine(EngineError::ImageMissing { .. }),
            ..
        }
    )
}
