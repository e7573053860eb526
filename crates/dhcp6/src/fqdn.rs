//! The client's name (RFC 4704), and the server's answer to it.
//!
//! The server does not update DNS. It says so with the flag N. With the flag O it says that it overrode a client that
//! asked for an update. The server adds the link's domain to a name that is not complete. It does the same for a single
//! label, which clients like dhclient send as if it were complete. It leaves every other name as it is.

use std::borrow::Cow;

/// The client asks the server to update the client's records (section 4.1).
const S: u8 = 1;
/// The server did not follow the client's S.
const O: u8 = 2;
/// The server updates no records.
const N: u8 = 4;

/// The longest name in a message, in bytes (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;

/// A client's name as in its message: labels after their lengths. A complete name ends with the root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientName<'a> {
    flags: u8,
    labels: &'a [u8],
}

impl<'a> ClientName<'a> {
    /// Parses the body of the option; `None` if it is malformed.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let (&flags, labels) = body.split_first()?;
        Some(Self { flags, labels })
    }

    /// The first label in lower case, if it is valid for a host.
    pub(crate) fn hostname(&self) -> Option<String> {
        let (&length, name) = self.labels.split_first()?;
        let label = name.get(..usize::from(length)).filter(|label| is_host_label(label))?;
        Some(String::from_utf8_lossy(label).to_ascii_lowercase())
    }

    /// The body of the option for the answer; `None` if the name is malformed.
    pub(crate) fn answer(&self, domain: Option<&[u8]>) -> Option<Vec<u8>> {
        let name = complete(self.labels, domain.unwrap_or_default())?;
        let overridden = if self.flags & S == 0 { 0 } else { O };
        Some([&[N | overridden], &*name].concat())
    }
}

/// Adds the domain to a name that needs it; `None` if the name is malformed.
fn complete<'a>(name: &'a [u8], domain: &[u8]) -> Option<Cow<'a, [u8]>> {
    let (labels, is_complete) = count_labels(name)?;
    let needs_domain = !domain.is_empty() && labels > 0 && (!is_complete || labels == 1);
    let own = name.strip_suffix(&[0]).filter(|_| is_complete).unwrap_or(name);
    // A name that would become too long stays as it is.
    if needs_domain && own.len() + domain.len() <= LONGEST_NAME {
        Some([own, domain].concat().into())
    } else {
        Some(name.into())
    }
}

/// The number of labels, and whether they end with the root; `None` if they are malformed.
fn count_labels(mut name: &[u8]) -> Option<(usize, bool)> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let mut labels = 0;
    while let Some((&length, rest)) = name.split_first() {
        match length {
            0 => return rest.is_empty().then_some((labels, true)),
            1..=63 => name = rest.get(usize::from(length)..)?,
            // Not a label. Names are not compressed in DHCPv6.
            _ => return None,
        }
        labels += 1;
    }
    Some((labels, false))
}

/// Whether a label is letters, digits and inner hyphens (RFC 1123, section 2.1).
fn is_host_label(label: &[u8]) -> bool {
    (1..=63).contains(&label.len())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && label.first() != Some(&b'-')
        && label.last() != Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostname(body: &[u8]) -> Option<String> {
        ClientName::read(body)?.hostname()
    }

    fn answer(body: &[u8]) -> Option<Vec<u8>> {
        ClientName::read(body)?.answer(Some(b"\x03lan\x00"))
    }

    #[test]
    fn the_first_label_is_the_hostname() {
        assert_eq!(hostname(b"\x01\x05Phone\x03lan\x00").as_deref(), Some("phone"));
        assert_eq!(hostname(b"\x00\x06my-box").as_deref(), Some("my-box"));
    }

    #[test]
    fn what_is_no_hostname_is_left_out() {
        for fqdn in [
            &b""[..],
            b"\x00",
            b"\x00\x00",
            b"\x00\x09short",
            b"\x00\x03a b",
            b"\x00\x02-a",
            b"\x00\x02a-",
            b"\x00\x02\xc3\xa9",
        ] {
            assert_eq!(hostname(fqdn), None, "{fqdn:?}");
        }
    }

    #[test]
    fn the_server_says_that_it_changes_no_dns() {
        // What the client wants, and what it is told: of the three flags, O and N.
        for (wanted, flags) in [(0, N), (S, N | O), (N, N), (0xf8, N)] {
            let name = b"\x01a\x01b\x00";
            assert_eq!(
                answer(&[&[wanted], &name[..]].concat()),
                Some([&[flags], &name[..]].concat())
            );
        }
    }

    #[test]
    fn a_name_that_is_not_complete_is_completed() {
        assert_eq!(answer(b"\x00\x01a").as_deref(), Some(&b"\x04\x01a\x03lan\x00"[..]));
        assert_eq!(answer(b"\x00\x01a\x00").as_deref(), Some(&b"\x04\x01a\x03lan\x00"[..]));
        for nameless in [&b"\x00"[..], b"\x00\x00"] {
            assert_eq!(answer(nameless), Some([&[4], &nameless[1..]].concat()));
        }
        let long = [
            &b"\x00"[..],
            &[&[63][..], &[b'a'; 63]].concat().repeat(3),
            &[60],
            &[b'a'; 60],
        ]
        .concat();
        assert_eq!(answer(&long).map(|body| body.len()), Some(long.len()));
    }

    #[test]
    fn what_is_no_name_is_not_answered() {
        for body in [&b"\x00\x09short"[..], b"\x00\x01a\x00\x01b", b"\x00\xc0\x01", &[1; 300]] {
            assert_eq!(answer(body), None, "{body:?}");
        }
    }
}
