//! Parsers of the texts of options.

use orchestrator_dhcp6::{DomainName, TimeServer};

use crate::prefix::{parse_domain, parse_server};

/// The longest text of an option, in bytes.
const LONGEST: usize = 1024;

/// The value for a network without a captive portal (RFC 8910, section 2).
const UNRESTRICTED: &str = "urn:ietf:params:capport:unrestricted";

/// Parses a time server: an address, which may be of a multicast group, or a name.
pub(super) fn time_server(text: &str) -> Result<TimeServer, String> {
    if let Ok(group) = text.parse::<std::net::Ipv6Addr>()
        && group.is_multicast()
    {
        return Ok(TimeServer::Address(group));
    }
    if text.contains(':') {
        return parse_server(text).map(TimeServer::Address);
    }
    name(text).map(TimeServer::Name)
}

/// Parses a domain name.
pub(super) fn name(text: &str) -> Result<DomainName, String> {
    let name = parse_domain(text)?;
    name.parse().map_err(|_| format!("{text:?} is not a domain name"))
}

/// Parses the URI of a captive portal's API, which must use HTTPS (RFC 8908, section 4).
pub(super) fn captive_portal(text: &str) -> Result<String, String> {
    if text == UNRESTRICTED {
        return Ok(text.to_owned());
    }
    let url = url(text)?;
    match url.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() => Ok(url),
        _ => Err(format!(
            "{text:?} is not asked for by HTTPS, and clients take nothing else"
        )),
    }
}

/// Parses a URL: a scheme, and printable ASCII.
pub(super) fn url(text: &str) -> Result<String, String> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    };
    let is_url = text
        .split_once("://")
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    if is_url && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a URL"))
    }
}

/// Checks text that is used as it is.
pub(super) fn text(text: &str) -> Result<String, String> {
    if text.len() > LONGEST {
        return Err(format!("has {} bytes", text.len()));
    }
    if text.contains('\0') {
        return Err("holds a NUL byte".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses hexadecimal bytes, with or without colons between them.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let refused = || format!("{text:?} is not hexadecimal bytes");
    let digits: Vec<u8> = match text.contains(':') {
        true if text.split(':').any(|pair| pair.len() != 2) => return Err(refused()),
        true => text.bytes().filter(|byte| *byte != b':').collect(),
        false => text.bytes().collect(),
    };
    if !digits.len().is_multiple_of(2) {
        return Err(refused());
    }
    if digits.len() / 2 > LONGEST {
        return Err(format!("has {} bytes", digits.len() / 2));
    }
    let byte = |pair: &[u8]| {
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        Some(digit(pair[0])? << 4 | digit(pair[1])?)
    };
    digits
        .chunks_exact(2)
        .map(|pair| byte(pair).ok_or_else(refused))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_colons_and_without() {
        assert_eq!(hex("00:ff:1A"), Ok(vec![0, 255, 26]));
        assert_eq!(hex("00ff1a"), Ok(vec![0, 255, 26]));
        assert_eq!(hex(""), Ok(vec![]));
        for wrong in ["0", "0:ff", "0g", "00:ff:", "äö", "00 ff"] {
            assert!(hex(wrong).is_err(), "{wrong}");
        }
        assert!(hex(&"00".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn urls_have_a_scheme() {
        for right in ["tftp://[fd00::1]/a", "https://a", "x-y.1+z://b"] {
            assert_eq!(url(right).as_deref(), Ok(right));
        }
        for wrong in ["", "a", "://a", "1://a", "http://", "http://a b", "http://ä"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_portal_is_asked_by_https() {
        assert!(captive_portal("https://portal.example.org/api").is_ok());
        assert!(captive_portal(UNRESTRICTED).is_ok());
        for wrong in ["http://portal.example.org/api", "https://", "portal"] {
            assert!(captive_portal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_server_is_an_address_or_a_name() {
        let address = |text: &str| Ok(TimeServer::Address(text.parse().unwrap()));
        assert_eq!(time_server("fd00::1"), address("fd00::1"));
        assert_eq!(time_server("ff05::101"), address("ff05::101"));
        assert_eq!(time_server("ntp.lan"), Ok(TimeServer::Name("ntp.lan".parse().unwrap())));
        for wrong in ["", "::1", "a b", "fd00:"] {
            assert!(time_server(wrong).is_err(), "{wrong}");
        }
    }
}
