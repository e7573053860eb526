//! Asks whether the database is there and takes writes.

use super::batch::Batch;
use super::connection::{execute, fetch_optional, statements};
use super::writer::Write;
use super::{Store, StoreError};

statements! {
    READ = "select count(*) from facts";
    WRITE = "insert into facts (key, value) values ('ping', '1')
        on conflict (key) do update set value = case when facts.value = '1' then '2' else '1' end";
}

impl Store {
    /// Reads a row and commits one: a full disk reads well, and takes no leases.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn ping(&self) -> Result<(), StoreError> {
        fetch_optional!(&mut self.snapshot().await?, "read", (i64,), READ)?;
        self.write(Ping).await
    }
}

struct Ping;

impl Write for Ping {
    type Output = ();
    const DOING: &'static str = "commit";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        execute!(&mut batch.tx, "write", WRITE).map(drop)
    }
}
