//! Reservations of the settings and of the API.
//!
//! The settings take precedence. A reservation of the API that conflicts with them stays recorded, and is not in force
//! while the conflict lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use orchestrator_dhcp6::Reservations;
use tokio::sync::watch;

use orchestrator_model::{LeaseSource, RecordedReservation};
use orchestrator_settings::{LinkSettings, Settings};
use orchestrator_store::{Store, StoreError};

/// The reservations of the API. A cheap handle.
#[derive(Debug, Clone)]
pub struct Reserved {
    store: Store,
    looks: Arc<AtomicU64>,
    known: watch::Sender<Known>,
}

/// The result of one read of the store.
#[derive(Debug, Clone, Default)]
struct Known {
    look: u64,
    reservations: Arc<[RecordedReservation]>,
}

/// A view of the reservations of the API.
#[derive(Debug, Clone)]
pub struct ReservedView(watch::Receiver<Known>);

impl Reserved {
    /// No reservations, until it is [refreshed](Self::refresh).
    pub fn new(store: Store) -> Self {
        let (known, _) = watch::channel(Known::default());
        Self {
            store,
            looks: Arc::default(),
            known,
        }
    }

    /// Reads the store. When it returns, all handles see what was recorded before the call.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or a row cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        // A read that began later has seen no less. So the read that began last counts, in whatever order they end.
        let look = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        let reservations: Arc<[_]> = self.store.reservations().await?.into();
        self.known.send_if_modified(|known| {
            let is_later = look > known.look;
            let is_news = is_later && known.reservations != reservations;
            if is_later {
                *known = Known { look, reservations };
            }
            is_news
        });
        Ok(())
    }

    /// A handle for readers.
    pub fn view(&self) -> ReservedView {
        ReservedView(self.known.subscribe())
    }
}

impl ReservedView {
    /// The present reservations, in the order in which they were made.
    pub fn get(&self) -> Arc<[RecordedReservation]> {
        self.0.borrow().reservations.clone()
    }

    /// Whether the reservations have changed since this handle last read them. Costs next to nothing.
    pub fn has_news(&mut self) -> bool {
        let has_news = self.0.has_changed().unwrap_or(false);
        if has_news {
            self.0.mark_unchanged();
        }
        has_news
    }

    /// Waits until the reservations have changed since this handle last read them. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The sender is gone, so nothing changes any more.
            std::future::pending::<()>().await;
        }
    }
}

/// The reservations in force on a link: those of the settings, then those of the API that are valid and do not conflict
/// with an earlier one. Also returns which of `recorded` are in force; those of other links are not.
pub fn in_force(
    settings: &Settings,
    link: &LinkSettings,
    recorded: &[RecordedReservation],
) -> (Reservations, Vec<bool>) {
    let mut all = Reservations::new();
    for reservation in &link.reservations {
        // They were checked against each other when the settings were read.
        let _ = all.insert(reservation.clone());
    }
    let (rules, listens) = (settings.reservation_rules(), link.source == LeaseSource::Listener);
    let mut counts = |recorded: &RecordedReservation| {
        let is_here = listens && recorded.link == link.name;
        is_here
            && rules
                .check(&link.name, &recorded.reservation, !recorded.authorized_keys.is_empty())
                .is_ok()
            && all.insert(recorded.reservation.clone()).is_ok()
    };
    let which = recorded.iter().map(&mut counts).collect();
    (all, which)
}
