//! Router solicitations, with which hosts ask for an advertisement.

use std::net::Ipv6Addr;

use crate::LinkLayerAddress;

use super::option::{self, SOURCE_LINK_LAYER};

/// ICMPv6 type of a router solicitation.
const ROUTER_SOLICITATION: u8 = 133;
/// Length without options.
const HEAD: usize = 8;
/// The longest solicitation that is read, in bytes.
const MAX_SOLICITATION: usize = 1500;

/// A valid router solicitation (RFC 4861, sections 4.1 and 6.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterSolicitation {
    /// The link-layer address of the host, if the message contains it.
    pub source_link_layer: Option<LinkLayerAddress>,
}

/// The reason why a router solicitation is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SolicitationFault {
    /// It came through a router.
    #[error("hop limit {0} is not 255: it came from another link")]
    HopLimit(u8),
    /// It is another message, too short, or too long.
    #[error("it is not a router solicitation")]
    NotSolicitation,
    /// An option has no length or reaches beyond the message.
    #[error("an option of it is malformed")]
    Option,
    /// It has a link-layer address but no source address.
    #[error("it has a link-layer address and no source address")]
    Unspecified,
}

impl SolicitationFault {
    /// The word for it, for counters and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HopLimit(_) => "hop-limit",
            Self::NotSolicitation => "malformed",
            Self::Option => "option",
            Self::Unspecified => "unspecified",
        }
    }
}

impl RouterSolicitation {
    /// Parses the ICMPv6 message. The kernel has verified its checksum.
    ///
    /// # Errors
    ///
    /// The reason, if it must not be answered.
    pub fn parse(bytes: &[u8], source: Ipv6Addr, hop_limit: u8) -> Result<Self, SolicitationFault> {
        if hop_limit != 255 {
            return Err(SolicitationFault::HopLimit(hop_limit));
        }
        let (head, options) = bytes.split_at_checked(HEAD).ok_or(SolicitationFault::NotSolicitation)?;
        if bytes.len() > MAX_SOLICITATION || head[..2] != [ROUTER_SOLICITATION, 0] {
            return Err(SolicitationFault::NotSolicitation);
        }
        let source_link_layer = find_link_layer(options)?;
        if source.is_unspecified() && source_link_layer.is_some() {
            return Err(SolicitationFault::Unspecified);
        }
        Ok(Self { source_link_layer })
    }
}

fn find_link_layer(options: &[u8]) -> Result<Option<LinkLayerAddress>, SolicitationFault> {
    let mut found = None;
    for option in option::walk(options) {
        let option = option.ok_or(SolicitationFault::Option)?;
        if option[0] == SOURCE_LINK_LAYER && found.is_none() {
            found = LinkLayerAddress::new(&option[2..]).ok();
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const PLAIN: [u8; 8] = [133, 0, 0x12, 0x34, 0, 0, 0, 0];
    const LINK_LAYER: [u8; 8] = [1, 1, 2, 0, 0x5e, 0x10, 0, 1];

    fn parse(parts: &[&[u8]]) -> Result<Option<String>, SolicitationFault> {
        let solicitation = RouterSolicitation::parse(&parts.concat(), HOST, 255)?;
        Ok(solicitation.source_link_layer.map(|address| address.to_string()))
    }

    #[test]
    fn valid_solicitations() {
        assert_eq!(parse(&[&PLAIN]), Ok(None));
        assert_eq!(parse(&[&PLAIN, &LINK_LAYER]), Ok(Some("02:00:5e:10:00:01".to_owned())));
        assert_eq!(
            parse(&[&PLAIN, &[14, 1, 0, 0, 0, 0, 0, 0], &LINK_LAYER]).map(|found| found.is_some()),
            Ok(true)
        );
        assert!(RouterSolicitation::parse(&PLAIN, Ipv6Addr::UNSPECIFIED, 255).is_ok());
    }

    #[test]
    fn what_is_not_answered() {
        assert_eq!(
            RouterSolicitation::parse(&PLAIN, HOST, 64),
            Err(SolicitationFault::HopLimit(64))
        );
        assert_eq!(parse(&[&PLAIN[..7]]), Err(SolicitationFault::NotSolicitation));
        assert_eq!(
            parse(&[&[134, 0, 0, 0, 0, 0, 0, 0]]),
            Err(SolicitationFault::NotSolicitation)
        );
        assert_eq!(
            parse(&[&[133, 1, 0, 0, 0, 0, 0, 0]]),
            Err(SolicitationFault::NotSolicitation)
        );
        assert_eq!(
            parse(&[&PLAIN, &[1, 0, 0, 0, 0, 0, 0, 0]]),
            Err(SolicitationFault::Option)
        );
        assert_eq!(
            parse(&[&PLAIN, &[1, 2, 0, 0, 0, 0, 0, 0]]),
            Err(SolicitationFault::Option)
        );
        assert_eq!(parse(&[&PLAIN, &LINK_LAYER, &[9]]), Err(SolicitationFault::Option));
        assert_eq!(parse(&[&PLAIN, &[0; 2000]]), Err(SolicitationFault::NotSolicitation));
        let with_address = [PLAIN, LINK_LAYER].concat();
        let answer = RouterSolicitation::parse(&with_address, Ipv6Addr::UNSPECIFIED, 255);
        assert_eq!(answer, Err(SolicitationFault::Unspecified));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(options in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&[&PLAIN, &options]);
            let _ = parse(&[&options]);
        }
    }
}
