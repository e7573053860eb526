//! The SSH keys of clients, as rows.

use super::batch::Batch;
use super::connection::{Tx, execute, fetch_all, statements};
use super::writer::Write;
use super::{Store, StoreError, clients};
use orchestrator_model::{ClientId, EventKind, KeyChange, NewEvent, Timestamp};

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
        read(&mut self.snapshot().await?, client).await
    }

    /// Changes the SSH keys of a client, and returns them. `by` is who asks.
    ///
    /// # Errors
    ///
    /// [`StoreError::Keys`] when the change does not fit the present list; when there is no such client, or the database
    /// is unreachable.
    pub async fn change_authorized_keys(
        &self,
        client: ClientId,
        change: KeyChange,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Vec<String>, StoreError> {
        self.write(ChangeKeys { client, change, at, by }).await
    }
}

async fn read(tx: &mut Tx<'_>, client: ClientId) -> Result<Vec<String>, StoreError> {
    let rows = fetch_all!(tx, "read the SSH keys of a client", (String,), LIST, client.to_string())?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

struct ChangeKeys {
    client: ClientId,
    change: KeyChange,
    at: Timestamp,
    by: Option<String>,
}

impl Write for ChangeKeys {
    type Output = Vec<String>;
    const DOING: &'static str = "record the SSH keys of a client";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Vec<String>, StoreError> {
        let known = clients::find(&mut batch.tx, self.client).await?;
        let known = known.ok_or(StoreError::NoSuchClient(self.client))?;
        let before = read(&mut batch.tx, self.client).await?;
        let keys = self.change.apply(before.clone()).map_err(StoreError::Keys)?;
        if keys == before {
            return Ok(keys);
        }
        let client = self.client.to_string();
        execute!(&mut batch.tx, "record the SSH keys of a client", CLEAR, client.as_str())?;
        for (place, key) in (0_i64..).zip(&keys) {
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
            detail: Some(match keys.len() {
                1 => "1 key".to_owned(),
                count => format!("{count} keys"),
            }),
            by: self.by.clone(),
            ..NewEvent::new(self.at, EventKind::KeysChanged)
        };
        batch.append_event(event).await?;
        Ok(keys)
    }
}
