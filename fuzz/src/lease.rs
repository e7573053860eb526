//! What a server's message says of addresses and prefixes.

use std::net::Ipv6Addr;

use orchestrator_wire as wire;

/// An address or a prefix in an identity association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Which kind of association it is in: [`wire::IA_NA`] or [`wire::IA_PD`].
    pub(crate) code: u16,
    pub(crate) iaid: u32,
    pub(crate) address: Ipv6Addr,
    /// 128 of an address.
    pub(crate) length: u8,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
}

/// Reads all identity associations of a message and checks what holds of every one (sections 18.3, 21.4 and 21.21).
pub(crate) fn leases(options: &[(u16, &[u8])]) -> Vec<Lease> {
    let mut all = Vec::new();
    let mut times = None;
    for (code, body) in options {
        let ((t1, t2), leases) = match *code {
            wire::IA_NA => addresses(body),
            wire::IA_PD => prefixes(body),
            _ => continue,
        };
        assert!(t1 <= t2, "T1 {t1} is after T2 {t2}");
        for lease in &leases {
            assert!(
                lease.preferred <= lease.valid,
                "it is preferred for longer than it is valid"
            );
        }
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

/// T1 and T2 of an association, and the addresses in it.
fn addresses(body: &[u8]) -> ((u32, u32), Vec<Lease>) {
    let ia = wire::Ia::parse(body);
    assert_holds_no(wire::IA_PREFIX, body);
    let lease = |address: &wire::Address| Lease {
        code: wire::IA_NA,
        iaid: ia.iaid,
        address: address.ip,
        length: 128,
        preferred: address.preferred,
        valid: address.valid,
    };
    ((ia.t1, ia.t2), ia.addresses.iter().map(lease).collect())
}

/// T1 and T2 of an association, and the prefixes in it.
fn prefixes(body: &[u8]) -> ((u32, u32), Vec<Lease>) {
    let ia = wire::IaPd::parse(body);
    assert_holds_no(wire::IA_ADDRESS, body);
    let lease = |prefix: &wire::Prefix| Lease {
        code: wire::IA_PD,
        iaid: ia.iaid,
        address: prefix.ip,
        length: prefix.length,
        preferred: prefix.preferred,
        valid: prefix.valid,
    };
    ((ia.t1, ia.t2), ia.prefixes.iter().map(lease).collect())
}

fn assert_holds_no(code: u16, body: &[u8]) {
    let holds = wire::walk(&body[12..]).any(|option| option.is_ok_and(|(inner, _)| inner == code));
    assert!(!holds, "an association has what belongs into the other");
}
