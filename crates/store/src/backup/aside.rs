//! Makes way for a restore where the file of a SQLite database is damaged: nothing can be written into it any more.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::url::parse_url;
use crate::{Store, StoreError};

/// The files that SQLite keeps beside its database; they belong together.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Gives the file at `url` another name if it is damaged, and returns that name. Somebody may be able to save something
/// of it.
pub(super) async fn set_damaged_aside(url: &str) -> Result<Option<PathBuf>, BackupError> {
    let target = parse_url(url)?;
    let Some(file) = target.file() else {
        return Ok(None);
    };
    match Store::look(url).await {
        Err(StoreError::Damaged { .. }) => rename(file).map(Some).map_err(BackupError::Aside),
        // Whatever else is wrong, the restore itself will meet it.
        _ => Ok(None),
    }
}

fn rename(file: &Path) -> io::Result<PathBuf> {
    let aside = unused(file)?;
    // The database last: until it is gone, another try finds the same.
    for companion in COMPANIONS {
        match std::fs::rename(with_suffix(file, companion), with_suffix(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(file, &aside)?;
    Ok(aside)
}

/// A name beside the file that nothing has.
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
