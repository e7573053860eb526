//! How much the database holds, for those who watch over it.

use std::path::{Path, PathBuf};

use super::connection::{fetch_optional, statements};
use super::url::parse_url;
use super::{Store, StoreError, migrate};

statements! {
    ACTIVE = "select count(*) from leases where state = 'active'";
}

/// The files of a SQLite database, and their sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFiles {
    /// The path of the database.
    pub path: PathBuf,
    /// The size of the database itself.
    pub size: u64,
    /// The size of the log of what is not copied into it yet.
    pub log: u64,
}

impl Store {
    /// The files of the database that a URL names, as they are now; `None` for a server, and for a URL of nothing. A file
    /// that is not there has no size.
    pub fn files_of(url: &str) -> Option<DatabaseFiles> {
        let target = parse_url(url).ok()?;
        let path = target.file()?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        Some(DatabaseFiles {
            size: size(path),
            log: size(Path::new(&log)),
            path: path.to_owned(),
        })
    }

    /// The version of the schema, and the newest one that this program knows.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn schema(&self) -> Result<(i64, i64), StoreError> {
        let found = migrate::version(&mut self.snapshot().await?).await?;
        Ok((found, migrate::newest()))
    }

    /// The number of active leases.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn count_active_leases(&self) -> Result<u64, StoreError> {
        let found = fetch_optional!(&mut self.glance().await?, "count the active leases", (i64,), ACTIVE)?;
        Ok(found.and_then(|(count,)| u64::try_from(count).ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_database_are_measured() {
        let path = std::env::temp_dir().join(format!("orchestrator-weigh-{}.db", std::process::id()));
        let url = format!("sqlite://{}", path.display());
        std::fs::write(&path, "12345").unwrap();
        let files = Store::files_of(&url).unwrap();
        assert_eq!((files.size, files.log, &files.path), (5, 0, &path));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Store::files_of(&url).unwrap().size, 0);
        assert_eq!(Store::files_of("postgres://me@host/name"), None);
        assert_eq!(Store::files_of("nothing"), None);
    }
}
