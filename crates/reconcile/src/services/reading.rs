//! A service as it was read: its versions in use are parsed, and its instances are found by slot.

use std::collections::{BTreeMap, HashMap};

use orchestrator_model::{Instance, ServiceSlot, Slot};
use orchestrator_service::ServiceSpec;
use orchestrator_settings::Settings;
use orchestrator_store::ServiceSituation;

use super::placement::Places;

/// What is recorded of a service at one moment, and what follows from it without a question.
pub(super) struct Reading {
    pub(super) situation: ServiceSituation,
    /// The versions in use. One that this program or these settings cannot read is `None`: it keeps its instances, and gets
    /// no others.
    pub(super) specs: BTreeMap<u64, Option<ServiceSpec>>,
    /// The hosts of wanted slots without an instance. Empty until they are placed.
    pub(super) places: Places,
    /// Why slots that have a host wait for a place there. Empty until they are placed.
    pub(super) held_up: BTreeMap<u32, String>,
    /// The places of the live instances in the situation. Those of a service with one for each client have all the same slot.
    by_slot: HashMap<Slot, usize>,
}

impl Reading {
    pub(super) fn new(situation: ServiceSituation, settings: &Settings) -> Self {
        let versions = situation.versions.iter().map(|version| version.version);
        let specs = versions.map(|version| (version, spec_of(&situation, version, settings)));
        let places = situation.instances.iter().enumerate();
        Self {
            specs: specs.collect(),
            by_slot: places.map(|(place, instance)| (instance.slot.clone(), place)).collect(),
            places: Places::new(),
            held_up: BTreeMap::new(),
            situation,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.situation.service.name
    }

    /// A version in use, if it can be read.
    pub(super) fn spec(&self, version: u64) -> Option<&ServiceSpec> {
        self.specs.get(&version)?.as_ref()
    }

    /// The version that the instances are to have, if it can be read.
    pub(super) fn target(&self) -> Option<&ServiceSpec> {
        self.spec(self.situation.service.version)
    }

    /// Why no host can have the instance of a slot; `None` if one can, or it has one.
    pub(super) fn unplaced(&self, slot: &ServiceSlot) -> Option<String> {
        let place = self.places.get(&slot.number)?;
        place.as_ref().err().map(ToString::to_string)
    }

    /// What a slot without an instance waits for: a host, or a place on its host.
    pub(super) fn waits_for(&self, slot: &ServiceSlot) -> Option<String> {
        self.unplaced(slot).or_else(|| self.held_up.get(&slot.number).cloned())
    }

    /// The live instance in a slot.
    pub(super) fn instance_in(&self, slot: &ServiceSlot) -> Option<&Instance> {
        let place = self.by_slot.get(&slot.slot())?;
        self.situation.instances.get(*place)
    }
}

fn spec_of(situation: &ServiceSituation, version: u64, settings: &Settings) -> Option<ServiceSpec> {
    let recorded = situation.version(version)?;
    let keys = serde_json::from_str(&recorded.spec).ok()?;
    match ServiceSpec::reread(&keys, settings) {
        Ok(spec) => Some(spec),
        Err(faults) => {
            tracing::warn!(service = recorded.service, version, %faults, "cannot be read; deploy it anew");
            None
        }
    }
}
