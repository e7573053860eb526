//! DHCPv6 on the wire, written and read byte by byte from RFC 9915 alone: none of the server's own code is in it,
//! so that a mistake there is not made twice.

mod digest;
mod prefix;

use std::net::Ipv6Addr;

pub(crate) use digest::hmac_md5;
pub(crate) use prefix::{IaPd, Prefix, ia_pd, ia_pd_naming};

pub(crate) const SOLICIT: u8 = 1;
pub(crate) const ADVERTISE: u8 = 2;
pub(crate) const REQUEST: u8 = 3;
pub(crate) const CONFIRM: u8 = 4;
pub(crate) const RENEW: u8 = 5;
pub(crate) const REBIND: u8 = 6;
pub(crate) const REPLY: u8 = 7;
pub(crate) const RELEASE: u8 = 8;
pub(crate) const DECLINE: u8 = 9;
pub(crate) const RECONFIGURE: u8 = 10;
pub(crate) const INFORMATION_REQUEST: u8 = 11;
pub(crate) const RELAY_FORW: u8 = 12;
pub(crate) const RELAY_REPL: u8 = 13;

pub(crate) const CLIENT_ID: u16 = 1;
pub(crate) const SERVER_ID: u16 = 2;
pub(crate) const IA_NA: u16 = 3;
pub(crate) const IA_TA: u16 = 4;
pub(crate) const IA_ADDRESS: u16 = 5;
pub(crate) const OPTION_REQUEST: u16 = 6;
pub(crate) const PREFERENCE: u16 = 7;
pub(crate) const ELAPSED_TIME: u16 = 8;
pub(crate) const RELAY_MESSAGE: u16 = 9;
pub(crate) const AUTHENTICATION: u16 = 11;
pub(crate) const SERVER_UNICAST: u16 = 12;
pub(crate) const STATUS: u16 = 13;
pub(crate) const RAPID_COMMIT: u16 = 14;
pub(crate) const VENDOR_CLASS: u16 = 16;
pub(crate) const VENDOR_OPTIONS: u16 = 17;
pub(crate) const INTERFACE_ID: u16 = 18;
pub(crate) const RECONFIGURE_MESSAGE: u16 = 19;
pub(crate) const RECONFIGURE_ACCEPT: u16 = 20;
pub(crate) const DNS_SERVERS: u16 = 23;
pub(crate) const DOMAIN_SEARCH: u16 = 24;
pub(crate) const IA_PD: u16 = 25;
pub(crate) const IA_PREFIX: u16 = 26;
pub(crate) const REMOTE_ID: u16 = 37;
pub(crate) const PD_EXCLUDE: u16 = 67;
pub(crate) const RELAY_SOURCE_PORT: u16 = 135;

/// Status codes (RFC 9915, section 21.13).
pub(crate) const SUCCESS: u16 = 0;
pub(crate) const NO_ADDRS_AVAIL: u16 = 2;
pub(crate) const NO_BINDING: u16 = 3;
pub(crate) const NOT_ON_LINK: u16 = 4;
pub(crate) const USE_MULTICAST: u16 = 5;
pub(crate) const NO_PREFIX_AVAIL: u16 = 6;

/// A transaction id.
pub(crate) type Xid = [u8; 3];

/// A message of a client or server.
pub(crate) fn message(kind: u8, xid: Xid, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind], &xid[..], &options.concat()].concat()
}

/// An option: code, length, body.
pub(crate) fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&code.to_be_bytes(), &length.to_be_bytes(), body].concat()
}

/// An identity association for addresses, with the client's wishes for T1 and T2.
pub(crate) fn ia_na_timed(iaid: u32, (t1, t2): (u32, u32), nested: &[Vec<u8>]) -> Vec<u8> {
    let head = [iaid.to_be_bytes(), t1.to_be_bytes(), t2.to_be_bytes()].concat();
    option(IA_NA, &[head, nested.concat()].concat())
}

/// An identity association with these addresses.
pub(crate) fn ia_na(iaid: u32, addresses: &[Ipv6Addr]) -> Vec<u8> {
    let nested: Vec<_> = addresses.iter().map(|address| ia_address(*address, 0, 0)).collect();
    ia_na_timed(iaid, (0, 0), &nested)
}

/// An address with the client's wishes for its lifetimes.
pub(crate) fn ia_address(address: Ipv6Addr, preferred: u32, valid: u32) -> Vec<u8> {
    let times = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
    option(IA_ADDRESS, &[&address.octets()[..], &times].concat())
}

/// An option request.
pub(crate) fn asking_for(codes: &[u16]) -> Vec<u8> {
    let codes: Vec<_> = codes.iter().flat_map(|code| code.to_be_bytes()).collect();
    option(OPTION_REQUEST, &codes)
}

/// A message of a relay around another message.
pub(crate) fn relay_forw(hops: u8, link: Ipv6Addr, peer: Ipv6Addr, options: &[Vec<u8>], inner: &[u8]) -> Vec<u8> {
    let head = [&[RELAY_FORW, hops][..], &link.octets(), &peer.octets()].concat();
    [head, options.concat(), option(RELAY_MESSAGE, inner)].concat()
}

