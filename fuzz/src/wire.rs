//! DHCPv6 messages as bytes (RFC 9915, section 8), made and read by code that shares nothing with the protocol's own.
//!
//! Readers take what the server made: they panic at what is not well formed.

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
pub(crate) const INFORMATION_REQUEST: u8 = 11;
pub(crate) const RELAY_FORW: u8 = 12;
pub(crate) const RELAY_REPL: u8 = 13;
pub(crate) const ADDR_REG_INFORM: u8 = 36;
pub(crate) const ADDR_REG_REPLY: u8 = 37;

pub(crate) const CLIENT_ID: u16 = 1;
pub(crate) const SERVER_ID: u16 = 2;
pub(crate) const IA_NA: u16 = 3;
pub(crate) const IA_TA: u16 = 4;
pub(crate) const IAADDR: u16 = 5;
pub(crate) const ORO: u16 = 6;
pub(crate) const ELAPSED: u16 = 8;
pub(crate) const RELAY_MESSAGE: u16 = 9;
pub(crate) const STATUS: u16 = 13;
pub(crate) const RAPID_COMMIT: u16 = 14;
pub(crate) const VENDOR_CLASS: u16 = 16;
pub(crate) const INTERFACE_ID: u16 = 18;
pub(crate) const RECONFIGURE_ACCEPT: u16 = 20;
pub(crate) const IA_PD: u16 = 25;
pub(crate) const IAPREFIX: u16 = 26;
pub(crate) const REMOTE_ID: u16 = 37;
pub(crate) const FQDN: u16 = 39;
pub(crate) const ERP_LOCAL_DOMAIN_NAME: u16 = 65;
pub(crate) const RELAY_SUPPLIED: u16 = 66;
pub(crate) const LINK_LAYER: u16 = 79;
pub(crate) const RELAY_SOURCE_PORT: u16 = 135;

/// An option; a body that is too long for one is cut.
pub(crate) fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let body = &body[..usize::from(length)];
    [&code.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// A message of a client.
pub(crate) fn message(kind: u8, transaction: [u8; 3], options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind][..], &transaction, &options.concat()].concat()
}

/// The DUID of a client by number.
pub(crate) fn duid(client: u8) -> Vec<u8> {
    vec![0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, client]
}

/// An address as it stands in an identity association, or in a registration.
pub(crate) fn address(address: Ipv6Addr, preferred: u32, valid: u32) -> Vec<u8> {
    let body = [&address.octets()[..], &preferred.to_be_bytes(), &valid.to_be_bytes()];
    option(IAADDR, &body.concat())
}

/// A prefix as it stands in an identity association.
pub(crate) fn prefix(address: Ipv6Addr, length: u8) -> Vec<u8> {
    option(IAPREFIX, &[&[0; 8][..], &[length], &address.octets()].concat())
}

/// An identity association of addresses or prefixes, with what stands in it.
pub(crate) fn association(code: u16, iaid: u32, inside: &[Vec<u8>]) -> Vec<u8> {
    option(code, &[&iaid.to_be_bytes()[..], &[0; 8], &inside.concat()].concat())
}

/// An identity association of temporary addresses, which servers pass over.
pub(crate) fn association_of_temporary(iaid: u32) -> Vec<u8> {
    option(IA_TA, &iaid.to_be_bytes())
}

/// The options that a client asks for.
pub(crate) fn asking(codes: &[u16]) -> Vec<u8> {
    let codes: Vec<u8> = codes.iter().flat_map(|code| code.to_be_bytes()).collect();
    option(ORO, &codes)
}

/// Reads options side by side. Up to three zeros behind the last are padding.
pub(crate) fn options(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut options = Vec::new();
    while bytes.len() > 3 || bytes.iter().any(|byte| *byte != 0) {
        let (head, rest) = bytes.split_at(4);
        let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes([head[2], head[3]])));
        options.push((u16::from_be_bytes([head[0], head[1]]), body));
        bytes = rest;
    }
    options
}

/// The only option with a code.
pub(crate) fn only<'a>(options: &[(u16, &'a [u8])], code: u16) -> Option<&'a [u8]> {
    let mut with = options.iter().filter(|option| option.0 == code);
    let first = with.next().map(|option| option.1);
    assert!(with.next().is_none(), "option {code} came twice");
    first
}

/// Texts, each with two bytes before it that say how long it is. Ends where one reaches beyond what holds it.
pub(crate) fn texts(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    while let [l0, l1, rest @ ..] = bytes {
        let Some((text, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1]))) else {
            break;
        };
        texts.push(text);
        bytes = rest;
    }
    texts
}

/// A number of four bytes.
pub(crate) fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// An address of sixteen bytes.
pub(crate) fn address_at(bytes: &[u8], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    octets.into()
}

/// What a server's message tells of an address or a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Which kind of association it stands in: [`IA_NA`] or [`IA_PD`].
    pub(crate) code: u16,
    pub(crate) iaid: u32,
    pub(crate) address: Ipv6Addr,
    /// 128 of an address.
    pub(crate) length: u8,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
}

/// Reads all identity associations of a message and checks what holds of every one (sections 18.3, 21.4 and 21.21).
pub(crate) fn told(options: &[(u16, &[u8])]) -> Vec<Told> {
    let mut all = Vec::new();
    let mut times = None;
    for (code, body) in options.iter().filter(|option| [IA_NA, IA_PD].contains(&option.0)) {
        let (t1, t2) = (number(body, 4), number(body, 8));
        assert!(t1 <= t2, "T1 {t1} is after T2 {t2}");
        let inside = self::options(&body[12..]);
        only(&inside, STATUS).map(status);
        let leases: Vec<Told> = inside
            .iter()
            .filter(|(inner, _)| [IAADDR, IAPREFIX].contains(inner))
            .map(|(inner, lease)| read_lease(*code, number(body, 0), *inner, lease))
            .collect();
        if leases.iter().any(|lease| lease.valid > 0) {
            assert_eq!(
                *times.get_or_insert((t1, t2)),
                (t1, t2),
                "associations have times of their own"
            );
        }
        all.extend(leases);
    }
    all
}

fn read_lease(code: u16, iaid: u32, inner: u16, body: &[u8]) -> Told {
    let is_address = inner == IAADDR;
    assert_eq!(
        is_address,
        code == IA_NA,
        "an association has what belongs into the other"
    );
    let (times, at, length, inside) = match is_address {
        true => (16, 0, 128, 24),
        false => (0, 9, body[8], 25),
    };
    options(&body[inside..]);
    let lease = Told {
        code,
        iaid,
        address: address_at(body, at),
        length,
        preferred: number(body, times),
        valid: number(body, times + 4),
    };
    assert!(
        lease.preferred <= lease.valid,
        "it is preferred for longer than it is valid"
    );
    lease
}

/// A status code; its words are text without NUL (section 21.13).
pub(crate) fn status(body: &[u8]) -> u16 {
    let words = std::str::from_utf8(&body[2..]).expect("the words of a status are text");
    assert!(!words.contains('\0'));
    u16::from_be_bytes([body[0], body[1]])
}
