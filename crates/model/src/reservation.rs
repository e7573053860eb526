//! Reservations as they are recorded and shown.

use serde::{Deserialize, Serialize};

use super::{Reservation, ReservationId, Timestamp};

/// A reservation that was made through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedReservation {
    /// Our name for it.
    pub id: ReservationId,
    /// The link on which it holds.
    pub link: String,
    /// For whom what is kept.
    #[serde(flatten)]
    pub reservation: Reservation,
    /// When it was made.
    pub created: Timestamp,
}

/// A reservation as it is shown, wherever it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationView {
    /// Our name for it; `None` when it is in the settings.
    pub id: Option<ReservationId>,
    /// The link on which it holds.
    pub link: String,
    /// For whom what is kept.
    #[serde(flatten)]
    pub reservation: Reservation,
    /// When it was made; `None` when it is in the settings.
    pub created: Option<Timestamp>,
    /// Whether it is in force: the settings have the link, it keeps their rules, and it conflicts with none of their
    /// reservations.
    pub in_force: bool,
}
