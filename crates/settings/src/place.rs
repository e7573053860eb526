//! Where settings are written: a file, and the environment that is laid over it.

use std::path::{Path, PathBuf};

use super::{Elsewhere, Faults, PREFIX, Settings, load_beside};

/// The file and the variables that settings are read from, as often as they are asked for.
pub struct Place {
    path: PathBuf,
    variables: Vec<(String, String)>,
}

impl Place {
    /// The file at `path`, with those of these variables over it that begin with [`PREFIX`].
    pub fn new(path: PathBuf, variables: impl Iterator<Item = (String, String)>) -> Self {
        let variables = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        Self { path, variables }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the settings as they are written now, which may name what is declared elsewhere. Blocks while it reads the file.
    ///
    /// # Errors
    ///
    /// All faults of the settings.
    pub fn load(&self, elsewhere: &Elsewhere) -> Result<Settings, Faults> {
        load_beside(&self.path, self.variables.iter().cloned(), elsewhere)
    }
}
