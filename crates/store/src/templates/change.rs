//! Changes of templates through the API.

use super::{Declaration, MOST_TEMPLATES, event, list, withdraw};
use crate::batch::Batch;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, Origin, RecordedTemplate, Timestamp};

impl Store {
    /// Records a new template of the API, with its event. `spec` is JSON.
    ///
    /// # Errors
    ///
    /// [`StoreError::TemplateExists`], [`StoreError::TooManyTemplates`]; when the database is unreachable.
    pub async fn add_template(
        &self,
        name: &str,
        spec: String,
        by: Option<&str>,
        at: Timestamp,
    ) -> Result<RecordedTemplate, StoreError> {
        let change = Verb::Add { spec };
        self.write(ChangeTemplate::new(name, change, by, at)).await
    }

    /// Records new content of a template of the API, with its event. `expected` is the version that the caller has
    /// read. The same content is not a change.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchTemplate`]; [`StoreError::TemplateChanged`] when another version than `expected` is in
    /// force; when the database is unreachable.
    pub async fn change_template(
        &self,
        name: &str,
        spec: String,
        expected: Option<u64>,
        by: Option<&str>,
        at: Timestamp,
    ) -> Result<RecordedTemplate, StoreError> {
        let change = Verb::Change { spec, expected };
        self.write(ChangeTemplate::new(name, change, by, at)).await
    }

    /// Records that the API does not declare a template any more, with its event. Returns the template.
    ///
    /// # Errors
    ///
    /// Those of [`change_template`](Self::change_template).
    pub async fn remove_template(
        &self,
        name: &str,
        expected: Option<u64>,
        by: Option<&str>,
        at: Timestamp,
    ) -> Result<RecordedTemplate, StoreError> {
        let change = Verb::Remove { expected };
        self.write(ChangeTemplate::new(name, change, by, at)).await
    }
}

struct ChangeTemplate {
    name: String,
    verb: Verb,
    by: Option<String>,
    at: Timestamp,
}

enum Verb {
    Add { spec: String },
    Change { spec: String, expected: Option<u64> },
    Remove { expected: Option<u64> },
}

impl ChangeTemplate {
    fn new(name: &str, verb: Verb, by: Option<&str>, at: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            verb,
            by: by.map(str::to_owned),
            at,
        }
    }

    fn declaration<'d>(&'d self, spec: &'d str) -> Declaration<'d> {
        Declaration {
            name: &self.name,
            origin: Origin::Api,
            spec,
            at: self.at,
            by: self.by.as_deref(),
        }
    }

    /// The present template, if nobody has changed it since it was read.
    fn expect(&self, present: Option<RecordedTemplate>, expected: Option<u64>) -> Result<RecordedTemplate, StoreError> {
        let present = present.ok_or_else(|| StoreError::NoSuchTemplate(self.name.clone()))?;
        match expected.filter(|expected| *expected != present.version) {
            None => Ok(present),
            Some(expected) => Err(StoreError::TemplateChanged {
                name: self.name.clone(),
                version: present.version,
                expected,
            }),
        }
    }
}

impl Write for ChangeTemplate {
    type Output = RecordedTemplate;
    const DOING: &'static str = "change a template";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<RecordedTemplate, StoreError> {
        let declared = list(&mut batch.tx).await?;
        let mut of_api: Vec<RecordedTemplate> = declared;
        of_api.retain(|declared| declared.origin == Origin::Api);
        let count = of_api.len();
        let present = of_api.into_iter().find(|declared| declared.name == self.name);
        let (kind, template) = match &self.verb {
            Verb::Add { .. } if present.is_some() => return Err(StoreError::TemplateExists(self.name.clone())),
            Verb::Add { .. } if count >= MOST_TEMPLATES => return Err(StoreError::TooManyTemplates),
            Verb::Add { spec } => (EventKind::TemplateCreated, self.declaration(spec).record(batch).await?),
            Verb::Change { spec, expected } => {
                let present = self.expect(present, *expected)?;
                if present.spec == *spec {
                    return Ok(present);
                }
                (EventKind::TemplateChanged, self.declaration(spec).record(batch).await?)
            }
            Verb::Remove { expected } => {
                let present = self.expect(present, *expected)?;
                withdraw(batch, &self.name, Origin::Api).await?;
                (EventKind::TemplateRemoved, present)
            }
        };
        let event = event(kind, &template, self.at, self.by.as_deref());
        batch.append_event(event).await?;
        Ok(template)
    }
}
