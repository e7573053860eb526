//! What a registry answers to those who have not said who they are (RFC 9110, section 11.6.1; RFC 6750). Pure.

/// How a registry wants to be told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// The user and the password with every request.
    Basic,
    /// A token, which is given at `realm`.
    Bearer {
        /// The URL.
        realm: String,
        /// The name of the registry for the one that gives the token.
        service: Option<String>,
    },
}

impl Challenge {
    /// Parses the value of a `WWW-Authenticate` header; `None` for a scheme that is not known.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        for (key, value) in parameters(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                _ => {}
            }
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

/// The parameters `key="value"` and `key=value`, separated by commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.trim().to_owned(), after)
            }
        };
        found.push((key.trim().to_owned(), value));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// The text up to the closing quote, and what comes after it.
fn quoted_value(text: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        })
    }

    #[test]
    fn both_schemes_are_read() {
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("basic"), Some(Challenge::Basic));
        assert_eq!(
            Challenge::parse("Bearer realm=\"https://a.example/token\",service=\"a, b\",scope=\"repository:x:pull\""),
            bearer("https://a.example/token", Some("a, b"))
        );
        assert_eq!(
            Challenge::parse("bearer  service=a , realm=\"https://a.example/\\\"\""),
            bearer("https://a.example/\"", Some("a"))
        );
    }

    #[test]
    fn what_cannot_be_answered_is_none() {
        for header in [
            "",
            "Digest realm=\"x\"",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm",
        ] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
        // What does not end is read to its end.
        assert_eq!(Challenge::parse("Bearer realm=\"x"), bearer("x", None));
    }
}
