//! The slots of all services, as their workers last read them. The wants of services are answered from here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_model::{ServiceState, Slot, SlotState, service_template};
use orchestrator_service::{Instances, PerClient, ServiceSpec};
use orchestrator_settings::Settings;
use orchestrator_store::ServiceSituation;

use crate::instance::Want;

/// What each service wants. A cheap handle: all clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Board {
    services: Arc<Mutex<BTreeMap<String, Wanted>>>,
}

/// What one service wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// These slots are to be filled or kept.
    Slots(BTreeMap<Slot, Want>),
    /// Each of these clients is to have an instance of this template.
    PerClient(PerClient, String),
}

impl Board {
    pub(super) fn services(&self) -> MutexGuard<'_, BTreeMap<String, Wanted>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is recorded of a service.
    pub(super) fn put(&self, situation: &ServiceSituation, settings: &Settings) {
        let wanted = wanted(situation, settings);
        self.services().insert(situation.service.name.clone(), wanted);
    }

    pub(super) fn remove(&self, service: &str) {
        self.services().remove(service);
    }
}

/// Reads a recorded version. One that this program or these settings cannot read keeps its instances, and gets no others.
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

/// The recorded versions that are in use.
pub(super) fn specs_of(situation: &ServiceSituation, settings: &Settings) -> BTreeMap<u64, Option<ServiceSpec>> {
    let versions = situation.versions.iter().map(|version| version.version);
    versions
        .map(|version| (version, spec_of(situation, version, settings)))
        .collect()
}

fn wanted(situation: &ServiceSituation, settings: &Settings) -> Wanted {
    let service = &situation.service;
    let specs = specs_of(situation, settings);
    if service.instances.is_none() && service.state == ServiceState::Active {
        let current = specs.get(&service.version).and_then(Option::as_ref);
        if let Some(Instances::PerClient(clients)) = current.map(|spec| &spec.instances) {
            return Wanted::PerClient(clients.clone(), service_template(&service.name, service.version));
        }
    }
    let open = situation.slots.iter().filter(|slot| slot.state != SlotState::Closed);
    let want = |slot: &orchestrator_model::ServiceSlot| {
        let spec = specs.get(&slot.version).and_then(Option::as_ref);
        let want = match spec.and_then(|spec| spec.network.clone()) {
            Some(network) if slot.state == SlotState::Wanted => Want::Fill {
                template: service_template(&service.name, slot.version),
                network,
            },
            _ => Want::Keep,
        };
        (slot.slot(), want)
    };
    Wanted::Slots(open.map(want).collect())
}
