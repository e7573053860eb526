//! Reservations that were made through the API, as rows.

use std::net::Ipv6Addr;
use std::sync::Arc;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{ReservationConflict, Reservations};
use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{Tx, execute, fetch_all, fetch_optional, statements};
use super::situation::Holding;
use super::text::Columns;
use super::writer::Write;
use super::{Apart, Store, StoreError};
use orchestrator_model::{Holder, Id, Leased, RecordedReservation, Reservation, ReservationId, Timestamp};

/// The largest number of reservations. A pool serves more clients better.
pub const MOST_RESERVATIONS: usize = 10_000;

statements! {
    LIST = "select id, link, holder, address, prefix, created, authorized_keys from reservations order by created, id";
    INSERT = "insert into reservations (id, link, holder, address, prefix, created, authorized_keys)
        values ($1, $2, $3, $4, $5, $6, $7)";
    KEYS_OF_HOLDER = "select holder, authorized_keys from reservations where link = $1 and holder = $2";
    KEYS_OF_ADDRESS = "select holder, authorized_keys from reservations where link = $1 and address = $2";
    KEYS_OF_PREFIX = "select holder, authorized_keys from reservations where link = $1 and prefix = $2";
    LINK_OF_ADDRESS = "select link from reservations where address = $1 order by link limit 1";
    DELETE = "delete from reservations where id = $1";
}

const COLUMNS: Columns = Columns("reservation");

#[derive(FromRow)]
struct ReservationRow {
    id: String,
    link: String,
    holder: String,
    address: Option<String>,
    prefix: Option<String>,
    created: i64,
    authorized_keys: String,
}

/// The SSH keys of a reservation.
#[derive(FromRow)]
struct KeysRow {
    holder: String,
    authorized_keys: String,
}

impl KeysRow {
    /// Whether the reservation knows its client by what a relay agent says of it, which is not recorded of leases.
    fn is_by_relay(&self) -> bool {
        let holder = serde_json::from_str(&self.holder);
        matches!(holder, Ok(Holder::RemoteId { .. } | Holder::InterfaceId(_)))
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.authorized_keys.lines().map(str::to_owned)
    }
}

/// Reads the SSH keys of reservations by a statement with a link and one further argument.
macro_rules! read_keys {
    ($tx:ident, $statement:expr, $link:expr, $argument:expr) => {
        fetch_all!(
            &mut $tx,
            "read the SSH keys of reservations",
            KeysRow,
            $statement,
            $link,
            $argument
        )?
    };
}

impl TryFrom<ReservationRow> for RecordedReservation {
    type Error = StoreError;

    fn try_from(row: ReservationRow) -> Result<Self, StoreError> {
        let holder = serde_json::from_str(&row.holder).map_err(|_| COLUMNS.bad("holder", &row.holder))?;
        Ok(Self {
            id: COLUMNS.parse("id", &row.id)?,
            link: row.link,
            reservation: Reservation {
                holder,
                address: COLUMNS.parse_some("address", row.address.as_deref())?,
                prefix: COLUMNS.parse_some("prefix", row.prefix.as_deref())?,
            },
            authorized_keys: row.authorized_keys.lines().map(str::to_owned).collect(),
            created: Timestamp(row.created),
        })
    }
}

impl Store {
    /// All reservations, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn reservations(&self) -> Result<Vec<RecordedReservation>, StoreError> {
        read_all(&mut self.glance().await?).await
    }

    /// Records a reservation on a link, with the SSH keys that may log in to the client's instances. `apart` is the rule that
    /// services must pass, if it wants something for itself that a service may have.
    ///
    /// # Errors
    ///
    /// [`StoreError::Reserved`] when it conflicts with another one, [`StoreError::Taken`] when a service has what it wants,
    /// [`StoreError::TooManyReservations`]; when the database is unreachable.
    pub async fn add_reservation(
        &self,
        link: &str,
        reservation: Reservation,
        authorized_keys: Vec<String>,
        apart: Option<Apart>,
        at: Timestamp,
    ) -> Result<RecordedReservation, StoreError> {
        let id = Id::random().map_err(|source| StoreError::Random {
            source: Arc::new(source),
        })?;
        let new = RecordedReservation {
            id,
            link: link.to_owned(),
            reservation,
            authorized_keys,
            created: at,
        };
        self.write(AddReservation { new, apart }).await
    }

    /// The SSH keys in the reservations of a client: those by its DUID or link-layer address, and those by a relay's ids
    /// of an address or prefix that it holds, since nobody else is given that.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn reserved_keys(&self, holding: &Holding) -> Result<Vec<String>, StoreError> {
        let mut tx = self.snapshot().await?;
        let link = holding.client.link.as_str();
        let mut keys = Vec::new();
        for holder in holding.holders() {
            let holder = serde_json::to_string(&holder).map_err(|error| COLUMNS.bad("holder", error))?;
            keys.extend(read_keys!(tx, KEYS_OF_HOLDER, link, holder));
        }
        for lease in &holding.active_leases {
            let rows: Vec<KeysRow> = match lease.leased {
                Leased::Address(address) => read_keys!(tx, KEYS_OF_ADDRESS, link, address.to_string()),
                Leased::Prefix(prefix) => read_keys!(tx, KEYS_OF_PREFIX, link, prefix.to_string()),
            };
            keys.extend(rows.into_iter().filter(KeysRow::is_by_relay));
        }
        Ok(keys.iter().flat_map(KeysRow::lines).collect())
    }

    /// Removes a reservation, and returns it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchReservation`]; when the database is unreachable.
    pub async fn remove_reservation(&self, id: ReservationId) -> Result<RecordedReservation, StoreError> {
        self.write(RemoveReservation { id }).await
    }
}

