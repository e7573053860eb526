//! Hosts as rows.

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{execute, fetch_all, statements};
use super::text::Columns;
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::{Host, HostId, HostState, Timestamp};

statements! {
    LIST = "select id, name, address, fingerprint, roles, state, first_seen, last_seen from hosts order by name";
    INSERT_LOCAL = "insert into hosts (id, name, address, fingerprint, roles, state, first_seen, last_seen)
        values ($1, $1, null, null, '[]', $2, $3, $3) on conflict (id) do nothing";
    DECLARE = "update hosts set name = $2, roles = $3 where id = $1 and (name <> $2 or roles <> $3)";
    SEEN = "update hosts set last_seen = $2 where id = $1 and last_seen < $2";
}

const COLUMNS: Columns = Columns("host");

#[derive(FromRow)]
struct HostRow {
    id: String,
    name: String,
    address: Option<String>,
    fingerprint: Option<String>,
    roles: String,
    state: String,
    first_seen: i64,
    last_seen: i64,
}

impl TryFrom<HostRow> for Host {
    type Error = StoreError;

    fn try_from(row: HostRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: HostId::new(row.id),
            name: row.name,
            address: row.address,
            fingerprint: row.fingerprint,
            roles: serde_json::from_str(&row.roles).map_err(|_| COLUMNS.bad("roles", &row.roles))?,
            state: COLUMNS.parse("state", &row.state)?,
            first_seen: Timestamp(row.first_seen),
            last_seen: Timestamp(row.last_seen),
        })
    }
}

impl Store {
    /// All hosts by name. The daemon's own machine is among them from the first start on.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn hosts(&self) -> Result<Vec<Host>, StoreError> {
        let rows = fetch_all!(&mut self.snapshot().await?, "list hosts", HostRow, LIST)?;
        rows.into_iter().map(Host::try_from).collect()
    }
}

impl Store {
    /// Records that a host was seen at this moment. An earlier moment than the recorded one changes nothing.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn saw_host(&self, id: HostId, at: Timestamp) -> Result<(), StoreError> {
        self.write(SawHost { id, at }).await
    }
}

impl Store {
    /// Records the name and the roles that the settings give the daemon's own machine.
    ///
    /// # Errors
    ///
    /// When the database is away, or another host has the name.
    pub async fn declare_local_host(&self, name: String, roles: Vec<String>) -> Result<(), StoreError> {
        self.write(DeclareLocal { name, roles }).await
    }
}

struct DeclareLocal {
    name: String,
    roles: Vec<String>,
}

impl Write for DeclareLocal {
    type Output = ();
    const DOING: &'static str = "record the name and the roles of this host";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let roles = serde_json::Value::from(self.roles.clone()).to_string();
        execute!(
            &mut batch.tx,
            "record the name and the roles of this host",
            DECLARE,
            HostId::LOCAL,
            self.name.as_str(),
            roles.as_str()
        )
        .map(drop)
    }
}

struct SawHost {
    id: HostId,
    at: Timestamp,
}

impl Write for SawHost {
    type Output = ();
    const DOING: &'static str = "record that a host was seen";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        execute!(
            &mut batch.tx,
            "record that a host was seen",
            SEEN,
            self.id.as_str(),
            self.at.0
        )
        .map(drop)
    }
}

/// Creates the row of the daemon's own machine if it is missing.
pub(super) async fn ensure_local(batch: &mut Batch<'_>, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        &mut batch.tx,
        "record this host",
        INSERT_LOCAL,
        HostId::LOCAL,
        HostState::Active.word(),
        now.0
    )
    .map(drop)
}
