//! `[acme]`: the certificate authority that certifies routes by ACME.

use std::path::PathBuf;

use http::Uri;

use super::reader::Table;

/// The directory of Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The most bytes of a URL, and of an address for mail.
const LONGEST: usize = 1024;
const LONGEST_EMAIL: usize = 254;

/// The certificate authority that certifies routes by ACME (RFC 8555). Its terms are agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The URL of its directory, with the scheme `https`.
    pub directory: String,
    /// The address to which it may send mail about certificates. With `None` it has no address.
    pub email: Option<String>,
    /// The file with the certificates, in PEM, by which the directory itself is trusted; `None` for what this machine
    /// trusts.
    pub trust: Option<PathBuf>,
}

impl AcmeSettings {
    /// Reads the section; `Some(None)` without it, `None` only after a fault.
    pub(super) fn read(root: &mut Table<'_>) -> Option<Option<Self>> {
        let Some(entry) = root.take("acme") else {
            return Some(None);
        };
        let mut table = entry.table()?;
        let remedy = format!("write it like \"{DIRECTORY}\"");
        let directory = match table.take("directory") {
            Some(entry) => entry.parse(&remedy, parse_directory),
            None => Some(DIRECTORY.to_owned()),
        };
        let email = match table.take("email") {
            Some(entry) => entry
                .parse("write it like \"admin@example.org\"", parse_email)
                .map(Some),
            None => Some(None),
        };
        let trust = match table.take("trust") {
            Some(entry) => entry.absolute_path().map(Some),
            None => Some(None),
        };
        let remedy = "read the authority's terms of service, and write `terms_agreed = true` to agree to them";
        let agreed = table.need("terms_agreed", remedy).and_then(|entry| entry.flag());
        if agreed == Some(false) {
            table.fault(
                "terms_agreed",
                "is false, and no authority certifies without it",
                remedy,
            );
        }
        table.finish();
        Some(Some(Self {
            directory: directory?,
            email: email?,
            trust: trust?,
        }))
        .filter(|_| agreed == Some(true))
    }
}

fn parse_directory(text: &str) -> Result<String, String> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_printable && text.len() <= LONGEST && leads_somewhere(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no URL with https")),
    }
}

/// Whether a URL has https and a host, no user, and a port that is one. The client reads URLs by the same library.
fn leads_somewhere(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let port = authority.as_str().strip_prefix(authority.host());
    let is_port = |port: &str| port.is_empty() || (!port.contains('@') && authority.port_u16().is_some());
    let is_port = port.is_some_and(is_port);
    uri.scheme_str() == Some("https") && !authority.host().is_empty() && is_port
}

fn parse_email(text: &str) -> Result<String, String> {
    let is_printable = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b",:?".contains(&byte));
    let parts = text
        .rsplit_once('@')
        .filter(|(name, domain)| !name.is_empty() && !domain.is_empty());
    match is_printable && text.len() <= LONGEST_EMAIL && parts.is_some() {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no address for mail")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<AcmeSettings>, String> {
        let settings = crate::parse(text, std::iter::empty());
        settings
            .map(|settings| settings.acme)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_authority_is_lets_encrypt_unless_another_one_is_named() {
        assert_eq!(read("").unwrap(), None);
        let one = read("[acme]\nterms_agreed = true").unwrap().unwrap();
        assert_eq!((one.directory.as_str(), one.email, one.trust), (DIRECTORY, None, None));
        let text = "[acme]\nterms_agreed = true\ndirectory = \"https://[fd39::1]:14000/dir\"\nemail = \"a@b.example\"\n\
                    trust = \"/etc/ca.pem\"";
        let other = read(text).unwrap().unwrap();
        assert_eq!(other.directory, "https://[fd39::1]:14000/dir");
        assert_eq!(other.email.as_deref(), Some("a@b.example"));
        assert_eq!(other.trust, Some(PathBuf::from("/etc/ca.pem")));
    }

    #[test]
    fn faults_name_their_key() {
        for (bad, fault) in [
            ("", "acme.terms_agreed: is missing"),
            ("terms_agreed = false", "acme.terms_agreed: is false"),
            ("terms_agreed = 1", "acme.terms_agreed: "),
            ("terms_agreed = true\ndirectory = \"http://a/\"", "acme.directory: "),
            ("terms_agreed = true\ndirectory = \"https:///a\"", "acme.directory: "),
            ("terms_agreed = true\ndirectory = \"https://a b/\"", "acme.directory: "),
            ("terms_agreed = true\ndirectory = \"https://a<b/\"", "acme.directory: "),
            (
                "terms_agreed = true\ndirectory = \"https://[::1/dir\"",
                "acme.directory: ",
            ),
            (
                "terms_agreed = true\ndirectory = \"https://a:99999/\"",
                "acme.directory: ",
            ),
            ("terms_agreed = true\ndirectory = \"https://me@a/\"", "acme.directory: "),
            (
                "terms_agreed = true\ndirectory = \"https://a@a:443/\"",
                "acme.directory: ",
            ),
            ("terms_agreed = true\nemail = \"a\"", "acme.email: "),
            ("terms_agreed = true\nemail = \"a@b,c@d\"", "acme.email: "),
            ("terms_agreed = true\ntrust = \"ca.pem\"", "acme.trust: "),
            ("terms_agreed = true\nmail = \"a@b\"", "acme.mail: "),
        ] {
            let found = read(&format!("[acme]\n{bad}")).unwrap_err();
            assert!(found.starts_with(fault), "{bad}: {found}");
        }
    }
}
