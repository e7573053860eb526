//! Changes of templates through the API.

use orchestrator_model::Origin;
use orchestrator_settings::{Fault, Faults, TemplateSettings, read_template};
use orchestrator_store::StoreError;
use serde_json::Value as Json;

use super::catalog::Catalog;
use super::declared::{Declared, Template, write_recorded};

/// The reason why a template was not created, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The template has faults.
    #[error("the template is wrong, and nothing was changed: {0}")]
    Wrong(#[from] Faults),
    /// The settings declare a template with this name.
    #[error(
        "template {0:?} is described in the settings, which take precedence; change it there under [template.{0}], and have \
         the settings read again with `orchestrator reload`"
    )]
    InSettings(String),
    /// Links or classes use it.
    #[error(
        "template {name:?} is in use: {} names it; name another template there in the settings first", .users.join(" and ")
    )]
    InUse {
        /// The template.
        name: String,
        /// The links and classes that use it: `link br0`, `class boot`.
        users: Vec<String>,
    },
    /// There is no template with this name.
    #[error("there is no template {0:?}; GET /v1/templates lists those there are")]
    NoSuchTemplate(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for CatalogError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchTemplate(name) => Self::NoSuchTemplate(name),
            error => Self::Store(error),
        }
    }
}

impl Catalog {
    /// Creates a template from the keys of `[template.NAME]`. It is in force when this returns.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Wrong`] with all its faults, [`CatalogError::InSettings`]; those of the store.
    pub async fn create_template(&self, name: &str, keys: &Json, by: Option<&str>) -> Result<Template, CatalogError> {
        let declared = self.current();
        refuse_in_settings(&declared, name)?;
        let template = check(&declared, name, keys, None)?;
        let recorded = self
            .store
            .add_template(name, write_recorded(&template), by, self.clock.now());
        let recorded = recorded.await?;
        tracing::info!(template = name, version = recorded.version, by, "template created");
        self.refresh().await;
        Ok(self.as_recorded(name, template, recorded))
    }

    /// Changes a template that was made through the API. New instances have the new version; running ones keep theirs.
    /// `expected` is the version that the caller has read. Hidden values of variables keep their values.
    ///
    /// # Errors
    ///
    /// Those of [`create_template`](Self::create_template), [`CatalogError::NoSuchTemplate`]; of the store's
    /// [`StoreError::TemplateChanged`], when somebody else changed it meanwhile.
    pub async fn change_template(
        &self,
        name: &str,
        keys: &Json,
        expected: Option<u64>,
        by: Option<&str>,
    ) -> Result<Template, CatalogError> {
        let declared = self.current();
        refuse_in_settings(&declared, name)?;
        let before = declared.template_of_api(name);
        let template = check(&declared, name, keys, before.map(|before| &before.settings))?;
        // The hidden values were taken from this version.
        let expected = expected.or_else(|| Some(before?.version));
        let spec = write_recorded(&template);
        let recorded = self
            .store
            .change_template(name, spec, expected, by, self.clock.now())
            .await?;
        tracing::info!(template = name, version = recorded.version, by, "template changed");
        self.refresh().await;
        Ok(self.as_recorded(name, template, recorded))
    }

    /// Removes a template that was made through the API, and returns it. Running instances stay as they are.
    ///
    /// # Errors
    ///
    /// [`CatalogError::InSettings`], [`CatalogError::InUse`], [`CatalogError::NoSuchTemplate`]; those of the store.
    pub async fn remove_template(
        &self,
        name: &str,
        expected: Option<u64>,
        by: Option<&str>,
    ) -> Result<Template, CatalogError> {
        let declared = self.current();
        let Some(template) = declared.template_of_api(name) else {
            refuse_in_settings(&declared, name)?;
            return Err(CatalogError::NoSuchTemplate(name.to_owned()));
        };
        let is_in_force = declared.template(name) == Some(template);
        let users = declared.users_of(name);
        if is_in_force && !users.is_empty() {
            let name = name.to_owned();
            return Err(CatalogError::InUse { name, users });
        }
        self.store.remove_template(name, expected, by, self.clock.now()).await?;
        tracing::info!(template = name, by, "template removed");
        self.refresh().await;
        Ok(template.clone())
    }

    /// A recorded version of a template, whether or not it is in force.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NoSuchTemplate`] when the version is not recorded; those of the store.
    pub async fn template_version(&self, name: &str, version: u64) -> Result<Template, CatalogError> {
        let found = self.store.template_version(name, version).await?;
        let missing = || CatalogError::NoSuchTemplate(format!("{name} of version {version}"));
        let found = found.ok_or_else(missing)?;
        let in_force = self.current();
        let origin = in_force.template(name).map_or(Origin::Api, |template| template.origin);
        Template::of_version(found, origin, in_force.settings()).map_err(|reason| {
            CatalogError::Wrong(Faults::from(Fault {
                key: format!("template.{name}"),
                variable: None,
                what: format!("version {version} cannot be read by this program: {reason}"),
                remedy: "declare the template anew".to_owned(),
            }))
        })
    }

    fn as_recorded(
        &self,
        name: &str,
        settings: TemplateSettings,
        recorded: orchestrator_model::RecordedTemplate,
    ) -> Template {
        Template {
            name: name.to_owned(),
            origin: recorded.origin,
            version: recorded.version,
            settings,
            changed: recorded.changed,
            by: recorded.by,
        }
    }
}

fn refuse_in_settings(declared: &Declared, name: &str) -> Result<(), CatalogError> {
    match declared.settings().templates.contains_key(name) {
        true => Err(CatalogError::InSettings(name.to_owned())),
        false => Ok(()),
    }
}

/// Reads the keys of a template. Hidden values are taken from the template before.
fn check(
    declared: &Declared,
    name: &str,
    keys: &Json,
    before: Option<&TemplateSettings>,
) -> Result<TemplateSettings, CatalogError> {
    let mut template = read_template(name, keys, declared.settings())?;
    let missing = match before {
        Some(before) => template.keep_hidden(before).err(),
        None => template.find_hidden(),
    };
    match missing {
        None => Ok(template),
        Some(hidden) => Err(CatalogError::Wrong(Faults::from(Fault {
            key: format!("template.{name}.{hidden}"),
            variable: None,
            what: "stands for a hidden value, and there is none to keep".to_owned(),
            remedy: "give the value".to_owned(),
        }))),
    }
}
