//! Tokens as rows. Only their hashes are here.

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{Tx, execute, fetch_all, fetch_optional, statements};
use super::text::{Columns, plain};
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::{EventKind, MOST_TOKENS, NewEvent, RecordedToken, Timestamp};

statements! {
    LIST = "select name, id, role, scope, signs, hash, earlier_hash, earlier_until, created, created_by, until, used
        from tokens order by name";
    FIND = "select role, hash from tokens where name = $1";
    COUNT = "select count(*) from tokens";
    INSERT = "insert into tokens (name, id, role, scope, signs, hash, created, created_by, until)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    ROTATE = "update tokens set earlier_hash = hash, earlier_until = $3, hash = $2 where name = $1";
    USED = "update tokens set used = $2 where name = $1 and (used is null or used < $2)";
    DELETE = "delete from tokens where name = $1";
}

const COLUMNS: Columns = Columns("token");

#[derive(FromRow)]
struct TokenRow {
    name: String,
    id: String,
    role: String,
    scope: String,
    signs: i64,
    hash: String,
    earlier_hash: Option<String>,
    earlier_until: Option<i64>,
    created: i64,
    created_by: Option<String>,
    until: Option<i64>,
    used: Option<i64>,
}

impl TryFrom<TokenRow> for RecordedToken {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: COLUMNS.parse("id", &row.id)?,
            role: COLUMNS.parse("role", &row.role)?,
            scope: row.scope.lines().map(str::to_owned).collect(),
            signs: row.signs != 0,
            earlier: row.earlier_hash.zip(row.earlier_until.map(Timestamp)),
            created: Timestamp(row.created),
            by: row.created_by,
            until: row.until.map(Timestamp),
            used: row.used.map(Timestamp),
            name: row.name,
            hash: row.hash,
        })
    }
}

impl Store {
    /// All tokens by name, also those that have ended.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn tokens(&self) -> Result<Vec<RecordedToken>, StoreError> {
        all(&mut self.glance().await?).await
    }

    /// Records a new token, with its event.
    ///
    /// # Errors
    ///
    /// [`StoreError::TokenExists`], [`StoreError::TooManyTokens`]; when the database is unreachable.
    pub async fn add_token(&self, token: RecordedToken) -> Result<(), StoreError> {
        self.write(Add(token)).await
    }

    /// Records another hash in place of that of a token, with its event. The one before is accepted until
    /// `earlier_until`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchToken`]; when the database is unreachable.
    pub async fn rotate_token(
        &self,
        name: &str,
        hash: String,
        earlier_until: Timestamp,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(Rotate {
            name: name.to_owned(),
            hash,
            earlier_until,
            at,
            by,
        })
        .await
    }

    /// Removes a token, with its event.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchToken`]; when the database is unreachable.
    pub async fn remove_token(&self, name: &str, at: Timestamp, by: Option<String>) -> Result<(), StoreError> {
        self.write(Remove {
            name: name.to_owned(),
            at,
            by,
        })
        .await
    }

    /// Records when tokens were last used. Tokens that are gone are left out.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn note_token_uses(&self, uses: Vec<(String, Timestamp)>) -> Result<(), StoreError> {
        self.write(NoteUses(uses)).await
    }
}

/// All tokens by name, in a transaction.
pub(super) async fn all(tx: &mut Tx<'_>) -> Result<Vec<RecordedToken>, StoreError> {
    let rows = fetch_all!(tx, "read the tokens", TokenRow, LIST)?;
    rows.into_iter().map(RecordedToken::try_from).collect()
}

fn event(kind: EventKind, name: &str, role: &str, at: Timestamp, by: Option<&str>) -> NewEvent {
    NewEvent {
        detail: Some(format!("token {name}, {role}")),
        by: by.map(|by| plain(by.to_owned())),
        ..NewEvent::new(at, kind)
    }
}

/// The role of a token.
async fn role_of(batch: &mut Batch<'_>, name: &str) -> Result<String, StoreError> {
    let found = fetch_optional!(&mut batch.tx, "find a token", (String, String), FIND, name)?;
    let (role, _) = found.ok_or_else(|| StoreError::NoSuchToken(name.to_owned()))?;
    Ok(role)
}

struct Add(RecordedToken);

impl Write for Add {
    type Output = ();
    const DOING: &'static str = "record a token";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let token = &self.0;
        let found = fetch_optional!(&mut batch.tx, "find a token", (String, String), FIND, &token.name)?;
        match found {
            // The same write, applied once more.
            Some((_, hash)) if hash == token.hash => return Ok(()),
            Some(_) => return Err(StoreError::TokenExists(token.name.clone())),
            None => {}
        }
        let count = fetch_optional!(&mut batch.tx, "count the tokens", (i64,), COUNT)?;
        if count.is_some_and(|(count,)| count >= MOST_TOKENS as i64) {
            return Err(StoreError::TooManyTokens);
        }
        execute!(
            &mut batch.tx,
            "record a token",
            INSERT,
            &token.name,
            token.id.to_string(),
            token.role.word(),
            token.scope.join("\n"),
            i64::from(token.signs),
            &token.hash,
            token.created.0,
            token.by.clone().map(plain),
            token.until.map(|until| until.0),
        )?;
        let (role, by) = (token.role.word(), token.by.as_deref());
        let event = event(EventKind::TokenAdded, &token.name, role, token.created, by);
        batch.append_event(event).await.map(drop)
    }
}

struct Rotate {
    name: String,
    hash: String,
    earlier_until: Timestamp,
    at: Timestamp,
    by: Option<String>,
}

impl Write for Rotate {
    type Output = ();
    const DOING: &'static str = "rotate a token";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let Self { name, hash, at, by, .. } = self;
        let found = fetch_optional!(&mut batch.tx, "find a token", (String, String), FIND, name)?;
        let (role, present) = found.ok_or_else(|| StoreError::NoSuchToken(name.clone()))?;
        if present == *hash {
            // The same write, applied once more.
            return Ok(());
        }
        execute!(
            &mut batch.tx,
            "rotate a token",
            ROTATE,
            name,
            hash,
            self.earlier_until.0
        )?;
        let event = event(EventKind::TokenRotated, name, &role, *at, by.as_deref());
        batch.append_event(event).await.map(drop)
    }
}

struct Remove {
    name: String,
    at: Timestamp,
    by: Option<String>,
}

impl Write for Remove {
    type Output = ();
    const DOING: &'static str = "remove a token";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let role = role_of(batch, &self.name).await?;
        execute!(&mut batch.tx, "remove a token", DELETE, &self.name)?;
        let event = event(EventKind::TokenRemoved, &self.name, &role, self.at, self.by.as_deref());
        batch.append_event(event).await.map(drop)
    }
}

struct NoteUses(Vec<(String, Timestamp)>);

impl Write for NoteUses {
    type Output = ();
    const DOING: &'static str = "note the use of tokens";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        for (name, at) in &self.0 {
            execute!(&mut batch.tx, "note the use of a token", USED, name, at.0)?;
        }
        Ok(())
    }
}
