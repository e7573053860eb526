//! Renames a damaged SQLite database, so that a restore can create a new one.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::url::parse_url;
use crate::{Store, StoreError};

/// The files that SQLite keeps next to its database. All of them belong together.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Renames the file at `url` if it is damaged, and returns the new name. Somebody may be able to recover something
/// from it.
pub(super) async fn set_damaged_aside(url: &str) -> Result<Option<PathBuf>, BackupError> {
    let target = parse_url(url)?;
    let Some(file) = target.file() else {
        return Ok(None);
    };
    match Store::look(url).await {
        Err(StoreError::Damaged { .. }) => rename(file).map(Some).map_err(BackupError::Aside),
        // The restore itself will report any other fault.
        _ => Ok(None),
    }
}

fn rename(file: &Path) -> io::Result<PathBuf> {
    let aside = unused(file)?;
    // The database is renamed last. Until then, another try finds the same state.
    for companion in COMPANIONS {
        match std::fs::rename(with_suffix(file, companion), with_suffix(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(file, &aside)?;
    Ok(aside)
}

/// A file name next to the file that does not exist yet.
fn unused(file: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let name = with_suffix(file, &format!(".damaged-{number}"));
        if !name.try_exists()? {
            return Ok(name);
        }
        number += 1;
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}
