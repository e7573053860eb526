//! `[api]`: the sockets of the REST API.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::prefix::parse_domain;
use super::reader::{Entry, Table};

/// The longest path, in bytes, that fits into the address of a unix socket.
const LONGEST_SOCKET_PATH: usize = 107;

/// The longest name of a group, in bytes.
const LONGEST_GROUP: usize = 32;

/// The sockets of the REST API, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// The sockets: at least one, and no duplicates.
    pub listen: Vec<Listen>,
    /// The group whose members may use the API on unix sockets; empty for none.
    pub group: String,
    /// The certificate of the sockets with TLS.
    pub tls: ApiTls,
}

/// The certificate of the sockets with TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiTls {
    /// The files with the certificate and its chain, and with its private key, both in PEM. `None` for a certificate of the
    /// daemon's own authority.
    pub files: Option<TlsFiles>,
    /// The names and addresses in a certificate of the daemon's own authority, besides those of this machine.
    pub names: Vec<String>,
}

/// The files of a certificate. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A unix socket at this absolute path.
    Unix(PathBuf),
    /// A loopback address. Callers there are not identified, so the API must not be reachable from other machines.
    Tcp(SocketAddr),
    /// Any address, with TLS. Callers have tokens there.
    Tls(SocketAddr),
}

/// The text does not name a socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// It is neither a unix socket nor an address with port.
    #[error("{0:?} is neither \"unix:/path\", nor an address with port, nor \"https://\" and an address with port")]
    Unreadable(String),
    /// The path is relative or too long.
    #[error("{0:?} is not an absolute path of at most {LONGEST_SOCKET_PATH} bytes")]
    Path(String),
    /// The address can be reached from other machines.
    #[error(
        "{0} can be reached from other machines, and without TLS the API does not identify callers there; write \"https://{0}\""
    )]
    Open(SocketAddr),
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            // `unix:///path` is the same socket as `unix:/path`.
            let path = path.strip_prefix("//").unwrap_or(path);
            let fits = path.starts_with('/') && !path.ends_with('/') && path.len() <= LONGEST_SOCKET_PATH;
            return if fits {
                Ok(Self::Unix(path.into()))
            } else {
                Err(ListenError::Path(path.to_owned()))
            };
        }
        if let Some(address) = text.strip_prefix("https://") {
            let address = address.trim_end_matches('/').parse();
            return address
                .map(Self::Tls)
                .map_err(|_| ListenError::Unreadable(text.to_owned()));
        }
        let address: SocketAddr = text.parse().map_err(|_| ListenError::Unreadable(text.to_owned()))?;
        if address.ip().is_loopback() {
            Ok(Self::Tcp(address))
        } else {
            Err(ListenError::Open(address))
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Tls(address) => write!(f, "https://{address}"),
        }
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Unix(PathBuf::from("/run/orchestrator/api.sock"))],
            group: "orchestrator".to_owned(),
            tls: ApiTls::default(),
        }
    }
}

impl ApiSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let remedy = "write it like \"unix:/run/orchestrator/api.sock\", \"https://[::]:8999\" or \"[::1]:8998\"";
        let read = |entry: Entry<'_>| entry.parse(remedy, Listen::from_str);
        let listen = table.take("listen").and_then(|entry| entry.list_of(16, read));
        if let Some(listen) = &listen {
            let key = table.key("listen");
            if listen.is_empty() {
                table
                    .faults()
                    .at(&key, "is empty", format!("name at least one: {remedy}"));
            }
            for (index, place) in listen.iter().enumerate() {
                if listen.iter().take(index).any(|earlier| earlier == place) {
                    table.faults().at(
                        format!("{key}[{index}]"),
                        format!("{place} is named twice"),
                        "name it once",
                    );
                }
            }
        }
        let remedy = "write the name of a group like \"orchestrator\", or \"\" for none";
        let group = table.take("group").and_then(|entry| entry.parse(remedy, parse_group));
        let tls = ApiTls::read(table.section("tls"));
        table.finish();
        let default = Self::default();
        Self {
            listen: listen.unwrap_or(default.listen),
            group: group.unwrap_or(default.group),
            tls,
        }
    }
}

