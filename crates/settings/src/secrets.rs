//! `[secrets]`: the file of the key that opens the secrets in the database.

use std::path::{Path, PathBuf};

use super::reader::Table;
use super::store::StoreSettings;

/// The file of the key that opens the secrets in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsSettings {
    /// The file of the sealing key: an absolute path.
    pub key_file: PathBuf,
}

impl SecretsSettings {
    pub(super) fn read(mut table: Table<'_>, store: &StoreSettings) -> Self {
        let remedy = "give an absolute path of its own, like \"/var/lib/orchestrator/orchestrator.key\"";
        let key_file = table
            .take("key_file")
            .and_then(|entry| entry.parse(remedy, |text| parse_key_file(text, store)));
        table.finish();
        Self {
            key_file: key_file.unwrap_or_else(|| beside(&store.identity)),
        }
    }
}

/// The default file, next to the identity: each daemon has its own.
fn beside(identity: &Path) -> PathBuf {
    match identity.extension() {
        Some(extension) if extension == "key" => identity.with_added_extension("key"),
        _ => identity.with_extension("key"),
    }
}

fn parse_key_file(text: &str, store: &StoreSettings) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if !path.is_absolute() || text.ends_with('/') {
        Err(format!("{text:?} is no absolute path of a file"))
    } else if path == store.identity || store.url.file() == Some(path) {
        Err(format!("{text:?} is another file of the daemon's"))
    } else {
        Ok(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<crate::Settings, crate::Faults> {
        crate::parse(text, std::iter::empty())
    }

    #[test]
    fn the_key_is_beside_the_identity() {
        for (store, key) in [
            ("", "/var/lib/orchestrator/orchestrator.key"),
            ("url = \"sqlite:///srv/leases\"", "/srv/leases.key"),
            ("identity = \"/srv/a.key\"", "/srv/a.key.key"),
        ] {
            let read = settings(&format!("[store]\n{store}")).unwrap();
            assert_eq!(read.secrets.key_file, Path::new(key));
        }
    }

    #[test]
    fn a_key_file_is_no_other_file() {
        let named = |path: &str| settings(&format!("[secrets]\nkey_file = \"{path}\""));
        assert_eq!(named("/srv/key").unwrap().secrets.key_file, Path::new("/srv/key"));
        for bad in [
            "key",
            "/srv/",
            "/var/lib/orchestrator/orchestrator.identity",
            "/var/lib/orchestrator/orchestrator.db",
        ] {
            let faults = named(bad).unwrap_err();
            assert!(faults.iter().all(|fault| fault.key == "secrets.key_file"), "{bad}");
        }
    }
}
