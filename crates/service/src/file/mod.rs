//! Service files: TOML, JSON, YAML, and the JSON of Marathon, with one service or several.
//!
//! ```text
//! text ──▶ form (by its ending, or its content) ──▶ documents ──▶ [marathon] ──▶ changes ──▶ keys for ServiceSpec::read
//! ```

mod changes;
mod documents;
mod form;
mod marathon;

use serde_json::Value as Json;

pub use changes::Changes;
pub use form::{Form, NoForm};

/// The largest file, in bytes.
pub const LARGEST: usize = 1 << 20;

/// The largest number of services in a file.
pub const MOST_SERVICES: usize = 1000;

/// One service of a file, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The keys of the service; always an object.
    pub keys: Json,
    /// What the file says and is not carried out, each with the name of the key. Only files for Marathon have such.
    pub warnings: Vec<String>,
}

/// The reason why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is too large.
    #[error("it has {bytes} bytes; a service file has at most {LARGEST}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is not text.
    #[error("it is not text in UTF-8")]
    NotText,
    /// Its form is known, and the text does not follow it.
    #[error("it is not {form}: {reason}")]
    Syntax {
        /// The form.
        form: Form,
        /// Where and why.
        reason: String,
    },
    /// Its form is not known.
    #[error(
        "it is neither TOML ({toml}) nor YAML ({yaml}); give its form (`--format`), or an ending of .toml, .json or .yaml, to be told about one only"
    )]
    Unknown {
        /// Why it is not TOML.
        toml: String,
        /// Why it is not YAML.
        yaml: String,
    },
    /// It has no service.
    #[error("it describes no service; write name = \"NAME\" and image = \"IMAGE\"")]
    Empty,
    /// It has too many services.
    #[error("it describes {count} services; take at most {MOST_SERVICES} in a file")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A part of it is no service.
    #[error("{place} is no table of keys; write name = \"NAME\" and image = \"IMAGE\" there")]
    NoService {
        /// The part.
        place: String,
    },
    /// It has a list of services and other keys, which would belong to none.
    #[error("{key} stands beside the list `service`, and belongs to no service; write it into each of them")]
    Beside {
        /// The key.
        key: String,
    },
}

/// Reads a file. Its form is `given`, or else that of the ending of its name; without a known ending, the content decides.
///
/// A file has one service, a list of services, or several under `service`. YAML may also have several documents. A service
/// with an `id` and one of `instances`, `container` and `cmd` is one for Marathon, and is converted.
///
/// # Errors
///
/// When the text cannot be parsed, or is no service. Whether its keys are right is for
/// [`ServiceSpec::read`](crate::ServiceSpec::read).
pub fn read(name: &str, given: Option<Form>, content: &[u8]) -> Result<Vec<Document>, FileError> {
    if content.len() > LARGEST {
        let bytes = content.len();
        return Err(FileError::TooLarge { bytes });
    }
    let text = std::str::from_utf8(content).map_err(|_| FileError::NotText)?;
    let roots = form::parse(name, given, text.trim_start_matches('\u{feff}'))?;
    let all = documents::split(roots)?;
    let document = |keys: Json| match marathon::is_marathon(&keys) {
        true => marathon::convert(&keys),
        false => Document {
            keys,
            warnings: Vec::new(),
        },
    };
    Ok(all.into_iter().map(document).collect())
}

#[cfg(test)]
mod tests;
