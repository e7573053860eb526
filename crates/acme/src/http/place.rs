//! The host and the port to which a URL of an authority leads.

use std::io;

use hyper::Uri;
use hyper::header::HeaderValue;

/// The host and the port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    authority: String,
}

impl Place {
    /// The place of a URL with https.
    pub(super) fn of(uri: &Uri) -> io::Result<Self> {
        if uri.scheme_str() != Some("https") {
            return Err(invalid("it is no URL with https"));
        }
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        let host = authority.host();
        // What the library does not read as a port would count as none, and so as 443.
        let port = match (authority.as_str().strip_prefix(host), authority.port_u16()) {
            _ if host.is_empty() => return Err(invalid("it names no host")),
            (Some(""), _) => 443,
            (Some(rest), _) if rest.contains('@') => return Err(invalid("it has a user")),
            (Some(_), Some(port)) => port,
            (Some(_), None) => return Err(invalid("its port is no number up to 65535")),
            (None, _) => return Err(invalid("it has a user")),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Self {
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
        })
    }

    /// The same of a text.
    pub(super) fn read(text: &str) -> io::Result<Self> {
        Self::of(&text.parse().map_err(|_| invalid("it is no URL"))?)
    }

    pub(super) fn header(&self) -> io::Result<HeaderValue> {
        self.authority.parse().map_err(io::Error::other)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_a_host_and_a_port() {
        let place = |text: &str| Place::read(text).map(|place| (place.host, place.port));
        assert_eq!(place("https://ca.example/dir").unwrap(), ("ca.example".to_owned(), 443));
        assert_eq!(
            place("https://[fd39::1]:14000/dir").unwrap(),
            ("fd39::1".to_owned(), 14000)
        );
        for bad in [
            "",
            "/dir",
            "http://ca.example/dir",
            "https://",
            "https://[::1/dir",
            "https://a<b/",
            "https://ca.example:99999/dir",
            "https://me@ca.example/dir",
            "https://ca.example@ca.example:443/dir",
        ] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
