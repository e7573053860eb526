//! The access to the rows: through the writer of an open store, or by separate connections.

use crate::batch::Batch;
use crate::connection::{Pool, Session, Tx};
use crate::url::{Target, parse_url};
use crate::writer::Write;
use crate::{Store, StoreError};
use crate::{examine, migrate};

#[derive(Debug, Clone)]
pub(super) enum Way {
    /// Through the daemon's store.
    Daemon(Store),
    /// By separate connections, whether or not a daemon runs. No events are written, because the daemon assigns their
    /// ids.
    Beside { target: Target, readers: Pool },
}

impl Way {
    pub(super) async fn beside(url: &str) -> Result<Option<Self>, StoreError> {
        let target = parse_url(url)?;
        if target.file().is_some_and(|file| !file.exists()) {
            return Ok(None);
        }
        if let Some(file) = target.file() {
            migrate::check_file(file)?;
        }
        let mut session = Session::connect(&target.read_only()).await?;
        let has_schema = examine::has_schema(&mut session).await;
        session.close().await;
        if !has_schema? {
            return Ok(None);
        }
        let readers = Pool::new(&target.read_only());
        let mut tx = readers.snapshot().await?;
        migrate::check_current(migrate::version(&mut tx).await?)?;
        drop(tx);
        Ok(Some(Self::Beside { target, readers }))
    }

    pub(super) async fn read(&self) -> Result<Tx<'static>, StoreError> {
        match self {
            Self::Daemon(store) => store.snapshot().await,
            Self::Beside { readers, .. } => readers.snapshot().await,
        }
    }

    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        let target = match self {
            Self::Daemon(store) => return store.write(write).await,
            Self::Beside { target, .. } => target,
        };
        let mut session = Session::connect(target).await?;
        let mut batch = Batch::begin(&mut session).await?;
        let output = write.apply(&mut batch).await?;
        // Events belong to the daemon's timeline, whose ids the daemon assigns.
        batch.commit().await?;
        session.close().await;
        Ok(output)
    }

    pub(super) async fn close(&self) {
        if let Self::Beside { readers, .. } = self {
            readers.close().await;
        }
    }
}
