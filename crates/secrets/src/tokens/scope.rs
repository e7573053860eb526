//! What a token is for: paths of the API.

use std::fmt;
use std::str::FromStr;

/// The most paths of a scope.
pub(super) const MOST_PATHS: usize = 32;
/// The longest entry of a scope, in bytes.
const LONGEST: usize = 200;
/// The methods that an entry may begin with.
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// The paths that a token is for. An empty scope is everything that the role may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(Vec<Entry>);

/// A path, and all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    method: Option<String>,
    path: String,
}

/// The text is not an entry of a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a path of a scope: write it like \"/v1/kv/web\", or \"GET /v1/kv/web\" for one method; at most {MOST_PATHS} \
     of them"
)]
pub struct ScopeError(String);

impl Scope {
    /// Reads the entries.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] for an entry that is no path, or for too many.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let entries: Vec<Entry> = entries.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        match entries.get(MOST_PATHS) {
            Some(further) => Err(ScopeError(further.to_string())),
            None => Ok(Self(entries)),
        }
    }

    /// Whether a request is within the scope. `path` is as it was sent, without its query.
    pub fn allows(&self, method: &str, path: &str) -> bool {
        let method = if method == "HEAD" { "GET" } else { method };
        self.0.is_empty() || self.0.iter().any(|entry| entry.allows(method, path))
    }

    /// The entries as text.
    pub fn entries(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl Entry {
    fn allows(&self, method: &str, path: &str) -> bool {
        let is_method = self.method.as_deref().is_none_or(|one| one == method);
        let rest = path.strip_prefix(self.path.as_str());
        // Dots could lead out of the path again, in whatever way they are written.
        let leads_out = path.contains("..") || path.to_ascii_lowercase().contains("%2e");
        is_method && !leads_out && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for Entry {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => (Some(method), path),
            None => (None, text),
        };
        let is_path = path.starts_with('/')
            && path.len() > 1
            && !path.ends_with('/')
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
            && !path.contains("..");
        if text.len() <= LONGEST && is_path && method.is_none_or(|method| METHODS.contains(&method)) {
            return Ok(Self {
                method: method.map(str::to_owned),
                path: path.to_owned(),
            });
        }
        Err(ScopeError(text.to_owned()))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} {}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_its_paths_and_what_is_below_them() {
        let scope = Scope::parse(["/v1/kv/web", "GET /v1/services"]).unwrap();
        for (method, path) in [
            ("PUT", "/v1/kv/web/a"),
            ("GET", "/v1/kv/web"),
            ("GET", "/v1/services/web"),
            ("HEAD", "/v1/services"),
        ] {
            assert!(scope.allows(method, path), "{method} {path}");
        }
        for (method, path) in [
            ("PUT", "/v1/kv/webmail/a"),
            ("PUT", "/v1/services/web"),
            ("GET", "/v1/kv"),
            ("GET", "/v1/instances"),
            ("GET", "/v1/kv/web/../other/a"),
            ("GET", "/v1/kv/web/%2e%2E/other/a"),
            ("GET", "/v1/kv/web%2Fa"),
        ] {
            assert!(!scope.allows(method, path), "{method} {path}");
        }
        assert!(Scope::default().allows("DELETE", "/v1/instances/a"));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = format!("/{}", "a".repeat(200));
        for text in [
            "",
            "/",
            "v1/kv",
            "/v1/kv/",
            "PATCH /v1",
            "GET  /v1",
            "/v1/../x",
            "/v1?x",
            "/a b c",
            &long,
        ] {
            assert!(Scope::parse([text]).is_err(), "{text:?}");
        }
        assert!(Scope::parse([&"/v1"; 33].map(|text| *text)).is_err());
    }
}
