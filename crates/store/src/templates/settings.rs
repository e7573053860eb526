//! Records the templates of the settings, so that they have versions, too.

use std::collections::BTreeMap;

use super::{Declaration, event, list, withdraw};
use crate::batch::Batch;
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, Origin, RecordedTemplate, Timestamp};

impl Store {
    /// Records the templates that the settings declare now, each as JSON, with an event for each change since they were
    /// last recorded. Returns every template that the settings or the API declare, as [`templates`](Self::templates)
    /// does.
    ///
    /// If nothing changed, nothing is written. In a new database, the first templates are neither changes nor events.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn record_settings_templates(
        &self,
        declared: BTreeMap<String, String>,
        at: Timestamp,
    ) -> Result<Vec<RecordedTemplate>, StoreError> {
        let known = self.templates().await?;
        let recorded = known.iter().filter(|known| known.origin == Origin::Settings);
        let recorded: BTreeMap<_, _> = recorded.map(|known| (&known.name, &known.spec)).collect();
        if recorded == declared.iter().collect() {
            return Ok(known);
        }
        self.write(RecordSettings { declared, at }).await
    }
}

struct RecordSettings {
    declared: BTreeMap<String, String>,
    at: Timestamp,
}

impl Write for RecordSettings {
    type Output = Vec<RecordedTemplate>;
    const DOING: &'static str = "record the templates of the settings";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Vec<RecordedTemplate>, StoreError> {
        let mut before = list(&mut batch.tx).await?;
        before.retain(|known| known.origin == Origin::Settings);
        // In a new database, the first templates are not changes.
        let are_new_to_us = before.is_empty();
        for (name, spec) in &self.declared {
            let known = before.iter().find(|known| known.name == *name);
            let kind = match known {
                Some(known) if known.spec == *spec => continue,
                Some(_) => EventKind::TemplateChanged,
                None => EventKind::TemplateCreated,
            };
            let declaration = Declaration {
                name,
                origin: Origin::Settings,
                spec,
                at: self.at,
                by: None,
            };
            let template = declaration.record(batch).await?;
            if !are_new_to_us {
                batch.append_event(event(kind, &template, self.at, None)).await?;
            }
        }
        for gone in before.iter().filter(|known| !self.declared.contains_key(&known.name)) {
            withdraw(batch, &gone.name, Origin::Settings).await?;
            let event = event(EventKind::TemplateRemoved, gone, self.at, None);
            batch.append_event(event).await?;
        }
        list(&mut batch.tx).await
    }
}
