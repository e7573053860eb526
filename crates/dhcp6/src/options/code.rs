//! Which options may be set by number, and which ones relay agents may supply.

/// The option cannot be set by number: it is one of the protocol, one that clients or relay agents send, or one with
/// its own setter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("option {0} cannot be set by its number")]
pub struct OwnedOption(pub u16);

/// Whether an option may be set by number.
///
/// This follows IANA's registry of DHCPv6 options. Options that are not in it may be set.
pub fn is_settable(code: u16) -> bool {
    !matches!(
        code,
        // Options of leases and of the exchange of messages; vendor options, DNS servers and the search list.
        0..=20 | 23..=26 | 39
        // Options that have a setter: SNTP, refresh time, NTP, boot file, longest pauses, captive portal.
        | 31 | 32 | 56 | 59 | 60 | 82 | 83 | 103
        // Options that relay agents and clients send: relay ids, leasequery, link-layer address, architecture, network
        // interface.
        | 37 | 38 | 43..=48 | 53 | 61 | 62 | 66 | 79..=81 | 98..=102 | 135
        // Options inside of others, or between servers: excluded prefix, failover, link-layer addresses as leases.
        | 67 | 114..=132 | 138..=140
        // Whether registrations are allowed (RFC 9686) is a property of the link.
        | 148
    )
}

/// Whether relay agents may be allowed to supply an option for clients (RFC 6422). These are the options that may be
/// set by number, except times, whose bounds the server guarantees.
pub fn is_suppliable(code: u16) -> bool {
    is_settable(code) || matches!(code, 23 | 24 | 31 | 56 | 59 | 60 | 103)
}
