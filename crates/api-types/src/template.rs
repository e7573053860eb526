//! Templates.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::word::words;
use crate::{TemplateImage, scalar};

words! {
    /// The place of a declaration.
    pub enum Origin {
        /// In the settings. It cannot be changed through the API.
        Settings = "settings",
        /// Through the API.
        Api = "api",
    }
}

/// A template, from which instances are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateView {
    /// Its name.
    pub name: String,
    /// The version of the content: the same content under the same name has the same version, until its images are
    /// updated.
    pub version: u64,
    /// The place of its declaration.
    pub origin: Origin,
    /// Whether instances are made from it. A template of the settings takes precedence over one of the API of the same
    /// name.
    pub in_force: bool,
    /// When this version came into force; for a version that is not in force, when it was first declared.
    #[schemars(with = "scalar::Timestamp")]
    pub changed: Timestamp,
    /// Who declared this version; `null` for the settings.
    pub by: Option<String>,
    /// The links and classes that name it, like `link br0` and `class boot`.
    pub used_by: Vec<String>,
    /// Its images, each on each engine: what instances of this version have, and what the names mean now.
    /// Empty when the engine pins no images (it lacks `image-pins`): an instance has what the name of its image means
    /// when it is made.
    #[serde(default)]
    pub images: Vec<TemplateImage>,
    /// The keys of `[template.NAME]` in the settings, with all defaults. Values of environment variables and contents of
    /// files are hidden.
    pub spec: Map<String, Value>,
}

/// A template to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTemplate {
    /// Its name: a small letter, then at most 31 small letters, digits, "-" and "_".
    pub name: String,
    /// The keys of `[template.NAME]` in the settings. `image` is needed.
    pub spec: Map<String, Value>,
}

/// The new content of a template that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedTemplate {
    /// All keys of `[template.NAME]` in the settings; what is left out has its default. A value of an environment variable,
    /// or the text of a file, that is given as it was hidden stays as it is.
    pub spec: Map<String, Value>,
    /// The version that was edited, in place of an `If-Match` header. If another version is in force, nothing is
    /// changed.
    #[serde(default)]
    pub version: Option<u64>,
}
