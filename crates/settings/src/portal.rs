//! `[portal]`: the pages of clients.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::prefix::parse_domain;
use super::reader::{Entry, Table};

/// The pages of clients, at the `portal` address of each link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortalSettings {
    /// The certificate by which the pages are also served over HTTPS.
    pub certificate: Option<PortalCertificate>,
}

/// A certificate for the portal, in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalCertificate {
    /// The file with the certificate and its chain, in PEM.
    pub certificate: PathBuf,
    /// The file with the private key, in PEM.
    pub key: PathBuf,
    /// The name in the certificate; `None` if it has the portal's address.
    pub host: Option<String>,
}

impl PortalSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let path = Entry::absolute_path;
        let certificate = table.take("certificate").and_then(path);
        let key = table.take("key").and_then(path);
        let host = table.take("host");
        let host = host.and_then(|entry| entry.parse("write it like \"portal.example.org\"", parse_domain));
        for (one, other) in [("certificate", "key"), ("key", "certificate"), ("host", "certificate")] {
            if table.has(one) && !table.has(other) {
                table.fault(
                    other,
                    format!("is missing, and `{one}` needs it"),
                    format!("give `{other}`, or remove `{one}`"),
                );
            }
        }
        table.finish();
        let both = certificate.zip(key);
        Self {
            certificate: both.map(|(certificate, key)| PortalCertificate { certificate, key, host }),
        }
    }

    /// The URL of the captive portal's API (RFC 8908) on a link with this portal. Clients ask it only by HTTPS.
    pub fn api_url(&self, portal: Ipv6Addr) -> Option<String> {
        let certificate = self.certificate.as_ref()?;
        Some(match &certificate.host {
            Some(host) => format!("https://{host}/api"),
            None => format!("https://[{portal}]/api"),
        })
    }
}

#[cfg(test)]
mod tests {

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";

    fn read(text: &str) -> Result<crate::Settings, String> {
        crate::parse(text, std::iter::empty()).map_err(|faults| faults.to_string())
    }

    #[test]
    fn clients_are_told_of_the_portal_by_themselves_only_where_there_is_a_certificate() {
        let portal = "isolation = true\nportal = \"fd39::d1\"\n";
        let certificate = "[portal]\ncertificate = \"/a\"\nkey = \"/b\"\n";
        let url = |text: &str| read(text).unwrap().links[0].captive_portal.clone();
        assert_eq!(url(&format!("{LINK}{portal}")), None);
        assert_eq!(url(&format!("{certificate}{LINK}")), None, "the link has no portal");
        let told = format!("{certificate}{LINK}{portal}");
        assert_eq!(url(&told).as_deref(), Some("https://[fd39::d1]/api"));
        let named = format!("{certificate}host = \"Portal.example.org\"\n{LINK}{portal}");
        assert_eq!(url(&named).as_deref(), Some("https://portal.example.org/api"));
        // What the settings say themselves takes precedence.
        let own = format!("{told}captive_portal = \"https://other.example/api\"\n");
        assert_eq!(url(&own).as_deref(), Some("https://other.example/api"));
        let (with, without) = (read(&told).unwrap(), read(&format!("{LINK}{portal}")).unwrap());
        assert_ne!(
            with.links[0].options, without.links[0].options,
            "DHCPv6 has the option, too"
        );
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let fault = read("[portal]\ncertificate = \"/a\"").unwrap_err();
        assert!(
            fault.contains("portal.key: is missing, and `certificate` needs it"),
            "{fault}"
        );
        let fault = read("[portal]\nhost = \"a.example\"").unwrap_err();
        assert!(fault.contains("portal.certificate: is missing"), "{fault}");
        let fault = read("[portal]\ncertificate = \"a\"\nkey = \"/b\"").unwrap_err();
        assert!(fault.contains("is not an absolute path"), "{fault}");
    }
}
