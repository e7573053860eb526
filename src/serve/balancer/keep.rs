//! Keeps the balancers of `[balancer]`, as a service like any other.

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_api::ServiceControl;
use orchestrator_model::{BALANCER_SERVICE, RecordedService, ServiceState};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_service::{ServiceSpec, is_of_clients};
use orchestrator_settings::{BalancerSettings, Settings};
use orchestrator_store::Store;

use crate::serve::Context;
use crate::serve::services::Services;

/// The name under which the daemon deploys the service: `by` of its versions.
const BY: &str = "settings";
/// How often the service is compared with the settings, also when nothing changed.
const PERIOD: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);

pub(super) fn registration() -> Registration {
    Registration::new("balancer-service", "keeps the balancers that the settings ask for")
        .every(PERIOD)
        .retrying(Backoff::new(RETRY, PERIOD))
        .following_settings()
}

/// Deploys the service, and removes it when the settings no longer have it.
pub(super) struct Keeper {
    context: Context,
    store: Store,
    services: Services,
    /// What this daemon deployed last. What was given up is tried again when the settings change, or at the next start.
    deployed: Option<ServiceSpec>,
}

impl Keeper {
    pub(super) fn new(context: &Context, store: &Store, services: &Services) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
            services: services.clone(),
            deployed: None,
        }
    }

    /// The service as it is recorded, and whether the settings brought its version.
    async fn recorded(&self) -> Result<Option<(RecordedService, bool)>, Failure> {
        let situation = self.store.service_situation(BALANCER_SERVICE).await;
        let situation = situation.map_err(|fault| Failure::of(&fault))?;
        Ok(situation.map(|situation| {
            let version = situation.version(situation.service.version);
            let is_ours = version.is_some_and(|version| version.by.as_deref() == Some(BY));
            (situation.service, is_ours)
        }))
    }

    async fn keep(&mut self, balancer: &BalancerSettings, settings: &Settings) -> Result<(), Failure> {
        let spec = spec_of(balancer, settings)?;
        let recorded = self.recorded().await?;
        if self.deployed.as_ref() == Some(&spec) && recorded.is_some_and(|(service, _)| was_given_up(&service)) {
            return Ok(());
        }
        let put = self.services.put(&spec, BY).await;
        put.map_err(|fault| with_causes(&fault))?;
        self.deployed = Some(spec);
        Ok(())
    }

    /// Removes what earlier settings asked for. A service that somebody deployed under the name is left alone.
    async fn leave(&mut self) -> Result<(), Failure> {
        self.deployed = None;
        match self.recorded().await? {
            Some((service, true)) if service.state == ServiceState::Active => {
                let removed = self.services.remove(BY, BALANCER_SERVICE, None).await;
                removed.map_err(|fault| with_causes(&fault))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The service that the settings ask for.
fn spec_of(balancer: &BalancerSettings, settings: &Settings) -> Result<ServiceSpec, String> {
    let mut keys = balancer.service(BALANCER_SERVICE);
    if let Some(keys) = keys.as_object_mut() {
        // A template has defaults for them, and a service refuses them.
        keys.retain(|key, _| !is_of_clients(key));
    }
    ServiceSpec::read(&keys, settings).map_err(|faults| format!("[balancer] makes no service: {faults}"))
}

/// Whether the last version failed, so that the service went back or waits.
fn was_given_up(service: &RecordedService) -> bool {
    service.state == ServiceState::Active && (service.reason.is_some() || service.given_up.is_some())
}

#[async_trait]
impl Reconciler for Keeper {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let settings = self.context.settings.get();
        match &settings.balancer {
            Some(balancer) => self.keep(balancer, &settings).await?,
            None => self.leave().await?,
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_makes_a_service_whose_ports_are_open() {
        let text = "[engine.docker]\n[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\n[balancer]\ncount = 2\nstatistics = [\"fd39::/64\"]\n";
        let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        let spec = spec_of(settings.balancer.as_ref().unwrap(), &settings).unwrap();
        assert_eq!((spec.count(), spec.network.as_deref()), (Some(2), Some("br0")));
        assert!(!spec.template.isolated && spec.health.is_some());
        let open: Vec<String> = spec.template.access.open.iter().map(ToString::to_string).collect();
        assert_eq!(open, ["tcp/80", "tcp/443", "tcp/8404"]);
    }
}
