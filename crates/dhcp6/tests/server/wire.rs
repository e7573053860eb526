//! Messages as bytes, made and read by code that shares nothing with the crate's own.

use std::net::Ipv6Addr;

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
pub(crate) const IAADDR: u16 = 5;
pub(crate) const ORO: u16 = 6;
pub(crate) const PREFERENCE: u16 = 7;
pub(crate) const RELAY_MESSAGE: u16 = 9;
pub(crate) const STATUS: u16 = 13;
pub(crate) const RAPID_COMMIT: u16 = 14;
pub(crate) const DNS: u16 = 23;
pub(crate) const DOMAINS: u16 = 24;
pub(crate) const IA_PD: u16 = 25;
pub(crate) const IAPREFIX: u16 = 26;
pub(crate) const PD_EXCLUDE: u16 = 67;

pub(crate) const NO_ADDRS_AVAIL: u16 = 2;
pub(crate) const NO_BINDING: u16 = 3;
pub(crate) const NOT_ON_LINK: u16 = 4;
pub(crate) const NO_PREFIX_AVAIL: u16 = 6;

pub(crate) fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&code.to_be_bytes(), &length.to_be_bytes(), body].concat()
}

pub(crate) fn message(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 0xab, 0xcd, 0xef][..], &options.concat()].concat()
}

pub(crate) fn duid(n: u8) -> Vec<u8> {
    vec![0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, n]
}

pub(crate) fn client(n: u8) -> Vec<u8> {
    option(CLIENT_ID, &duid(n))
}

pub(crate) fn ia(iaid: u32, addresses: &[Ipv6Addr]) -> Vec<u8> {
    ia_with(iaid, 0, 0, addresses, 0, 0)
}

pub(crate) fn ia_with(iaid: u32, t1: u32, t2: u32, addresses: &[Ipv6Addr], preferred: u32, valid: u32) -> Vec<u8> {
    let mut body = [iaid.to_be_bytes(), t1.to_be_bytes(), t2.to_be_bytes()].concat();
    for address in addresses {
        body.extend(option(
            IAADDR,
            &[&address.octets()[..], &preferred.to_be_bytes(), &valid.to_be_bytes()].concat(),
        ));
    }
    option(IA_NA, &body)
}

/// An identity association for prefixes, with the prefixes that it names.
pub(crate) fn ia_pd(iaid: u32, prefixes: &[&str]) -> Vec<u8> {
    let mut body = [iaid.to_be_bytes(), [0; 4], [0; 4]].concat();
    for prefix in prefixes {
        let (address, length) = prefix.split_once('/').unwrap();
        let address: Ipv6Addr = address.parse().unwrap();
        let prefix = [&[0; 8][..], &[length.parse().unwrap()], &address.octets()].concat();
        body.extend(option(IAPREFIX, &prefix));
    }
    option(IA_PD, &body)
}

pub(crate) fn oro(codes: &[u16]) -> Vec<u8> {
    option(
        ORO,
        &codes.iter().flat_map(|code| code.to_be_bytes()).collect::<Vec<u8>>(),
    )
}

/// A message that came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) kind: u8,
    pub(crate) transaction: [u8; 3],
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

/// An identity association in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadIa {
    pub(crate) iaid: u32,
    pub(crate) t1: u32,
    pub(crate) t2: u32,
    /// Address, preferred and valid lifetime.
    pub(crate) addresses: Vec<(Ipv6Addr, u32, u32)>,
    pub(crate) status: Option<u16>,
}

/// An identity association for prefixes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadIaPd {
    pub(crate) iaid: u32,
    pub(crate) t1: u32,
    pub(crate) t2: u32,
    pub(crate) prefixes: Vec<ReadPrefix>,
    pub(crate) status: Option<u16>,
}

/// A prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadPrefix {
    pub(crate) prefix: String,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
    /// Body of the option that excludes a part of it.
    pub(crate) excluded: Option<Vec<u8>>,
}

pub(crate) fn options(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut options = Vec::new();
    // Up to three zeros at the end are padding.
    while bytes.len() > 3 || bytes.iter().any(|byte| *byte != 0) {
        let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        options.push((u16::from_be_bytes([bytes[0], bytes[1]]), bytes[4..4 + length].to_vec()));
        bytes = &bytes[4 + length..];
    }
    options
}

