//! Reservations through the API.

use std::collections::HashMap;

use orchestrator_api::ControlError;
use orchestrator_model::{Clock, LeaseSource, RecordedReservation, Reservation, ReservationId, ReservationView};
use orchestrator_runtime::notifications::Notifications;
use orchestrator_settings::{Current, LinkSettings, Settings};
use orchestrator_source::reserved::{Reserved, in_force};
use orchestrator_store::{Store, StoreError};

use super::services::Services;

/// Where reservations are made and removed. What it has recorded counts when it returns.
pub(super) struct Reservations {
    pub(super) settings: Current,
    pub(super) store: Store,
    pub(super) reserved: Reserved,
    pub(super) clock: Clock,
    pub(super) notifications: Notifications,
    pub(super) services: Services,
}

impl Reservations {
    /// Those of the settings, then those that were made here, with whether they count.
    pub(super) async fn list(&self) -> Result<Vec<ReservationView>, ControlError> {
        let recorded = self.store.reservations().await?;
        let settings = self.settings.get();
        let mut counts: HashMap<ReservationId, bool> = HashMap::new();
        for link in &settings.links {
            let (_, which) = in_force(&settings, link, &recorded);
            let counting = recorded.iter().zip(which).filter(|(_, counts)| *counts);
            counts.extend(counting.map(|(reservation, _)| (reservation.id, true)));
        }
        let written = settings.links.iter().flat_map(of_settings);
        let made = recorded.into_iter().map(|recorded| {
            let in_force = counts.contains_key(&recorded.id);
            view(recorded, in_force)
        });
        Ok(written.chain(made).collect())
    }

    /// Makes one.
    pub(super) async fn add(
        &self,
        link: &str,
        new: Reservation,
        authorized_keys: Vec<String>,
    ) -> Result<ReservationView, ControlError> {
        let settings = self.settings.get();
        check(&settings, link, &new, !authorized_keys.is_empty())?;
        let apart = match new.address {
            Some(address) => Some(self.services.refuse_listening(address).await.map_err(conflict)?),
            None => None,
        };
        let at = self.clock.now();
        let recorded = self.store.add_reservation(link, new, authorized_keys, apart, at).await;
        let recorded = recorded.map_err(conflict)?;
        tracing::info!(reservation = %recorded.id, link, holder = %recorded.reservation.holder, "reserved");
        self.take_effect(&recorded).await?;
        Ok(view(recorded, true))
    }

    /// Removes one.
    pub(super) async fn remove(&self, id: ReservationId) -> Result<ReservationView, ControlError> {
        let recorded = self.store.remove_reservation(id).await?;
        tracing::info!(reservation = %id, link = recorded.link, "no longer reserved");
        self.take_effect(&recorded).await?;
        Ok(view(recorded, false))
    }

    async fn take_effect(&self, changed: &RecordedReservation) -> Result<(), ControlError> {
        self.reserved.refresh().await?;
        if changed.reservation.prefix.is_some() {
            // While nobody holds it, it is unreachable.
            self.notifications.notify_prefixes();
        }
        Ok(())
    }
}

/// The answer to a write that failed: that a service has the address is no fault of the store.
fn conflict(fault: StoreError) -> ControlError {
    match fault {
        StoreError::Taken(reason) => ControlError::Conflict {
            reason: format!("it cannot be reserved: {reason}"),
        },
        fault => fault.into(),
    }
}

/// A new one suits its link, and the settings have none that stands against it.
fn check(settings: &Settings, name: &str, new: &Reservation, has_keys: bool) -> Result<(), ControlError> {
    let refused = |reason: String| ControlError::Refused { reason };
    let suits = settings.reservation_rules().check(name, new, has_keys);
    suits.map_err(|fault| refused(fault.to_string()))?;
    let link = settings.link(name).filter(|link| link.source == LeaseSource::Listener);
    let link = link.ok_or_else(|| {
        let elsewhere = "reserve it in dnsmasq's configuration";
        refused(format!("dnsmasq answers the clients of link {name}: {elsewhere}"))
    })?;
    let (mut written, _) = in_force(settings, link, &[]);
    written.insert(new.clone()).map_err(|conflict| ControlError::Conflict {
        reason: format!("it cannot be reserved: in the settings, {conflict}"),
    })
}

fn of_settings(link: &LinkSettings) -> impl Iterator<Item = ReservationView> {
    let view = |reservation: &Reservation, keys: &[String]| ReservationView {
        id: None,
        link: link.name.clone(),
        reservation: reservation.clone(),
        authorized_keys: keys.to_vec(),
        created: None,
        in_force: true,
    };
    let keys_of = |reservation: &Reservation| link.reserved_keys.iter().find(|one| one.reservation == *reservation);
    let reserved = link
        .reservations
        .iter()
        .map(move |one| view(one, keys_of(one).map_or(&[], |one| &one.keys)));
    // Those that have SSH keys alone.
    let others = link
        .reserved_keys
        .iter()
        .filter(|one| !link.reservations.contains(&one.reservation));
    reserved.chain(others.map(move |one| view(&one.reservation, &one.keys)))
}

fn view(recorded: RecordedReservation, in_force: bool) -> ReservationView {
    ReservationView {
        id: Some(recorded.id),
        link: recorded.link,
        reservation: recorded.reservation,
        authorized_keys: recorded.authorized_keys,
        created: Some(recorded.created),
        in_force,
    }
}
