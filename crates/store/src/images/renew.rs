//! A new version of a template, with the same content and with other images.

use super::pins::{self, NewPin};
use crate::batch::Batch;
use crate::connection::{execute, statements};
use crate::templates;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{Origin, RecordedTemplate, Timestamp};

statements! {
    MOVE = "update declared_templates set version = $3, changed = $4 where name = $1 and origin = $2";
}

impl Store {
    /// Records a new version of a template with the content of version `expected`, pinned to these images, and puts it in
    /// force where that version is. Images that are being removed are left out. Records an event.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchTemplate`]; [`StoreError::TemplateChanged`] when another version than `expected` is in
    /// force; when the database is unreachable.
    pub async fn renew_template(
        &self,
        name: &str,
        origin: Origin,
        expected: u64,
        pins: Vec<NewPin>,
        by: Option<&str>,
        at: Timestamp,
    ) -> Result<RecordedTemplate, StoreError> {
        self.write(RenewTemplate {
            name: name.to_owned(),
            origin,
            expected,
            pins,
            by: by.map(str::to_owned),
            at,
        })
        .await
    }
}

struct RenewTemplate {
    name: String,
    origin: Origin,
    expected: u64,
    pins: Vec<NewPin>,
    by: Option<String>,
    at: Timestamp,
}

impl Write for RenewTemplate {
    type Output = RecordedTemplate;
    const DOING: &'static str = "record a new version of a template";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<RecordedTemplate, StoreError> {
        let declared = templates::list(&mut batch.tx).await?;
        let mut declared = declared.into_iter();
        let present = declared.find(|declared| declared.name == self.name && declared.origin == self.origin);
        let present = present.ok_or_else(|| StoreError::NoSuchTemplate(self.name.clone()))?;
        if present.version != self.expected {
            return Err(StoreError::TemplateChanged {
                name: self.name.clone(),
                version: present.version,
                expected: self.expected,
            });
        }
        let by = self.by.as_deref();
        let version = templates::insert_next(batch, &self.name, &present.spec, self.at, by).await?;
        let number = templates::number(version)?;
        for pin in &self.pins {
            if !pins::is_going(&mut batch.tx, pin).await? {
                pins::insert(batch, &self.name, number, pin, self.at).await?;
            }
        }
        let origin = self.origin.word();
        execute!(
            &mut batch.tx,
            "declare a template",
            MOVE,
            &self.name,
            origin,
            number,
            self.at.0
        )?;
        let renewed = RecordedTemplate {
            version,
            changed: self.at,
            ..present
        };
        let event = templates::renewed(&renewed, &self.pins, self.at, by);
        batch.append_event(event).await?;
        Ok(renewed)
    }
}
