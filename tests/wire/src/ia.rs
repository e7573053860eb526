//! Identity associations, and the addresses and prefixes in them (RFC 9915, sections 21.4 to 21.6, 21.21 and 21.22).

use std::net::Ipv6Addr;

use crate::{IA_ADDRESS, IA_NA, IA_PD, IA_PREFIX, IA_TA, option};

/// An identity association of a code with its T1 and T2 in seconds.
pub fn association_timed(code: u16, iaid: u32, (t1, t2): (u32, u32), nested: &[Vec<u8>]) -> Vec<u8> {
    let head = [iaid.to_be_bytes(), t1.to_be_bytes(), t2.to_be_bytes()].concat();
    option(code, &[head, nested.concat()].concat())
}

/// An identity association of a code without a wish for T1 and T2.
pub fn association(code: u16, iaid: u32, nested: &[Vec<u8>]) -> Vec<u8> {
    association_timed(code, iaid, (0, 0), nested)
}

/// An identity association for addresses with the client's wishes for T1 and T2, in seconds.
pub fn ia_na_timed(iaid: u32, times: (u32, u32), nested: &[Vec<u8>]) -> Vec<u8> {
    association_timed(IA_NA, iaid, times, nested)
}

/// An identity association for addresses that names these.
pub fn ia_na(iaid: u32, addresses: &[Ipv6Addr]) -> Vec<u8> {
    let nested: Vec<_> = addresses.iter().map(|address| ia_address(*address, 0, 0)).collect();
    association(IA_NA, iaid, &nested)
}

/// An identity association for temporary addresses, which servers pass over.
pub fn ia_ta(iaid: u32) -> Vec<u8> {
    option(IA_TA, &iaid.to_be_bytes())
}

/// An address with its lifetimes in seconds.
pub fn ia_address(address: Ipv6Addr, preferred: u32, valid: u32) -> Vec<u8> {
    let times = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
    option(IA_ADDRESS, &[&address.octets()[..], &times].concat())
}

/// An identity association for prefixes that names these, each as text: `2001:db8::/64`.
///
/// # Panics
///
/// When a text is not an address, a slash and a length of 255 at most.
pub fn ia_pd(iaid: u32, prefixes: &[&str]) -> Vec<u8> {
    let prefix = |text: &&str| {
        let (address, length) = text.split_once('/').expect("a prefix has a slash");
        let address = address.parse().expect("a prefix begins with an address");
        ia_prefix(address, length.parse().expect("a prefix ends with a length"), 0, 0)
    };
    association(IA_PD, iaid, &prefixes.iter().map(prefix).collect::<Vec<_>>())
}

/// An identity association for prefixes, with a wish for this length when one is given.
pub fn ia_pd_hint(iaid: u32, length: Option<u8>) -> Vec<u8> {
    let hint = length.map(|length| ia_prefix(Ipv6Addr::UNSPECIFIED, length, 0, 0));
    association(IA_PD, iaid, hint.as_slice())
}

/// A prefix with its lifetimes in seconds.
pub fn ia_prefix(address: Ipv6Addr, length: u8, preferred: u32, valid: u32) -> Vec<u8> {
    let times = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
    option(IA_PREFIX, &[&times[..], &[length], &address.octets()].concat())
}
