//! Checks that the database exists, without changing anything.

use std::path::Path;

use super::connection::{Session, within};
use super::identity::file::IdentityFile;
use super::url::{Target, parse_url};
use super::{Store, StoreError, events, examine, images, migrate, pauses, templates};
use orchestrator_model::{Event, ImagePin, Pause, RecordedTemplate, SiteId, Timestamp};

/// The state of the database that a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A database that answers.
    Database,
    /// There is no file yet; the daemon creates it.
    NoFileYet,
}

impl Store {
    /// Whether the identity file has an identity. This does not create or change the file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Away`] when it cannot be read, [`StoreError::NotAnIdentity`] when it holds something else.
    pub fn look_for_identity(path: &Path) -> Result<bool, StoreError> {
        Ok(IdentityFile::look(path)?.is_some())
    }

    /// The site in the identity file, if there is one. This does not create or change the file.
    ///
    /// # Errors
    ///
    /// As [`look_for_identity`](Self::look_for_identity).
    pub fn look_for_site(path: &Path) -> Result<Option<SiteId>, StoreError> {
        Ok(IdentityFile::look(path)?.map(|identity| identity.site))
    }

    /// Checks the whole database for damage, without creating or changing it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Away`] when the database does not answer, [`StoreError::Damaged`], [`StoreError::BadUrl`] when the
    /// URL names none.
    pub async fn look(url: &str) -> Result<Found, StoreError> {
        let Some(target) = to_look(url)? else {
            return Ok(Found::NoFileYet);
        };
        if let Some(file) = target.file() {
            migrate::check_file(file)?;
        }
        let mut session = Session::connect(&target).await?;
        let asked = async {
            match &mut session {
                Session::Sqlite(session) => sqlx::query("select name from sqlite_master limit 1")
                    .execute(session)
                    .await
                    .map(drop),
                Session::Postgres(session) => sqlx::query("select 1").execute(session).await.map(drop),
            }
        };
        within("look at the database", asked).await?;
        if examine::has_schema(&mut session).await? {
            examine::examine(&mut session).await?;
        }
        session.close().await;
        Ok(Found::Database)
    }

    /// The templates in the database, as [`templates`](Self::templates) returns them. This creates and changes nothing.
    /// There are none if the database or its schema does not exist yet.
    ///
    /// # Errors
    ///
    /// Those of [`look`](Self::look).
    pub async fn look_for_templates(url: &str) -> Result<Vec<RecordedTemplate>, StoreError> {
        let Some(target) = to_look(url)? else {
            return Ok(Vec::new());
        };
        let mut session = Session::connect(&target).await?;
        let templates = match examine::has_schema(&mut session).await? {
            true => templates::list_in(&mut session).await,
            false => Ok(Vec::new()),
        };
        session.close().await;
        templates
    }
}

impl Store {
    /// The images that versions in use are pinned to. This creates and changes nothing. There are none if the database or
    /// its schema does not exist yet.
    ///
    /// # Errors
    ///
    /// Those of [`look`](Self::look).
    pub async fn look_for_image_pins(url: &str) -> Result<Vec<ImagePin>, StoreError> {
        let Some(target) = to_look(url)? else {
            return Ok(Vec::new());
        };
        let mut session = Session::connect(&target).await?;
        let pins = match examine::has_schema(&mut session).await? {
            true => images::in_use_in(&mut session).await,
            false => Ok(Vec::new()),
        };
        session.close().await;
        pins
    }

    /// Reads what is paused, without creating or changing anything. There is nothing if the database does not exist yet.
    ///
    /// # Errors
    ///
    /// As [`look_for_image_pins`](Self::look_for_image_pins).
    pub async fn look_for_pauses(url: &str) -> Result<Vec<Pause>, StoreError> {
        let Some(target) = to_look(url)? else {
            return Ok(Vec::new());
        };
        let mut session = Session::connect(&target).await?;
        let pauses = match examine::has_schema(&mut session).await? {
            true => pauses::all_in(&mut session).await,
            false => Ok(Vec::new()),
        };
        session.close().await;
        pauses
    }

    /// As [`others`](Self::others), without creating or changing anything. There are none if the daemon has not created the
    /// database yet.
    ///
    /// # Errors
    ///
    /// As [`look`](Self::look).
    pub async fn look_for_others(url: &str, now: Timestamp) -> Result<Vec<Event>, StoreError> {
        let Some(target) = to_look(url)? else {
            return Ok(Vec::new());
        };
        let mut session = Session::connect(&target).await?;
        let others = match examine::has_schema(&mut session).await? {
            true => events::of_others(&mut session, now).await,
            false => Ok(Vec::new()),
        };
        session.close().await;
        others
    }
}

/// The target for a connection that only reads; `None` if there is no file yet.
fn to_look(url: &str) -> Result<Option<Target>, StoreError> {
    let target = parse_url(url)?.read_only();
    let is_there = target.file().is_none_or(Path::exists);
    Ok(is_there.then_some(target))
}
