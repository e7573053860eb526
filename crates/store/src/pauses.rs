//! Pauses as rows.

use super::batch::Batch;
use super::connection::{Session, execute, fetch_all, statements, within};
use super::text::{Columns, plain};
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::{EventKind, NewEvent, Pause, PauseScope, Timestamp};

statements! {
    LIST = "select scope, name, since, by from pauses order by scope, name";
    INSERT = "insert into pauses (scope, name, since, by) values ($1, $2, $3, $4) on conflict do nothing";
    DELETE = "delete from pauses where scope = $1 and name = $2";
}

const COLUMNS: Columns = Columns("pause");

/// All pauses, on a connection that only reads.
pub(crate) async fn all_in(session: &mut Session) -> Result<Vec<Pause>, StoreError> {
    let doing = "read the pauses";
    let rows: Vec<(String, String, i64, Option<String>)> = match session {
        Session::Sqlite(session) => within(doing, sqlx::query_as(LIST).fetch_all(session)).await?,
        Session::Postgres(session) => within(doing, sqlx::query_as(LIST).fetch_all(session)).await?,
    };
    rows.into_iter().map(pause).collect()
}

impl Store {
    /// All pauses.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let mut tx = self.snapshot().await?;
        type Row = (String, String, i64, Option<String>);
        let rows = fetch_all!(&mut tx, "read the pauses", Row, LIST)?;
        rows.into_iter().map(pause).collect()
    }

    /// Records a pause, with its event. Returns `false` if its scope is paused already; then nothing changes.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn pause(&self, pause: Pause) -> Result<bool, StoreError> {
        self.write(Begin { pause }).await
    }

    /// Removes the pause of a scope, with its event. Returns `false` if it is not paused; then nothing changes.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn resume(&self, scope: PauseScope, at: Timestamp, by: Option<String>) -> Result<bool, StoreError> {
        self.write(End { scope, at, by }).await
    }
}

fn pause((kind, name, since, by): (String, String, i64, Option<String>)) -> Result<Pause, StoreError> {
    Ok(Pause {
        scope: PauseScope::new(&kind, &name).ok_or_else(|| COLUMNS.bad("scope", &kind))?,
        since: Timestamp(since),
        by,
    })
}

/// What the timeline has about the begin or the end of a pause.
fn event(scope: &PauseScope, at: Timestamp, kind: EventKind, by: Option<String>) -> NewEvent {
    let link = match scope {
        PauseScope::Link(name) => Some(name.clone()),
        PauseScope::All | PauseScope::Template(_) => None,
    };
    NewEvent {
        link,
        detail: Some(scope.to_string()),
        by,
        ..NewEvent::new(at, kind)
    }
}

struct Begin {
    pause: Pause,
}

impl Write for Begin {
    type Output = bool;
    const DOING: &'static str = "record a pause";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let Pause { scope, since, by } = &self.pause;
        let made = execute!(
            &mut batch.tx,
            "record a pause",
            INSERT,
            scope.kind(),
            scope.name(),
            since.0,
            by.clone().map(plain),
        )?;
        if made > 0 {
            let event = event(scope, *since, EventKind::Paused, by.clone());
            batch.append_event(event).await?;
        }
        Ok(made > 0)
    }
}

struct End {
    scope: PauseScope,
    at: Timestamp,
    by: Option<String>,
}

impl Write for End {
    type Output = bool;
    const DOING: &'static str = "end a pause";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let (kind, name) = (self.scope.kind(), self.scope.name());
        let ended = execute!(&mut batch.tx, "end a pause", DELETE, kind, name)?;
        if ended > 0 {
            let event = event(&self.scope, self.at, EventKind::Resumed, self.by.clone());
            batch.append_event(event).await?;
        }
        Ok(ended > 0)
    }
}
