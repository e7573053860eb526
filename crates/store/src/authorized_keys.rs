//! The SSH keys of clients, as rows.

use super::batch::Batch;
use super::connection::{execute, fetch_all, statements};
use super::writer::Write;
use super::{Store, StoreError, clients};
use orchestrator_model::{ClientId, EventKind, NewEvent, Timestamp};

statements! {
    LIST = "select key from authorized_keys where client = $1 order by place";
    CLEAR = "delete from authorized_keys where client = $1";
    ADD = "insert into authorized_keys (client, place, key) values ($1, $2, $3)";
}

impl Store {
    /// The SSH keys of a client, in the order in which they were given.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn authorized_keys(&self, client: ClientId) -> Result<Vec<String>, StoreError> {
        let mut tx = self.snapshot().await?;
        let rows = fetch_all!(
            &mut tx,
            "read the SSH keys of a client",
            (String,),
            LIST,
            client.to_string()
        )?;
        Ok(rows.into_iter().map(|(key,)| key).collect())
    }

    /// Replaces the SSH keys of a client. `by` is who gave them.
    ///
    /// # Errors
    ///
    /// When there is no such client, or the database is unreachable.
    pub async fn set_authorized_keys(
        &self,
        client: ClientId,
        keys: Vec<String>,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(SetKeys { client, keys, at, by }).await
    }
}

struct SetKeys {
    client: ClientId,
    keys: Vec<String>,
    at: Timestamp,
    by: Option<String>,
}

impl Write for SetKeys {
    type Output = ();
    const DOING: &'static str = "record the SSH keys of a client";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let known = clients::find(&mut batch.tx, self.client).await?;
        let known = known.ok_or(StoreError::NoSuchClient(self.client))?;
        let client = self.client.to_string();
        execute!(&mut batch.tx, "record the SSH keys of a client", CLEAR, client.as_str())?;
        for (place, key) in (0_i64..).zip(&self.keys) {
            execute!(
                &mut batch.tx,
                "record the SSH keys of a client",
                ADD,
                client.as_str(),
                place,
                key.as_str()
            )?;
        }
        let event = NewEvent {
            link: Some(known.link),
            client: Some(self.client),
            detail: Some(match self.keys.len() {
                1 => "1 key".to_owned(),
                count => format!("{count} keys"),
            }),
            by: self.by.clone(),
            ..NewEvent::new(self.at, EventKind::KeysChanged)
        };
        batch.append_event(event).await.map(drop)
    }
}