impl ApiTls {
    fn read(mut table: Table<'_>) -> Self {
        let path = Entry::absolute_path;
        let certificate = table.take("certificate").and_then(path);
        let key = table.take("key").and_then(path);
        let remedy = "write names like \"orchestrator.example\", or addresses";
        let name = |entry: Entry<'_>| entry.parse(remedy, parse_name);
        let names = table.take("names").and_then(|entry| entry.list_of(32, name));
        for (one, other) in [("certificate", "key"), ("key", "certificate")] {
            if table.has(one) && !table.has(other) {
                table.fault(
                    other,
                    format!("is missing, and `{one}` needs it"),
                    format!("give `{other}`, or remove `{one}`"),
                );
            }
        }
        table.finish();
        let files = certificate.zip(key);
        Self {
            files: files.map(|(certificate, key)| TlsFiles { certificate, key }),
            names: names.unwrap_or_default(),
        }
    }
}

/// Parses a name or an address for a certificate.
fn parse_name(text: &str) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    parse_domain(text).map_err(|fault| fault.to_string())
}

/// Parses the name of a group, with the rules of groupadd(8).
fn parse_group(text: &str) -> Result<String, String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if text.len() <= LONGEST_GROUP && text.bytes().all(known) && !text.starts_with('-') {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} cannot be the name of a group"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for (text, shown) in [
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("[::1]:8998", "[::1]:8998"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("https://[::]:8999", "https://[::]:8999"),
            ("https://192.0.2.1:443/", "https://192.0.2.1:443"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "unix:",
            "unix:a",
            "unix:/",
            "[::]:8998",
            "0.0.0.0:1",
            "::1",
            "localhost:80",
            "[::1%lo]:1",
            "https://example.org:443",
            "https://[::1]",
            "http://[::1]:1",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        assert!(format!("unix:/{}", "a".repeat(107)).parse::<Listen>().is_err());
    }

    #[test]
    fn there_is_no_tcp_unless_it_is_set() {
        let places = ApiSettings::default().listen;
        assert!(
            places.iter().all(|place| matches!(place, Listen::Unix(_))),
            "{places:?}"
        );
    }

    #[test]
    fn a_certificate_needs_its_key_and_names_are_names() {
        let read = |text: &str| crate::parse(text, std::iter::empty()).map(|settings| settings.api.tls);
        let tls = read("[api.tls]\ncertificate = \"/a\"\nkey = \"/b\"\nnames = [\"api.example\", \"::1\"]").unwrap();
        let (certificate, key) = (PathBuf::from("/a"), PathBuf::from("/b"));
        assert_eq!(tls.files, Some(TlsFiles { certificate, key }));
        assert_eq!(tls.names, ["api.example", "::1"]);
        for (text, fault) in [
            ("[api.tls]\ncertificate = \"/a\"", "api.tls.key: is missing"),
            ("[api.tls]\nkey = \"/a\"", "api.tls.certificate: is missing"),
            (
                "[api.tls]\ncertificate = \"a\"\nkey = \"/b\"",
                "is not an absolute path",
            ),
            ("[api.tls]\nnames = [\"a b\"]", "api.tls.names[0]"),
        ] {
            let faults = read(text).unwrap_err().to_string();
            assert!(faults.contains(fault), "{faults}");
        }
    }

    #[test]
    fn names_of_groups() {
        for name in ["", "orchestrator", "_ops", "net.ops-2"] {
            assert_eq!(parse_group(name).as_deref(), Ok(name));
        }
        for name in ["a b", "-a", "a:b", "gr\u{fc}n", &"a".repeat(33)] {
            assert!(parse_group(name).is_err(), "{name}");
        }
    }
}
