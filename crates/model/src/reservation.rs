//! Reservations, as rows and as views.

use serde::{Deserialize, Serialize};

use super::{Reservation, ReservationId, Timestamp};

/// A reservation that was made through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedReservation {
    /// The daemon's id for it.
    pub id: ReservationId,
    /// The link of the reservation.
    pub link: String,
    /// The client, and what is reserved for it.
    #[serde(flatten)]
    pub reservation: Reservation,
    /// The SSH keys that may log in to the client's instances, each one line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorized_keys: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
}

/// A reservation from the settings or the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationView {
    /// The daemon's id for it; `None` if it is from the settings.
    pub id: Option<ReservationId>,
    /// The link of the reservation.
    pub link: String,
    /// The client, and what is reserved for it.
    #[serde(flatten)]
    pub reservation: Reservation,
    /// The SSH keys that may log in to the client's instances, each one line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorized_keys: Vec<String>,
    /// When it was made; `None` if it is from the settings.
    pub created: Option<Timestamp>,
    /// Whether it is in force: its link exists and allows it, and no reservation of the settings conflicts with it.
    pub in_force: bool,
}
