//! A wall clock that was set between two runs of the daemon: what was to end in an hour ends in an hour.

use super::batch::Batch;
use super::connection::{execute, fetch_optional, statements};
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::{ClockAnchor, EventKind, NewEvent, Timestamp, show_lifespan};

statements! {
    ANCHOR = "select value from facts where key = 'clock'";
    SET_ANCHOR = "insert into facts (key, value) values ('clock', $1) on conflict (key) do update set value = excluded.value";
    LAST = "select at from events order by id desc limit 1";
    // What never ends stays so.
    LEASES = "update leases set granted = granted + $1, changed = changed + $1,
            preferred_until = case when preferred_until = 9223372036854775807 then preferred_until
                else preferred_until + $1 end,
            valid_until = case when valid_until = 9223372036854775807 then valid_until else valid_until + $1 end,
            due = case when due = 9223372036854775807 then due else due + $1 end";
    INSTANCES = "update instances set created = created + $1, ready = ready + $1, changed = changed + $1, due = due + $1,
            until = until + $1, active = active + $1, pinned = pinned + $1, kept_until = kept_until + $1,
            warned = warned + $1
        where phase <> 'removed'";
    SPENT = "update spent_slots set at = at + $1";
    CLIENTS = "update clients set first_seen = first_seen + $1, last_seen = last_seen + $1";
    VOLUMES = "update volumes set created = created + $1, used = used + $1";
    IMAGES = "update images set unused = unused + $1 where unused is not null";
}

/// What holds recorded moments that something follows from.
const ALL: [&str; 6] = [LEASES, INSTANCES, SPENT, CLIENTS, VOLUMES, IMAGES];

impl Store {
    /// Finds out how far the wall clock was set since the run of the daemon before, and moves every recorded moment that
    /// something follows from by as much, with an event. Records the anchor for the next run. Returns the step in
    /// milliseconds; zero if there was none.
    ///
    /// It is for the start, before anything else is read.
    ///
    /// # Errors
    ///
    /// When the database is unreachable; then nothing was moved.
    pub async fn follow_clock(&self, anchor: ClockAnchor, now: Timestamp) -> Result<i64, StoreError> {
        self.write(FollowClock { anchor, now }).await
    }
}

struct FollowClock {
    anchor: ClockAnchor,
    now: Timestamp,
}

impl Write for FollowClock {
    type Output = i64;
    const DOING: &'static str = "follow a wall clock that was set";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, StoreError> {
        let before = fetch_optional!(&mut batch.tx, "read the clock of the last run", (String,), ANCHOR)?;
        // One that cannot be read is of no use, and is written anew.
        let before: Option<ClockAnchor> = before.and_then(|(text,)| text.parse().ok());
        let last = fetch_optional!(&mut batch.tx, "read the last moment of the last run", (i64,), LAST)?;
        let last = last.map(|(at,)| Timestamp(at));
        let step = self.anchor.step_since(before.as_ref(), last, self.now);
        if step != 0 {
            for statement in ALL {
                execute!(&mut batch.tx, "follow a wall clock that was set", statement, step)?;
            }
            // Also that the next run finds a last moment by the new clock.
            let way = if step > 0 { "forward" } else { "back" };
            let far = show_lifespan(std::time::Duration::from_millis(step.unsigned_abs()));
            let event = NewEvent {
                detail: Some(format!("set {way} by {far}")),
                ..NewEvent::new(self.now, EventKind::ClockSet)
            };
            batch.append_event(event).await?;
        }
        execute!(
            &mut batch.tx,
            "record the clock of this run",
            SET_ANCHOR,
            self.anchor.to_string()
        )?;
        Ok(step)
    }
}
