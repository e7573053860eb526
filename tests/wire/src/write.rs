//! Options and messages as bytes (RFC 9915, section 8).

use crate::{CLIENT_ID, OPTION_REQUEST, SERVER_ID, STATUS};

/// A transaction id.
pub type Xid = [u8; 3];

/// Appends an option: code, length, body.
///
/// # Panics
///
/// When the body is longer than the length can say.
#[inline]
pub fn put(out: &mut Vec<u8>, code: u16, body: &[u8]) {
    let length = u16::try_from(body.len()).expect("the body of an option has 65,535 bytes at most");
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
}

/// An option.
///
/// # Panics
///
/// When the body is longer than the length can say.
pub fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let mut option = Vec::with_capacity(4 + body.len());
    put(&mut option, code, body);
    option
}

/// An option whose body is cut to what its length can say. For bodies that a fuzzer makes.
pub fn clipped_option(code: u16, body: &[u8]) -> Vec<u8> {
    option(code, &body[..body.len().min(usize::from(u16::MAX))])
}

/// A message of a client or a server.
pub fn message(kind: u8, xid: Xid, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind], &xid[..], &options.concat()].concat()
}

/// The client identifier option.
pub fn client_id(duid: &[u8]) -> Vec<u8> {
    option(CLIENT_ID, duid)
}

/// The server identifier option.
pub fn server_id(duid: &[u8]) -> Vec<u8> {
    option(SERVER_ID, duid)
}

/// The DUID-LL of an Ethernet address (section 11.4).
pub fn duid_ll(link_layer: [u8; 6]) -> Vec<u8> {
    [&[0, 3, 0, 1], &link_layer[..]].concat()
}

/// The DUID of a test's client, by its number: a DUID-LL.
pub fn duid(client: u8) -> Vec<u8> {
    duid_ll([2, 0, 0x5e, 0x10, 0, client])
}

/// The option request option.
pub fn option_request(codes: &[u16]) -> Vec<u8> {
    let codes: Vec<u8> = codes.iter().flat_map(|code| code.to_be_bytes()).collect();
    option(OPTION_REQUEST, &codes)
}

/// A status code with its text.
pub fn status(code: u16, text: &str) -> Vec<u8> {
    option(STATUS, &[&code.to_be_bytes(), text.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_code_length_and_body() {
        assert_eq!(option(0x0102, b"abc"), [1, 2, 0, 3, b'a', b'b', b'c']);
        assert_eq!(option_request(&[23, 256]), [0, 6, 0, 4, 0, 23, 1, 0]);
        assert_eq!(status(3, "no"), [0, 13, 0, 4, 0, 3, b'n', b'o']);
    }

    #[test]
    fn only_a_clipped_option_may_be_too_long() {
        let long = vec![7; 65_536];
        assert_eq!(clipped_option(9, &long)[..4], [0, 9, 0xff, 0xff]);
        assert_eq!(clipped_option(9, &long).len(), 4 + 65_535);
        assert!(std::panic::catch_unwind(|| option(9, &long)).is_err());
    }

    #[test]
    fn a_message_is_type_transaction_and_options() {
        let bytes = message(1, [2, 3, 4], &[option(5, &[6]), option(7, &[])]);
        assert_eq!(bytes, [1, 2, 3, 4, 0, 5, 0, 1, 6, 0, 7, 0, 0]);
    }
}
