//! Routes and virtual addresses that somebody else has: a service that asks for one is refused.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;

use orchestrator_api::ServiceError;
use orchestrator_model::{Listen, Route};
use orchestrator_service::ServiceSpec;
use orchestrator_settings::{LinkSettings, Settings};
use orchestrator_store::{Apart, HeldVersion, StoreError};

use super::Services;
use super::change::refused;

impl Services {
    /// Refuses a route or a virtual address that another service has, or may go back to. Returns the rule, by which the
    /// deployment is compared with services that are changed meanwhile; `None` for one that wants nothing for itself.
    pub(super) async fn refuse_taken(
        &self,
        spec: &ServiceSpec,
        settings: &Arc<Settings>,
    ) -> Result<Option<Apart>, ServiceError> {
        if spec.routes.is_empty() && spec.listen.is_empty() {
            return Ok(None);
        }
        let (own, settings) = (spec.clone(), settings.clone());
        let mut apart = Apart::new(move |held| shared(&own, held, &settings));
        let all = self.store.held_service_versions().await?;
        let others = all.iter().filter(|held| held.version.service != spec.name);
        apart.compare(others).map_err(refused)?;
        Ok(Some(apart))
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

    /// The rule that no service listens on an address, on whatever port. All services pass it now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when a service does, or may go back to a version that does; when the database is away.
    pub(in crate::serve) async fn refuse_listening(&self, address: Ipv6Addr) -> Result<Apart, StoreError> {
        let settings = self.settings.get();
        let mut apart = Apart::new(move |held| {
            let other = Self::read(&held.version, &settings).ok()?;
            let listens = other.listen.iter().any(|listen| listen.address == address);
            listens.then(|| {
                format!(
                    "service {} listens on {address} as its virtual address{}; take another one, or {}",
                    held.version.service,
                    in_version(held),
                    until_free(held)
                )
            })
        });
        apart.compare(&self.store.held_service_versions().await?)?;
        Ok(apart)
    }
}

/// What a new version has in common with a version of another service that only one may have.
fn shared(own: &ServiceSpec, held: &HeldVersion, settings: &Settings) -> Option<String> {
    // One that cannot be read is shown by its own worker.
    let other = Services::read(&held.version, settings).ok()?;
    let (name, version) = (&held.version.service, in_version(held));
    let is_same = |route: &&Route| {
        let mut routes = own.routes.iter();
        routes.any(|one| (&one.host, &one.path) == (&route.host, &route.path))
    };
    if let Some(Route { host, path, .. }) = other.routes.iter().find(is_same) {
        return Some(format!(
            "service {name} has the route {host}{path} already{version}; take another one, or {}",
            until_free(held)
        ));
    }
    let is_same = |listen: &&Listen| {
        let mut listens = own.listen.iter();
        listens.any(|one| (one.address, one.number) == (listen.address, listen.number))
    };
    let Listen { address, number, .. } = other.listen.iter().find(is_same)?;
    Some(format!(
        "service {name} has the virtual address [{address}]:{number} already{version}; take another one, or {}",
        until_free(held)
    ))
}

/// Says what to do until a service has given up something.
fn until_free(held: &HeldVersion) -> &'static str {
    match held.in_force {
        true => "remove it there first",
        false => "wait until the present version serves",
    }
}

/// Names the version that has something, where it is not the one that the service shows.
fn in_version(held: &HeldVersion) -> String {
    match held.in_force {
        true => String::new(),
        false => format!(
            ", in version {}, to which it goes back if its present one fails",
            held.version.version
        ),
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
