//! What instances are made from, as it is recorded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::lease::words;

/// Where something is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In `settings.toml`.
    Settings,
    /// Through the API.
    Api,
}

words!(Origin { Settings = "settings", Api = "api" });

/// A template as one place declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTemplate {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub origin: Origin,
    /// The version that counts there. The same content of the same name has the same number, for as long as it is kept.
    pub version: u64,
    /// JSON: the keys of `[template.NAME]`, all of them.
    pub spec: String,
    /// Since when this version counts there.
    pub changed: Timestamp,
    /// Who made it count; `None` for the settings.
    pub by: Option<String>,
}

/// A version of a template, whether or not it counts anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersion {
    /// The name of the template.
    pub name: String,
    /// Its number, from 1.
    pub version: u64,
    /// JSON: the keys of `[template.NAME]`, all of them.
    pub spec: String,
    /// When it was first declared.
    pub made: Timestamp,
    /// Who first declared it; `None` for the settings.
    pub by: Option<String>,
}
