//! Asks the place that holds a lease whether its client is still there: a neighbour solicitation for its link-local
//! address (RFC 4861, section 4.3).
//!
//! Nothing waits for a probe. It is over before a client repeats its message, which it does after a second (RFC 9915,
//! section 7.6).

use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::Place;
use orchestrator_network::{Bridge, Icmp6Message, Icmp6Socket};
use tokio::time::{Instant, sleep_until};

/// When solicitations are sent, counted from the beginning of the probe.
const SENT: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_millis(450)];
/// When a place that has not answered counts as empty.
const PATIENCE: Duration = Duration::from_millis(800);

/// ICMPv6 types (RFC 4861, section 4).
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// Options with link-layer addresses (RFC 4861, section 4.6.1).
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// The length of a message without its options.
const HEAD: usize = 24;

/// Whether a client answers at a place on a bridge.
///
/// # Errors
///
/// When the place cannot be asked: the bridge is gone, or the privilege for raw sockets is missing.
pub(super) async fn is_there(bridge: &Bridge, place: &Place) -> io::Result<bool> {
    let Some(target) = place.link_local else {
        // A client that never used a link-local address cannot be asked.
        return Ok(false);
    };
    let socket = Icmp6Socket::open(&bridge.name, bridge.index, &[NEIGHBOR_ADVERTISEMENT], &[])?;
    let begin = Instant::now();
    for next in SENT.into_iter().skip(1).chain([PATIENCE]) {
        socket.writable().await?;
        socket.send(&solicitation(target, bridge.mac), solicited_node(target))?;
        if answers(&socket, target, place.link_layer, begin + next).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits for the answer of a place.
async fn answers(
    socket: &Icmp6Socket,
    target: Ipv6Addr,
    link_layer: Option<[u8; 6]>,
    until: Instant,
) -> io::Result<bool> {
    loop {
        tokio::select! {
            () = sleep_until(until) => return Ok(false),
            received = socket.receive() => if is_answer(&received?, target, link_layer) {
                return Ok(true);
            },
        }
    }
}

/// The group of hosts whose addresses end like this one (RFC 4291, section 2.7.1).
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    let [a, b, c] = [a, b, c].map(u16::from);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a, b << 8 | c)
}

/// A neighbour solicitation from this link-layer address.
fn solicitation(target: Ipv6Addr, own: Option<[u8; 6]>) -> Vec<u8> {
    let mut message = vec![NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    if let Some(own) = own {
        message.extend([SOURCE_LINK_LAYER, 1]);
        message.extend(own);
    }
    message
}

/// Whether a message is the answer of the target at this link-layer address. If the address is unknown, any counts.
///
/// A client that kept its link-local address and changed its link-layer address answers for the same target, but not
/// from its former place.
fn is_answer(message: &Icmp6Message, target: Ipv6Addr, link_layer: Option<[u8; 6]>) -> bool {
    let bytes = &message.bytes;
    let is_valid = message.hop_limit == 255 && bytes.starts_with(&[NEIGHBOR_ADVERTISEMENT, 0]);
    let is_target = bytes.get(8..HEAD) == Some(&target.octets()[..]);
    is_valid && is_target && link_layer.is_none_or(|own| target_link_layer(bytes) == Some(own))
}

/// The target's link-layer address in a neighbour advertisement.
fn target_link_layer(message: &[u8]) -> Option<[u8; 6]> {
    let mut options = message.get(HEAD..)?;
    loop {
        let [kind, length, ..] = *options else { return None };
        let (option, rest) = options.split_at_checked(usize::from(length) * 8)?;
        if kind == TARGET_LINK_LAYER {
            return option.get(2..)?.try_into().ok();
        }
        if option.is_empty() {
            return None;
        }
        options = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn target() -> Ipv6Addr {
        "fe80::1:2:3".parse().unwrap()
    }

    fn advertisement(options: &[u8]) -> Icmp6Message {
        let mut bytes = vec![NEIGHBOR_ADVERTISEMENT, 0, 0, 0, 0x60, 0, 0, 0];
        bytes.extend(target().octets());
        bytes.extend(options);
        Icmp6Message {
            bytes,
            source: target(),
            hop_limit: 255,
        }
    }

    #[test]
    fn the_holder_answers_from_its_link_layer_address() {
        let answer = advertisement(&[14, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 7]);
        assert!(is_answer(&answer, target(), Some(MAC)));
        assert!(is_answer(&answer, target(), None));
        assert!(
            !is_answer(&answer, target(), Some([2, 0, 0, 0, 0, 8])),
            "it is elsewhere"
        );
        assert!(!is_answer(&answer, "fe80::1".parse().unwrap(), Some(MAC)));
        let routed = Icmp6Message {
            hop_limit: 254,
            ..answer
        };
        assert!(!is_answer(&routed, target(), Some(MAC)), "it came from another link");
    }

    #[test]
    fn an_answer_that_is_cut_is_none() {
        assert!(is_answer(&advertisement(&[]), target(), None));
        for options in [
            &[][..],
            &[2],
            &[2, 1, 2, 0],
            &[2, 0, 2, 0, 0, 0, 0, 7],
            &[0; 8],
            &[2, 2, 2, 0, 0, 0, 0, 7],
        ] {
            assert!(!is_answer(&advertisement(options), target(), Some(MAC)), "{options:?}");
        }
        let whole = advertisement(&[2, 1, 2, 0, 0, 0, 0, 7]);
        for length in 0..whole.bytes.len() {
            let cut = Icmp6Message {
                bytes: whole.bytes[..length].to_vec(),
                ..whole.clone()
            };
            assert!(!is_answer(&cut, target(), Some(MAC)), "{length}");
        }
    }

    #[test]
    fn a_solicitation_goes_to_the_group_of_its_target() {
        assert_eq!(solicited_node(target()).to_string(), "ff02::1:ff02:3");
        assert_eq!(solicitation(target(), None).len(), HEAD);
        let sent = solicitation(target(), Some(MAC));
        assert_eq!(sent[HEAD..], [1, 1, 2, 0, 0, 0, 0, 7]);
    }
}
