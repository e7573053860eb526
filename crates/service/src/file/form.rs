//! The form of a file: TOML, JSON or YAML.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use orchestrator_settings::parse_toml;
use serde_json::Value as Json;

use super::FileError;

/// The longest reason of a parser that is passed on, in characters.
const LONGEST_REASON: usize = 300;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// TOML 1.0.
    Toml,
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2.
    Yaml,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        })
    }
}

/// The word names no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no form of a service file; give toml, json or yaml")]
pub struct NoForm(String);

/// Reads the endings that files of a form have, in any case: `toml`, `json`, `yaml` and `yml`.
impl FromStr for Form {
    type Err = NoForm;

    fn from_str(text: &str) -> Result<Self, NoForm> {
        match text.to_ascii_lowercase().as_str() {
            "toml" => Ok(Self::Toml),
            "json" => Ok(Self::Json),
            "yaml" | "yml" => Ok(Self::Yaml),
            _ => Err(NoForm(text.to_owned())),
        }
    }
}

impl Form {
    /// The form that files with this ending have.
    fn of_name(name: &str) -> Option<Self> {
        Path::new(name).extension()?.to_str()?.parse().ok()
    }

    /// Parses all documents of a text. The error is one line.
    fn parse(self, text: &str) -> Result<Vec<Json>, String> {
        match self {
            Self::Toml => parse_toml("", text).map(|root| vec![root]),
            Self::Json => match serde_json::from_str(text) {
                Ok(root) => Ok(vec![root]),
                Err(error) => Err(error.to_string()),
            },
            Self::Yaml => parse_yaml(text),
        }
        .map_err(|reason| on_one_line(&reason))
    }
}

/// YAML with the booleans of version 1.2: `no` and `off` are text. Aliases are bounded by the parser's own budget.
fn parse_yaml(text: &str) -> Result<Vec<Json>, String> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| error.to_string())
}

/// Parses a file into its documents, in this form if one is given.
pub(super) fn parse(name: &str, given: Option<Form>, text: &str) -> Result<Vec<Json>, FileError> {
    if text.trim().is_empty() {
        return Err(FileError::Empty);
    }
    let parse_as = |form: Form| form.parse(text).map_err(|reason| FileError::Syntax { form, reason });
    if let Some(form) = given.or_else(|| Form::of_name(name)) {
        return parse_as(form);
    }
    match text.trim_start().chars().next() {
        Some('{') => parse_as(Form::Json),
        // A list of JSON and a heading of TOML begin alike.
        Some('[') => parse_as(Form::Json).or_else(|json| Form::Toml.parse(text).map_err(|_| json)),
        _ => Form::Toml.parse(text).or_else(|toml| {
            let yaml = Form::Yaml.parse(text);
            yaml.map_err(|yaml| FileError::Unknown { toml, yaml })
        }),
    }
}

fn on_one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ").chars().take(LONGEST_REASON).collect()
}
