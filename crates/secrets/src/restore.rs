//! Checks that the secrets of a backup can be opened here.

use orchestrator_runtime::causes::with_causes;

use crate::key::{KeyFile, KeyFileFault, Keys, OpenFault, key_id};
use crate::room::row;

/// Opens the secrets of a backup, one by one, before they are restored.
#[derive(Debug)]
pub struct BackupCheck {
    file: KeyFile,
    keys: Result<Option<Keys>, KeyFileFault>,
}

impl BackupCheck {
    /// Checks with the keys that this file has now.
    pub fn with(file: KeyFile) -> Self {
        Self {
            keys: file.read(),
            file,
        }
    }

    /// Whether a secret opens.
    ///
    /// # Errors
    ///
    /// Why it does not, as a sentence without its end.
    pub fn opens(&self, name: &str, sealed: &str) -> Result<(), String> {
        let keys = match &self.keys {
            Ok(Some(keys)) => keys,
            Ok(None) => return Err(self.missing(sealed)),
            Err(fault) => return Err(with_causes(fault)),
        };
        match keys.open(row(name), sealed) {
            Ok(_) => Ok(()),
            Err(OpenFault::NoKey(wanted)) => Err(format!(
                "the key file {} holds the key {}, and they are sealed with the key {wanted}",
                self.file.path().display(),
                keys.newest().id(),
            )),
            Err(fault) => Err(format!("the secret {name:?} does not open: {fault}")),
        }
    }

    fn missing(&self, sealed: &str) -> String {
        let path = self.file.path().display();
        match key_id(sealed) {
            Some(key) => format!("the key file {path} is missing, and they are sealed with the key {key}"),
            None => format!("the key file {path} is missing"),
        }
    }
}
