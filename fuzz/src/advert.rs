//! Router solicitations and the advertisements of other routers, as they come from the link.

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_dhcp6::advert::{
    Agenda, Overheard, PrefixInformation, RouterAdvertisement, RouterPreference, RouterSolicitation,
};

use crate::world;

/// Length of a solicitation without options.
const HEAD: usize = 8;
/// What no solicitation is longer than.
const LONGEST: usize = 1500;
/// MIN_DELAY_BETWEEN_RAS.
const APART: Duration = Duration::from_secs(3);

/// The first byte says who sent it and from how far, the second when; the rest is the ICMPv6 message.
pub fn run(input: &[u8]) {
    let [way, pause, message @ ..] = input else {
        return;
    };
    let source = match way & 3 {
        0 => Ipv6Addr::UNSPECIFIED,
        1 => world::on_link(5),
        _ => world::link_local(way >> 4),
    };
    let hop_limit = if way & 4 == 0 { 255 } else { *pause };
    if let Ok(solicitation) = RouterSolicitation::parse(message, source, hop_limit) {
        check_solicitation(message, source, hop_limit, &solicitation);
        check_agenda(source, *pause);
    }
    if let Some(heard) = Overheard::parse(message, source, hop_limit) {
        assert!(hop_limit == 255 && source.is_unicast_link_local());
        let found = heard.inconsistencies(&ours());
        assert!(found.iter().enumerate().all(|(at, one)| !found[..at].contains(one)));
    }
    let own = ours().encode();
    let own = Overheard::parse(&own, world::link_local(0), 255).expect("what we advertise");
    assert!(own.inconsistencies(&ours()).is_empty(), "we contradict ourselves");
}

/// What is answered is what RFC 4861, section 6.1.1 wants.
fn check_solicitation(message: &[u8], source: Ipv6Addr, hop_limit: u8, read: &RouterSolicitation) {
    assert!((HEAD..=LONGEST).contains(&message.len()) && message[..2] == [133, 0] && hop_limit == 255);
    let mut options = &message[HEAD..];
    let mut told = false;
    while let [kind, units, ..] = options {
        let (option, rest) = options.split_at(usize::from(*units) * 8);
        assert!(!option.is_empty());
        told |= *kind == 1;
        options = rest;
    }
    assert!(options.is_empty());
    assert!(read.source_link_layer.is_none() || !source.is_unspecified());
    assert!(told || read.source_link_layer.is_none());
}

/// However often someone solicits, advertisements to all keep apart.
fn check_agenda(solicitor: Ipv6Addr, pause: u8) {
    let mut agenda = Agenda::new(Duration::from_secs(200)..=Duration::from_secs(600));
    let (mut now, mut last) = (Duration::ZERO, None::<Duration>);
    for turn in 0..8_u8 {
        agenda.solicit(now, solicitor, f64::from(pause) / 255.0);
        now = now.max(agenda.next());
        let due = agenda.take_due(now, f64::from(turn) / 8.0);
        assert!(due.unicast.iter().all(|to| !to.is_unspecified()));
        if due.multicast {
            assert!(
                last.is_none_or(|last| now - last >= APART),
                "two advertisements come too soon"
            );
            last = Some(now);
        }
        now += Duration::from_millis(u64::from(pause) * 20);
    }
}

fn ours() -> RouterAdvertisement {
    RouterAdvertisement {
        hop_limit: 64,
        managed: true,
        other: false,
        preference: RouterPreference::Medium,
        router_lifetime: Duration::from_secs(1800),
        reachable_time: Duration::from_secs(30),
        retransmission_time: Duration::from_secs(1),
        source_link_layer: "02:00:5e:10:00:01".parse().ok(),
        mtu: Some(1430),
        prefixes: vec![PrefixInformation {
            prefix: "2001:db8:0:1::/64".parse().expect("a prefix"),
            on_link: true,
            autonomous: false,
            delegation_preferred: true,
            valid: Duration::from_secs(7200),
            preferred: Duration::from_secs(3600),
        }],
        dns_servers: vec![world::on_link(0x53)],
        domain_search: vec!["lan.example".parse().expect("a name")],
        dns_lifetime: Duration::from_secs(1800),
        pref64: None,
        captive_portal: None,
    }
}
