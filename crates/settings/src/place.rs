//! The place of the settings: a file, and the environment that is laid over it.

use std::path::{Path, PathBuf};

use super::{Elsewhere, Faults, PREFIX, Settings, load_beside};

/// The file and the variables of the settings. They can be read again and again.
pub struct Place {
    path: PathBuf,
    variables: Vec<(String, String)>,
}

impl Place {
    /// The file at `path`, overridden by those of these variables that begin with [`PREFIX`].
    pub fn new(path: PathBuf, variables: impl Iterator<Item = (String, String)>) -> Self {
        let variables = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        Self { path, variables }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the settings as they are written now. They may name templates that are declared elsewhere. Blocks while it
    /// reads the file.
    ///
    /// # Errors
    ///
    /// All faults of the settings.
    pub fn load(&self, elsewhere: &Elsewhere) -> Result<Settings, Faults> {
        load_beside(&self.path, self.variables.iter().cloned(), elsewhere)
    }
}
