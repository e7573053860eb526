//! The client's name (RFC 4704), and what it is told of it.
//!
//! The server changes no DNS: it says so (N), and that it therefore did not follow a client that wanted its address
//! entered (O). A name that is not complete is completed by the link's domain; otherwise the name stays the client's.

/// The server is to enter the client's address (section 4.1).
const S: u8 = 1;
/// The server did not follow the client's S.
const O: u8 = 2;
/// The server enters nothing.
const N: u8 = 4;

/// Longest name on the wire (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;

/// A client's name, as its message has it: labels after their lengths; a complete name ends with the root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientName<'a> {
    flags: u8,
    labels: &'a [u8],
}

impl<'a> ClientName<'a> {
    /// Reads the body of the option; nothing when it is none.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let (&flags, labels) = body.split_first()?;
        Some(Self { flags, labels })
    }

    /// The first label, in lower case, when it may be a host's.
    pub(crate) fn hostname(&self) -> Option<String> {
        let (&length, name) = self.labels.split_first()?;
        let label = name.get(..usize::from(length)).filter(|label| is_host_label(label))?;
        Some(String::from_utf8_lossy(label).to_ascii_lowercase())
    }

    /// The body of the option for the answer; nothing when the name is none.
    pub(crate) fn answer(&self, domain: Option<&[u8]>) -> Option<Vec<u8>> {
        let is_complete = is_complete(self.labels)?;
        let overridden = if self.flags & S == 0 { 0 } else { O };
        let mut body = vec![N | overridden];
        body.extend(self.labels);
        if !is_complete && !self.labels.is_empty() {
            body.extend(domain.unwrap_or_default());
        }
        // A name that became too long is better left as it was.
        if body.len() > 1 + LONGEST_NAME {
            body.truncate(1 + self.labels.len());
        }
        Some(body)
    }
}

/// Whether labels end with the root; nothing when they are no labels.
fn is_complete(mut labels: &[u8]) -> Option<bool> {
    if labels.len() > LONGEST_NAME {
        return None;
    }
    while let Some((&length, rest)) = labels.split_first() {
        match length {
            0 => return rest.is_empty().then_some(true),
            1..=63 => labels = rest.get(usize::from(length)..)?,
            // No label, and names are not compressed in DHCPv6.
            _ => return None,
        }
    }
    Some(false)
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
        for (wanted, told) in [(0, N), (S, N | O), (N, N), (0xf8, N)] {
            assert_eq!(answer(&[wanted, 1, b'a', 0]), Some(vec![told, 1, b'a', 0]));
        }
    }

    #[test]
    fn a_name_that_is_not_complete_is_completed() {
        assert_eq!(answer(b"\x00\x01a").as_deref(), Some(&b"\x04\x01a\x03lan\x00"[..]));
        assert_eq!(answer(b"\x00").as_deref(), Some(&b"\x04"[..]));
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
