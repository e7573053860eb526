//! `[store]`: the database, and how long history is kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Table;

const DEFAULT_URL: &str = "sqlite:///var/lib/orchestrator/orchestrator.db";
const DEFAULT_IDENTITY: &str = "/var/lib/orchestrator/orchestrator.identity";
const DAY: Duration = Duration::from_secs(86_400);

/// The database, and how long history is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The database.
    pub url: StoreUrl,
    /// How long events and removed instances are kept: 1 minute to 10 years.
    pub history: Duration,
    /// The file with the copy of the server's identity: an absolute path.
    pub identity: PathBuf,
}

/// The URL of a database: `sqlite://` with an absolute path, or `postgres://`. It is displayed without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// The URL with its password. Only the database driver may use it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file of a SQLite database; `None` for other databases.
    pub(super) fn file(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").map(Path::new)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let url = Self(text.to_owned());
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("is not a URL".to_owned());
        };
        match scheme {
            "sqlite" if rest.starts_with('/') && !rest.ends_with('/') => Ok(url),
            "sqlite" => Err(format!("{url} has no absolute path of a file")),
            "postgres" | "postgresql" if rest.is_empty() => Err(format!("{url} names no server")),
            "postgres" | "postgresql" => Ok(url),
            _ => Err(format!("{scheme:?} is not a database that is known here")),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password is before the last `@`, or among the parameters. Hiding too much does no harm.
        let (place, parameters) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
        match rest
            .rsplit_once('@')
            .and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
        {
            Some((user, host)) => write!(f, "{scheme}://{user}:***@{host}")?,
            None => f.write_str(place)?,
        }
        match parameters {
            "" => Ok(()),
            _ if parameters.contains("password") => f.write_str("?***"),
            _ => write!(f, "?{parameters}"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StoreSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let remedy =
            "write it like \"sqlite:///var/lib/orchestrator/orchestrator.db\" or \"postgres://user@host/database\"";
        let url = table.take("url").and_then(|entry| entry.parse(remedy, StoreUrl::parse));
        let history = table
            .take("history")
            .and_then(|entry| entry.lifespan(Duration::from_secs(60)..=DAY * 3650));
        let url = url.unwrap_or_else(|| StoreUrl(DEFAULT_URL.to_owned()));
        let remedy = "give an absolute path of its own, like \"/var/lib/orchestrator/orchestrator.identity\"";
        let identity = table
            .take("identity")
            .and_then(|entry| entry.parse(remedy, |text| parse_identity(text, &url)));
        table.finish();
        Self {
            identity: identity.unwrap_or_else(|| default_identity(&url)),
            url,
            history: history.unwrap_or(DAY * 30),
        }
    }
}

/// The default file: next to a SQLite database; for other databases, next to the default SQLite database.
fn default_identity(url: &StoreUrl) -> PathBuf {
    match url.file() {
        // A database by that name has its identity beside it all the same.
        Some(file) if file.extension().is_some_and(|extension| extension == "identity") => {
            file.with_added_extension("identity")
        }
        Some(file) => file.with_extension("identity"),
        None => PathBuf::from(DEFAULT_IDENTITY),
    }
}

fn parse_identity(text: &str, url: &StoreUrl) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if !path.is_absolute() || text.ends_with('/') {
        Err(format!("{text:?} is no absolute path of a file"))
    } else if url.file() == Some(path) {
        Err(format!("{text:?} is the database"))
    } else {
        Ok(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            (
                "postgres://me:se/c:r@et@db:5432/x?a=b@c",
                "postgres://me:***@db:5432/x?a=b@c",
            ),
            ("postgres://db/x?password=secret", "postgres://db/x?***"),
            ("postgres://me@db/x", "postgres://me@db/x"),
            ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ] {
            assert_eq!(StoreUrl(url.to_owned()).to_string(), shown);
        }
        assert_eq!(
            format!("{:?}", StoreUrl("postgres://me:secret@db/x".to_owned())),
            "postgres://me:***@db/x"
        );
    }

    #[test]
    fn the_identity_is_beside_the_database() {
        for (url, identity) in [
            (DEFAULT_URL, DEFAULT_IDENTITY),
            ("sqlite:///srv/leases", "/srv/leases.identity"),
            ("sqlite:///srv/a.identity", "/srv/a.identity.identity"),
            ("postgres://db/x", DEFAULT_IDENTITY),
        ] {
            assert_eq!(
                default_identity(&StoreUrl(url.to_owned())),
                Path::new(identity),
                "{url}"
            );
        }
        let url = StoreUrl("sqlite:///srv/a.db".to_owned());
        assert!(parse_identity("/srv/b", &url).is_ok());
        for bad in ["", "b", "/srv/", "/srv/a.db"] {
            assert!(parse_identity(bad, &url).is_err(), "{bad}");
        }
    }

    #[test]
    fn databases_are_told_apart() {
        for good in [
            "sqlite:///a.db",
            "postgres://u@h/d",
            "postgresql:///d?host=/run/postgresql",
        ] {
            assert!(StoreUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "orchestrator.db",
            "sqlite://a.db",
            "sqlite::memory:",
            "sqlite:///",
            "mysql://h/d",
            "postgres://",
        ] {
            assert!(StoreUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