pub(crate) fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

impl Read {
    pub(crate) fn new(datagram: &[u8]) -> Self {
        Self {
            kind: datagram[0],
            transaction: datagram[1..4].try_into().unwrap(),
            options: options(&datagram[4..]),
        }
    }

    pub(crate) fn all(&self, code: u16) -> Vec<&[u8]> {
        self.options
            .iter()
            .filter(|option| option.0 == code)
            .map(|option| &option.1[..])
            .collect()
    }

    /// The only option with this code.
    pub(crate) fn one(&self, code: u16) -> Option<&[u8]> {
        let all = self.all(code);
        assert!(all.len() <= 1, "option {code} came {} times", all.len());
        all.first().copied()
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.one(STATUS).map(status)
    }

    pub(crate) fn ias(&self) -> Vec<ReadIa> {
        self.all(IA_NA).into_iter().map(read_ia).collect()
    }

    pub(crate) fn ias_pd(&self) -> Vec<ReadIaPd> {
        self.all(IA_PD).into_iter().map(read_ia_pd).collect()
    }

    /// The only identity association for prefixes.
    pub(crate) fn ia_pd(&self) -> ReadIaPd {
        let ias = self.ias_pd();
        assert_eq!(ias.len(), 1, "{self:?}");
        ias[0].clone()
    }

    /// The only prefix of the only identity association for prefixes.
    pub(crate) fn prefix(&self) -> String {
        let ia = self.ia_pd();
        assert_eq!((ia.prefixes.len(), ia.status.unwrap_or(0)), (1, 0), "{self:?}");
        ia.prefixes[0].prefix.clone()
    }

    /// The only identity association.
    pub(crate) fn ia(&self) -> ReadIa {
        let ias = self.ias();
        assert_eq!(ias.len(), 1, "{self:?}");
        ias[0].clone()
    }

    /// The only address of the only identity association.
    pub(crate) fn address(&self) -> Ipv6Addr {
        let ia = self.ia();
        assert_eq!((ia.addresses.len(), ia.status.unwrap_or(0)), (1, 0), "{self:?}");
        ia.addresses[0].0
    }
}

/// A status code; its words are UTF-8 without NUL.
pub(crate) fn status(body: &[u8]) -> u16 {
    let words = std::str::from_utf8(&body[2..]).unwrap();
    assert!(!words.contains('\0'));
    u16::from_be_bytes([body[0], body[1]])
}

pub(crate) fn read_ia_pd(body: &[u8]) -> ReadIaPd {
    let nested = options(&body[12..]);
    let prefix = |body: &[u8]| {
        let address = Ipv6Addr::from(<[u8; 16]>::try_from(&body[9..25]).unwrap());
        let inside = options(&body[25..]);
        assert!(inside.iter().all(|option| option.0 == PD_EXCLUDE) && inside.len() <= 1);
        ReadPrefix {
            prefix: format!("{address}/{}", body[8]),
            preferred: number(body),
            valid: number(&body[4..]),
            excluded: inside.into_iter().next().map(|option| option.1),
        }
    };
    ReadIaPd {
        iaid: number(body),
        t1: number(&body[4..]),
        t2: number(&body[8..]),
        prefixes: nested
            .iter()
            .filter(|option| option.0 == IAPREFIX)
            .map(|option| prefix(&option.1))
            .collect(),
        status: nested
            .iter()
            .find(|option| option.0 == STATUS)
            .map(|option| status(&option.1)),
    }
}

pub(crate) fn read_ia(body: &[u8]) -> ReadIa {
    let nested = options(&body[12..]);
    let lease = |body: &[u8]| {
        assert_eq!(body.len(), 24);
        (
            <[u8; 16]>::try_from(&body[..16]).unwrap().into(),
            number(&body[16..]),
            number(&body[20..]),
        )
    };
    ReadIa {
        iaid: number(body),
        t1: number(&body[4..]),
        t2: number(&body[8..]),
        addresses: nested
            .iter()
            .filter(|option| option.0 == IAADDR)
            .map(|option| lease(&option.1))
            .collect(),
        status: nested
            .iter()
            .find(|option| option.0 == STATUS)
            .map(|option| status(&option.1)),
    }
}
