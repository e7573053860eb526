//! Identity associations for prefixes (RFC 9915, section 21.21), and prefixes in them (section 21.22).

use std::net::Ipv6Addr;

use super::{Bytes, Options};
use crate::{IA_PREFIX, PD_EXCLUDE, SUCCESS};

/// An identity association for prefixes, as a server answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IaPd {
    /// Its id.
    pub iaid: u32,
    /// T1 in seconds.
    pub t1: u32,
    /// T2 in seconds.
    pub t2: u32,
    /// The prefixes in it.
    pub prefixes: Vec<Prefix>,
    /// The status code in it.
    pub status: Option<u16>,
}

/// A prefix with its lifetimes in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// Address and length.
    pub text: String,
    /// The address.
    pub ip: Ipv6Addr,
    /// The length in bits.
    pub length: u8,
    /// Preferred lifetime.
    pub preferred: u32,
    /// Valid lifetime.
    pub valid: u32,
    /// Body of the option that excludes a part of it (RFC 6603).
    pub excluded: Option<Vec<u8>>,
}

impl IaPd {
    /// Reads the body of an option.
    ///
    /// # Panics
    ///
    /// When it is not well formed.
    pub fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        let (iaid, t1, t2) = (body.u32(), body.u32(), body.u32());
        let nested = Options::parse(body.0);
        Self {
            iaid,
            t1,
            t2,
            prefixes: nested.all(IA_PREFIX).map(Prefix::parse).collect(),
            status: nested.status(),
        }
    }

    /// The one prefix that the client may use.
    ///
    /// # Panics
    ///
    /// When there is another number of them, or a status that is no success.
    pub fn delegated(&self) -> Prefix {
        let mut live = self.prefixes.iter().filter(|prefix| prefix.valid > 0);
        let first = live.next().unwrap_or_else(|| panic!("no prefix in {self:?}"));
        assert!(live.next().is_none(), "more than one prefix in {self:?}");
        assert_eq!(self.status.unwrap_or(SUCCESS), SUCCESS, "{self:?}");
        first.clone()
    }

    /// The prefixes that the client must not use any more.
    pub fn ended(&self) -> Vec<String> {
        let ended = self
            .prefixes
            .iter()
            .filter(|prefix| (prefix.preferred, prefix.valid) == (0, 0));
        ended.map(|prefix| prefix.text.clone()).collect()
    }
}

impl Prefix {
    /// Reads the body of an option.
    ///
    /// # Panics
    ///
    /// When it is not well formed, has bits behind its length, or an option inside that is none of RFC 6603's.
    pub fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        let (preferred, valid) = (body.u32(), body.u32());
        let ([length], ip) = (body.take(), body.ip());
        let host_bits = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        assert_eq!(u128::from(ip) & host_bits, 0, "{ip}/{length} has host bits");
        let mut inside = Options::parse(body.0);
        let excluded = inside.remove(PD_EXCLUDE);
        assert!(inside.is_empty(), "{inside:?} in {ip}/{length}");
        Self {
            text: format!("{ip}/{length}"),
            ip,
            length,
            preferred,
            valid,
            excluded,
        }
    }
}