struct AddReservation {
    new: RecordedReservation,
    apart: Option<Apart>,
}

impl Write for AddReservation {
    type Output = RecordedReservation;
    const DOING: &'static str = "record a reservation";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<RecordedReservation, StoreError> {
        let known = read_all(&mut batch.tx).await?;
        let RecordedReservation { link, reservation, .. } = &self.new;
        if known.len() >= MOST_RESERVATIONS {
            return Err(StoreError::TooManyReservations);
        }
        refuse(&known, link, reservation)?;
        if let Some(apart) = &self.apart {
            apart.compare_rest(&mut batch.tx, None).await?;
        }
        let holder = serde_json::to_string(&reservation.holder).map_err(|error| COLUMNS.bad("holder", error))?;
        execute!(
            &mut batch.tx,
            "record a reservation",
            INSERT,
            self.new.id.to_string(),
            link.as_str(),
            holder,
            reservation.address.map(|address| address.to_string()),
            reservation.prefix.map(|prefix| prefix.to_string()),
            self.new.created.0,
            self.new.authorized_keys.join("\n"),
        )?;
        Ok(self.new.clone())
    }
}

struct RemoveReservation {
    id: ReservationId,
}

impl Write for RemoveReservation {
    type Output = RecordedReservation;
    const DOING: &'static str = "forget a reservation";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<RecordedReservation, StoreError> {
        let known = read_all(&mut batch.tx).await?;
        let found = known.into_iter().find(|known| known.id == self.id);
        let found = found.ok_or(StoreError::NoSuchReservation(self.id))?;
        execute!(&mut batch.tx, "forget a reservation", DELETE, self.id.to_string())?;
        Ok(found)
    }
}

/// Refuses a new reservation that conflicts with another one. For clients and addresses, those of the same link are
/// compared; for prefixes, those of all links.
fn refuse(known: &[RecordedReservation], link: &str, new: &Reservation) -> Result<(), ReservationConflict> {
    let (own, others): (Vec<_>, Vec<_>) = known.iter().partition(|known| known.link == link);
    let mut all = Reservations::new();
    for known in own {
        // Recorded reservations have passed the same rule.
        let _ = all.insert(known.reservation.clone());
    }
    all.insert(new.clone())?;
    let overlaps = |one: &Ipv6Net, other: &Ipv6Net| one.contains(other) || other.contains(one);
    for RecordedReservation { reservation, .. } in others {
        if let (Some(prefix), Some(other)) = (new.prefix, reservation.prefix)
            && overlaps(&prefix, &other)
        {
            let (what, holder) = (Leased::Prefix(other), reservation.holder.clone());
            return Err(ReservationConflict::Leased { what, holder });
        }
    }
    Ok(())
}

/// The link on which an address is reserved, in a transaction.
pub(super) async fn link_of_address(tx: &mut Tx<'_>, address: Ipv6Addr) -> Result<Option<String>, StoreError> {
    let address = address.to_string();
    let row = fetch_optional!(tx, "look for a reservation", (String,), LINK_OF_ADDRESS, address)?;
    Ok(row.map(|(link,)| link))
}

async fn read_all(tx: &mut Tx<'_>) -> Result<Vec<RecordedReservation>, StoreError> {
    let rows = fetch_all!(tx, "read the reservations", ReservationRow, LIST)?;
    rows.into_iter().map(RecordedReservation::try_from).collect()
}
