//! Routes and virtual addresses that somebody else has: a service that asks for one is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use orchestrator_api::ServiceError;
use orchestrator_model::Listen;
use orchestrator_service::ServiceSpec;
use orchestrator_settings::{LinkSettings, Settings};
use orchestrator_store::StoreError;

use super::Services;

impl Services {
    /// Refuses a route or a virtual address that another service has. Returns the versions of the others that were read for it:
    /// the deployment counts only while they are in force. A service without routes is held to none.
    pub(super) async fn refuse_taken_routes(
        &self,
        spec: &ServiceSpec,
        settings: &Settings,
    ) -> Result<Option<BTreeMap<String, u64>>, ServiceError> {
        if spec.routes.is_empty() && spec.listen.is_empty() {
            return Ok(None);
        }
        let routes: BTreeSet<_> = spec.routes.iter().map(|route| (&route.host, &route.path)).collect();
        let listen: BTreeSet<_> = spec
            .listen
            .iter()
            .map(|listen| (listen.address, listen.number))
            .collect();
        let mut others = self.store.current_service_versions().await?;
        others.remove(&spec.name);
        for (name, version) in &others {
            // One that cannot be read is shown by its own worker.
            let Ok(other) = Self::read(version, settings) else {
                continue;
            };
            let mut of_other = other.routes.iter();
            if let Some(route) = of_other.find(|route| routes.contains(&(&route.host, &route.path))) {
                let (host, path) = (&route.host, &route.path);
                return Err(ServiceError::Refused(format!(
                    "service {name} has the route {host}{path} already; take another one, or remove it there first"
                )));
            }
            let is_taken = |other: &&Listen| listen.contains(&(other.address, other.number));
            if let Some(taken) = other.listen.iter().find(is_taken) {
                let (address, number) = (taken.address, taken.number);
                return Err(ServiceError::Refused(format!(
                    "service {name} has the virtual address [{address}]:{number} already; take another one"
                )));
            }
        }
        let versions = others.into_iter().map(|(name, version)| (name, version.version));
        Ok(Some(versions.collect()))
    }

    /// Refuses a virtual address that somebody else of its link has or may get.
    pub(super) async fn refuse_addresses_in_use(
        &self,
        spec: &ServiceSpec,
        settings: &Settings,
    ) -> Result<(), ServiceError> {
        if spec.listen.is_empty() {
            return Ok(());
        }
        let recorded = self.store.reservations().await?;
        let reserved: BTreeSet<_> = recorded.iter().filter_map(|one| one.reservation.address).collect();
        for listen in &spec.listen {
            let address = listen.address;
            let Some(link) = settings.links.iter().find(|link| link.prefix().contains(&address)) else {
                continue;
            };
            let Some(holder) = holder_of(address, link, &reserved) else {
                continue;
            };
            let (name, prefix) = (&link.name, link.prefix());
            return Err(ServiceError::Refused(format!(
                "{holder} of link {name} has {address}, or may get it; take another address of {prefix}, outside of its \
                 ranges and reservations"
            )));
        }
        Ok(())
    }

    /// The service that has a virtual address, on whatever port.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub(in crate::serve) async fn holder_of_virtual_address(
        &self,
        address: Ipv6Addr,
    ) -> Result<Option<String>, StoreError> {
        let settings = self.settings.get();
        let has_it = |spec: ServiceSpec| spec.listen.iter().any(|listen| listen.address == address);
        let all = self.store.current_service_versions().await?.into_iter();
        let mut holders = all.filter(|(_, version)| Self::read(version, &settings).is_ok_and(has_it));
        Ok(holders.next().map(|(name, _)| name))
    }
}

/// In words, who has an address of a link or may get it.
fn holder_of(address: Ipv6Addr, link: &LinkSettings, reserved: &BTreeSet<Ipv6Addr>) -> Option<&'static str> {
    Some(match address {
        _ if link.address.addr() == address => "this machine",
        _ if link.front_door() == Some(address) => "the front door",
        _ if link.portal() == Some(address) => "the portal",
        _ if link.pool.is_some_and(|pool| pool.contains(&address)) => "a client",
        _ if link.reservations.iter().any(|one| one.address == Some(address)) => "a client",
        _ if reserved.contains(&address) => "a client",
        _ if link.class_pools.iter().any(|pool| pool.pool.contains(&address)) => "a client",
        _ if link.instances.is_some_and(|range| range.contains(&address)) => "an instance",
        _ => return None,
    })
}
