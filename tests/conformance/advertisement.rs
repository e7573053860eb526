//! Router advertisements (RFC 4861, section 6.2, with RFC 4191, 8106, 8781 and 9762), byte by byte.

use std::io::IoSliceMut;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::sys::signal::Signal;
use nix::sys::socket::sockopt::{Ipv6RecvHopLimit, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt};
use orchestrator_lab::{Namespace, wait_for};
use orchestrator_wire::RENEW;
use socket2::{Domain, Protocol, Socket, Type};

use crate::site::{PATIENCE, POOL, PREFIX, Site};

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Where the machine's solicitations come from.
const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x33);
const SOLICITATION: [u8; 8] = [ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];

/// Everything that there is to say.
const EVERYTHING: &str = "router_advertisements = true
dns_servers = [\"fd00::53\"]
domain_search = [\"lan.example\"]
captive_portal = \"https://portal.example/\"
[[link.delegation]]
pool = \"fd40::/48\"
[link.advertisement]
other = false
preference = \"low\"
router_lifetime = \"1h\"
max_interval = \"5m\"
hop_limit = 63
mtu = 1400
reachable_time = \"30s\"
retransmission_time = \"1500ms\"
dns_lifetime = \"20m\"
nat64_prefix = \"64:ff9b::/96\"
nat64_lifetime = \"15m\"
[[link.advertisement.prefix]]
prefix = \"fd39:9706:2786:6333::/64\"
autonomous = true
valid_lifetime = \"3h\"
preferred_lifetime = \"2h\"
[[link.advertisement.prefix]]
prefix = \"fd41::/60\"
on_link = false
delegation_preferred = false
valid_lifetime = \"10m\"
preferred_lifetime = \"0s\"";

/// An advertisement as it came.
#[derive(Debug)]
struct Heard {
    bytes: Vec<u8>,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: i32,
}

impl Heard {
    fn router_lifetime(&self) -> u16 {
        u16::from_be_bytes([self.bytes[6], self.bytes[7]])
    }
}

/// A machine that speaks ICMPv6 by hand.
struct Host {
    socket: Socket,
    index: u32,
}

impl Host {
    /// On the machine's `eth0`, whose kernel does no router discovery of its own.
    fn on(machine: &Namespace) -> Self {
        machine.sysctl("net.ipv6.conf.eth0.accept_ra", "0").unwrap();
        machine.ip(&format!("address add {HOST}/64 dev eth0 nodad")).unwrap();
        let (socket, index) = machine.within(|| {
            let index = nix::net::if_::if_nametoindex("eth0").unwrap();
            let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
            socket.bind_device(Some(b"eth0")).unwrap();
            socket.bind(&SocketAddrV6::new(HOST, 0, 0, index).into()).unwrap();
            (socket, index)
        });
        // Bound to one address, it would hear no multicast: that takes a socket of its own.
        socket.set_multicast_if_v6(index).unwrap();
        socket.set_multicast_hops_v6(255).unwrap();
        Self { socket, index }
    }

    fn solicit(&self, bytes: &[u8], hop_limit: u32) {
        self.socket.set_multicast_hops_v6(hop_limit).unwrap();
        let everyone = SocketAddrV6::new(ALL_ROUTERS, 0, 0, self.index);
        self.socket.send_to(bytes, &everyone.into()).unwrap();
    }

    fn advertise(&self, bytes: &[u8]) {
        let everyone = SocketAddrV6::new(ALL_NODES, 0, 0, self.index);
        self.socket.send_to(bytes, &everyone.into()).unwrap();
    }
}

/// A socket that hears all advertisements that reach a machine.
struct Ear(Socket);

impl Ear {
    fn on(machine: &Namespace) -> Self {
        let socket = machine.within(|| Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        setsockopt(&socket, Ipv6RecvHopLimit, &true).unwrap();
        setsockopt(&socket, Ipv6RecvPacketInfo, &true).unwrap();
        Self(socket)
    }

    /// The next one that is for `destination`.
    fn next_for(&self, destination: Ipv6Addr) -> Heard {
        loop {
            let heard = self.receive(MsgFlags::empty()).expect("an advertisement comes");
            if heard.destination == destination {
                return heard;
            }
        }
    }

    /// All that have come by now.
    fn drain(&self) -> Vec<Heard> {
        std::iter::from_fn(|| self.receive(MsgFlags::MSG_DONTWAIT)).collect()
    }

    fn receive(&self, flags: MsgFlags) -> Option<Heard> {
        loop {
            let mut bytes = vec![0; 1500];
            let mut slices = [IoSliceMut::new(&mut bytes)];
            let mut control = nix::cmsg_space!(nix::libc::in6_pktinfo, nix::libc::c_int);
            let received = recvmsg::<SockaddrIn6>(self.0.as_raw_fd(), &mut slices, Some(&mut control), flags).ok()?;
            let (mut destination, mut hop_limit) = (None, None);
            for message in received.cmsgs().unwrap() {
                match message {
                    ControlMessageOwned::Ipv6PacketInfo(to) => destination = Some(to.ipi6_addr.s6_addr.into()),
                    ControlMessageOwned::Ipv6HopLimit(limit) => hop_limit = Some(limit),
                    _ => {}
                }
            }
            let (source, length) = (received.address.unwrap().ip(), received.bytes);
            bytes.truncate(length);
            if bytes.first() == Some(&ROUTER_ADVERTISEMENT) {
                return Some(Heard {
                    bytes,
                    source,
                    destination: destination.unwrap(),
                    hop_limit: hop_limit.unwrap(),
                });
            }
        }
    }
}

fn counted(site: &Site, name: &str) -> u64 {
    let text = site.daemon.ask("GET", "/metrics").unwrap().text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("orchestrator_{name} ")));
    value.map_or(0, |value| value.parse().unwrap())
}

fn start(lines: &str) -> Site {
    Site::start(POOL, lines)
}

#[test]
fn everything_that_is_set_is_said_to_who_asks() {
    let site = start(EVERYTHING);
    let (host, ear) = (Host::on(&site.machine), Ear::on(&site.machine));
    host.solicit(&SOLICITATION, 255);
    let heard = ear.next_for(HOST);
    assert_eq!(heard.hop_limit, 255);
    assert!(heard.source.is_unicast_link_local(), "{heard:?}");
    let own: Ipv6Addr = format!("{PREFIX}::").parse().unwrap();
    let other: Ipv6Addr = "fd41::".parse().unwrap();
    let server: Ipv6Addr = "fd00::53".parse().unwrap();
    let expected = [
        // Hop limit; M and low preference; router lifetime, reachable time, retransmission timer.
        &[63, 0x98, 0x0e, 0x10, 0, 0, 0x75, 0x30, 0, 0, 0x05, 0xdc][..],
        &[5, 1, 0, 0, 0, 0, 0x05, 0x78],
        // L, A and P; three hours, two hours.
        &[3, 4, 64, 0xd0, 0, 0, 0x2a, 0x30, 0, 0, 0x1c, 0x20, 0, 0, 0, 0],
        &own.octets(),
        // No flag; ten minutes, not preferred.
        &[3, 4, 60, 0, 0, 0, 0x02, 0x58, 0, 0, 0, 0, 0, 0, 0, 0],
        &other.octets(),
        &[25, 3, 0, 0, 0, 0, 0x04, 0xb0],
        &server.octets(),
        &[31, 3, 0, 0, 0, 0, 0x04, 0xb0],
        b"\x03lan\x07example\x00\x00\x00\x00",
        // 900 s in units of eight, rounded up; 96 bits.
        &[38, 2, 0x03, 0x88, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0],
        // RFC 8910: filled up with zeros.
        b"\x25\x04https://portal.example/\x00\x00\x00\x00\x00\x00\x00",
    ];
    // The checksum is the kernel's.
    assert_eq!(heard.bytes[..2], [ROUTER_ADVERTISEMENT, 0]);
    assert_eq!(heard.bytes[4..], expected.concat());
}

#[test]
fn by_default_the_link_is_managed_and_hosts_form_no_addresses() {
    let site = start("router_advertisements = true");
    let (host, ear) = (Host::on(&site.machine), Ear::on(&site.machine));
    host.solicit(&SOLICITATION, 255);
    let heard = ear.next_for(HOST);
    assert_eq!(heard.bytes[4..16], [64, 0xc0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        heard.bytes[16..32],
        [3, 4, 64, 0x80, 0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]
    );
    // The daemon's own DNS server, and its search list (RFC 8106).
    assert_eq!(heard.bytes[48..56], [25, 3, 0, 0, 0, 0, 0x07, 0x08]);
    let server: Ipv6Addr = format!("{PREFIX}::1").parse().unwrap();
    assert_eq!(heard.bytes[56..72], server.octets());
    let search = b"\x1f\x05\0\0\0\0\x07\x08\x07service\x04home\x04arpa\0\x04home\x04arpa\0\0\0";
    assert_eq!(heard.bytes[72..], search[..]);
}

#[test]
fn without_dns_of_its_own_the_daemon_advertises_none() {
    let site = start("router_advertisements = true\ndns = false");
    let (host, ear) = (Host::on(&site.machine), Ear::on(&site.machine));
    host.solicit(&SOLICITATION, 255);
    assert_eq!(ear.next_for(HOST).bytes.len(), 48);
}

#[test]
fn unsolicited_ones_go_to_everyone_from_the_start() {
    let mut site = start("router_advertisements = true");
    let ear = Ear::on(&site.machine);
    site.daemon.stop().unwrap();
    site.resume();
    let heard = ear.next_for(ALL_NODES);
    assert_eq!((heard.hop_limit, heard.router_lifetime()), (255, 1800));
}

#[test]
fn what_is_no_valid_solicitation_is_not_answered() {
    let site = start("router_advertisements = true");
    let host = Host::on(&site.machine);
    // It has come through a router; its code is not zero, or it is too short; an option has no length, or reaches
    // beyond the end.
    host.solicit(&SOLICITATION, 64);
    host.solicit(&[ROUTER_SOLICITATION, 1, 0, 0, 0, 0, 0, 0], 255);
    host.solicit(&SOLICITATION[..4], 255);
    host.solicit(&[&SOLICITATION[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat(), 255);
    host.solicit(&[&SOLICITATION[..], &[1, 2, 0, 0, 0, 0, 0, 0]].concat(), 255);
    for (reason, count) in [("hop-limit", 1), ("malformed", 2), ("option", 2)] {
        wait_for(reason, PATIENCE, || {
            let name = format!("router_solicitations_refused_total{{reason=\"{reason}\"}}");
            (counted(&site, &name) == count).then_some(())
        });
    }
}

#[test]
fn a_daemon_that_stops_for_good_takes_the_router_away_and_one_that_may_come_back_does_not() {
    let mut site = start(&format!("{EVERYTHING}\n"));
    let ear = Ear::on(&site.machine);
    site.daemon.stop().unwrap();
    assert!(ear.drain().iter().all(|heard| heard.router_lifetime() > 0));
    site.resume();
    site.daemon.program().signal(Signal::SIGQUIT).unwrap();
    assert!(site.daemon.program().wait(PATIENCE).unwrap().success());
    // The kernel may pass it on a moment after the daemon has ended.
    let last = wait_for("a last advertisement", PATIENCE, || ear.drain().pop());
    assert_eq!((last.destination, last.hop_limit), (ALL_NODES, 255));
    assert_eq!(last.router_lifetime(), 0);
    // The link stays what it is: the prefix is as valid as before.
    assert_eq!(last.bytes[28..32], [0, 0, 0x2a, 0x30]);
}

#[test]
fn another_router_that_says_otherwise_is_told_of_once_and_counted() {
    let site = start("router_advertisements = true");
    let host = Host::on(&site.machine);
    // Hop limit 63, neither managed nor other; the link's prefix for 10 s.
    let prefix: Ipv6Addr = format!("{PREFIX}::").parse().unwrap();
    let otherwise = [
        &[ROUTER_ADVERTISEMENT, 0, 0, 0, 63, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[3, 4, 64, 0xc0, 0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0, 0],
        &prefix.octets(),
    ];
    for count in 1..=3 {
        host.advertise(&otherwise.concat());
        for what in ["hop-limit", "managed", "other", "prefix-lifetimes"] {
            wait_for(&format!("{what} to be counted"), PATIENCE, || {
                let name = format!("router_advertisements_contradicted_total{{what=\"{what}\"}}");
                (counted(&site, &name) == count).then_some(())
            });
        }
    }
    let told = site.daemon.log().matches("another router advertises otherwise").count();
    assert_eq!(told, 4);
    wait_for("the router to be in the timeline, once", PATIENCE, || {
        let events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
        let others = events.into_iter().filter(|event| event["kind"] == "other-router");
        (others.count() == 1).then_some(())
    });
}

#[test]
fn what_is_set_anew_is_advertised_soon_and_a_link_that_is_not_to_be_advertised_on_loses_its_router() {
    let mut site = start("router_advertisements = true");
    let ear = Ear::on(&site.machine);
    let with = |lines: &str| crate::site::link("br0", PREFIX, POOL, &format!("router_advertisements = {lines}"));
    site.reload_with(&with("true\n[link.advertisement]\nhop_limit = 61"));
    // Long before the usual interval of minutes is over.
    let heard = wait_for("the new hop limit", PATIENCE, || {
        Some(ear.next_for(ALL_NODES)).filter(|heard| heard.bytes[4] == 61)
    });
    assert_eq!(heard.router_lifetime(), 1800);
    site.reload_with(&with("false"));
    wait_for("the farewell", PATIENCE, || {
        Some(ear.next_for(ALL_NODES)).filter(|heard| heard.router_lifetime() == 0)
    });
    site.reload_with(&with("true"));
    wait_for("the router to be back", PATIENCE, || {
        Some(ear.next_for(ALL_NODES)).filter(|heard| heard.router_lifetime() == 1800)
    });
    site.pid();
}

#[test]
fn a_router_is_withdrawn_also_when_the_settings_change_while_its_bridge_has_failed() {
    let site = start("router_advertisements = true");
    let ear = Ear::on(&site.machine);
    assert_eq!(ear.next_for(ALL_NODES).router_lifetime(), 1800);
    site.host.ip("link set br0 name away").unwrap();
    let is_ready = || site.daemon.api("GET", "/v1/ready").unwrap().0 == 200;
    wait_for("the link to fail", PATIENCE, || (!is_ready()).then_some(()));
    site.reload_with(&crate::site::link("br0", PREFIX, POOL, "router_advertisements = false"));
    ear.drain();
    site.host.ip("link set away name br0").unwrap();
    wait_for("the link to be served", PATIENCE, || is_ready().then_some(()));
    assert_eq!(ear.next_for(ALL_NODES).router_lifetime(), 0);
}

#[test]
fn a_link_that_leaves_the_settings_loses_its_router_and_one_that_comes_back_at_once_is_served() {
    let site = start("router_advertisements = true");
    let (host, ear) = (Host::on(&site.machine), Ear::on(&site.machine));
    let client = site.client();
    let leased = client.lease(1);
    let with = crate::site::link("br0", PREFIX, POOL, "router_advertisements = true");
    assert_eq!(site.reload_with(""), ["link.br0"]);
    wait_for("the farewell", PATIENCE, || {
        Some(ear.next_for(ALL_NODES)).filter(|heard| heard.router_lifetime() == 0)
    });
    // Both come back, though the farewell may take its time: once the link is left, and while it is being left.
    for _ in 0..3 {
        ear.drain();
        assert_eq!(site.reload_with(&with), ["link.br0"]);
        // It may have been back before it was gone: then hosts are told nothing, unless they ask.
        wait_for("the router to be back", PATIENCE, || {
            host.solicit(&SOLICITATION, 255);
            let is_back = |heard: &Heard| heard.destination == HOST && heard.router_lifetime() == 1800;
            ear.drain().iter().any(is_back).then_some(())
        });
        wait_for("the link", PATIENCE, || {
            (site.daemon.api("GET", "/v1/ready").unwrap().0 == 200).then_some(())
        });
        assert_eq!(client.tell(RENEW, 1, leased).ia(1).leased().ip, leased);
        assert_eq!(site.reload_with(""), ["link.br0"]);
    }
}
