//! Checks that the database is reachable and accepts writes.

use super::batch::Batch;
use super::connection::{execute, statements};
use super::writer::Write;
use super::{Store, StoreError};

statements! {
    WRITE = "insert into facts (key, value) values ('beat', $1)
        on conflict (key) do update set value = excluded.value";
}

impl Store {
    /// Checks that the database is the one that was opened, and commits a row. Reading is not enough: a full disk can
    /// be read.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, lost or damaged.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let guard = &self.shared.guard;
        guard.check_files()?;
        let found = guard.check_rows(&mut self.shared.readers.snapshot().await?).await;
        if let Err(fault) = &found {
            guard.note(fault);
        }
        let beat = found?.saturating_add(1);
        self.write(Ping { beat }).await?;
        guard.beaten(beat);
        Ok(())
    }
}

struct Ping {
    beat: i64,
}

impl Write for Ping {
    type Output = ();
    const DOING: &'static str = "commit";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        execute!(&mut batch.tx, "write", WRITE, self.beat.to_string()).map(drop)
    }
}