/// Options side by side, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Options(Vec<(u16, Vec<u8>)>);

/// A message of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) xid: Xid,
    pub(crate) options: Options,
}

/// An identity association, as the server answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ia {
    pub(crate) iaid: u32,
    pub(crate) t1: u32,
    pub(crate) t2: u32,
    pub(crate) addresses: Vec<Address>,
    /// The status code in it.
    pub(crate) status: Option<u16>,
}

/// An address with its lifetimes in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: Ipv6Addr,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
}

/// A relay's layer around an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relayed {
    pub(crate) kind: u8,
    pub(crate) hops: u8,
    pub(crate) link: Ipv6Addr,
    pub(crate) peer: Ipv6Addr,
    /// All options but the message inside.
    pub(crate) options: Options,
    /// The message inside.
    pub(crate) inner: Vec<u8>,
}

/// Takes numbers and addresses off the front of bytes. Panics where there are none left.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("the server's message is complete");
        self.0 = rest;
        *taken
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn ip(&mut self) -> Ipv6Addr {
        Ipv6Addr::from(self.take::<16>())
    }
}

impl Options {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let (mut bytes, mut options) = (Bytes(bytes), Vec::new());
        while !bytes.0.is_empty() {
            let (code, length) = (bytes.u16(), usize::from(bytes.u16()));
            let (body, rest) = bytes
                .0
                .split_at_checked(length)
                .expect("an option ends inside its parent");
            options.push((code, body.to_vec()));
            bytes.0 = rest;
        }
        Self(options)
    }

    /// Codes in the order they came.
    pub(crate) fn codes(&self) -> Vec<u16> {
        self.0.iter().map(|(code, _)| *code).collect()
    }

    /// The bodies of all options of a code.
    pub(crate) fn all(&self, code: u16) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(move |option| option.0 == code)
            .map(|option| &option.1[..])
    }

    /// The body of an option that comes once at most.
    pub(crate) fn get(&self, code: u16) -> Option<&[u8]> {
        let mut all = self.all(code);
        let first = all.next();
        assert!(all.next().is_none(), "option {code} comes twice in {self:?}");
        first
    }

    /// The status code; it carries text that is UTF-8 and has no NUL (section 21.13).
    pub(crate) fn status(&self) -> Option<u16> {
        let mut body = Bytes(self.get(STATUS)?);
        let code = body.u16();
        let text = std::str::from_utf8(body.0).expect("the text of a status is UTF-8");
        assert!(!text.contains('\0'), "{text:?} has a NUL");
        Some(code)
    }
}

impl Message {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut bytes = Bytes(bytes);
        let [kind] = bytes.take();
        Self {
            kind,
            xid: bytes.take(),
            options: Options::parse(bytes.0),
        }
    }

    /// The identity associations for addresses.
    pub(crate) fn ias(&self) -> Vec<Ia> {
        self.options.all(IA_NA).map(Ia::parse).collect()
    }

    /// The identity association for addresses of this id.
    pub(crate) fn ia(&self, iaid: u32) -> Ia {
        let ias = self.ias();
        ias.into_iter()
            .find(|ia| ia.iaid == iaid)
            .unwrap_or_else(|| panic!("no IA_NA {iaid} in {self:?}"))
    }
}

impl Ia {
    fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        let (iaid, t1, t2) = (body.u32(), body.u32(), body.u32());
        let nested = Options::parse(body.0);
        let addresses = nested.all(IA_ADDRESS).map(Address::parse).collect();
        Self {
            iaid,
            t1,
            t2,
            addresses,
            status: nested.status(),
        }
    }

    /// The one address that it may use.
    pub(crate) fn leased(&self) -> Address {
        let mut live = self.addresses.iter().filter(|address| address.valid > 0);
        let first = live.next().unwrap_or_else(|| panic!("no address in {self:?}"));
        assert!(live.next().is_none(), "more than one address in {self:?}");
        assert_eq!(self.status.unwrap_or(SUCCESS), SUCCESS, "{self:?}");
        *first
    }

    /// The addresses that it must not use any more.
    pub(crate) fn ended(&self) -> Vec<Ipv6Addr> {
        let ended = self
            .addresses
            .iter()
            .filter(|address| (address.preferred, address.valid) == (0, 0));
        ended.map(|address| address.ip).collect()
    }
}

impl Address {
    fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        Self {
            ip: body.ip(),
            preferred: body.u32(),
            valid: body.u32(),
        }
    }
}

impl Relayed {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut bytes = Bytes(bytes);
        let [kind, hops] = bytes.take();
        let (link, peer) = (bytes.ip(), bytes.ip());
        let mut options = Options::parse(bytes.0);
        let inner = options
            .get(RELAY_MESSAGE)
            .expect("a relay's answer has a message inside")
            .to_vec();
        options.0.retain(|(code, _)| *code != RELAY_MESSAGE);
        Self {
            kind,
            hops,
            link,
            peer,
            options,
            inner,
        }
    }
}
