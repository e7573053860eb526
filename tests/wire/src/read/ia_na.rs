//! Identity associations for addresses (RFC 9915, section 21.4), and addresses in them (section 21.6).

use std::net::Ipv6Addr;

use super::{Bytes, Options};
use crate::{IA_ADDRESS, SUCCESS};

/// An identity association for addresses, as a server answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ia {
    /// Its id.
    pub iaid: u32,
    /// T1 in seconds.
    pub t1: u32,
    /// T2 in seconds.
    pub t2: u32,
    /// The addresses in it.
    pub addresses: Vec<Address>,
    /// The status code in it.
    pub status: Option<u16>,
}

/// An address with its lifetimes in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: Ipv6Addr,
    /// Preferred lifetime.
    pub preferred: u32,
    /// Valid lifetime.
    pub valid: u32,
}

impl Ia {
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
            addresses: nested.all(IA_ADDRESS).map(Address::parse).collect(),
            status: nested.status(),
        }
    }

    /// The one address that the client may use.
    ///
    /// # Panics
    ///
    /// When there is another number of them, or a status that is no success.
    pub fn leased(&self) -> Address {
        let mut live = self.addresses.iter().filter(|address| address.valid > 0);
        let first = live.next().unwrap_or_else(|| panic!("no address in {self:?}"));
        assert!(live.next().is_none(), "more than one address in {self:?}");
        assert_eq!(self.status.unwrap_or(SUCCESS), SUCCESS, "{self:?}");
        *first
    }

    /// The addresses that the client must not use any more.
    pub fn ended(&self) -> Vec<Ipv6Addr> {
        let ended = self
            .addresses
            .iter()
            .filter(|address| (address.preferred, address.valid) == (0, 0));
        ended.map(|address| address.ip).collect()
    }
}

impl Address {
    /// An address with its preferred and valid lifetime in seconds.
    pub fn new(ip: Ipv6Addr, preferred: u32, valid: u32) -> Self {
        Self { ip, preferred, valid }
    }

    /// Reads the body of an option.
    ///
    /// # Panics
    ///
    /// When it is not well formed, or has options inside: no server here sends any.
    pub fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        let address = Self {
            ip: body.ip(),
            preferred: body.u32(),
            valid: body.u32(),
        };
        assert!(body.0.is_empty(), "{address:?} has options inside");
        address
    }
}
