//! Finds other DHCPv6 servers and other routers that answer clients on a link.
//!
//! `check` acts as a client that has nothing yet: it sends a Solicit and an Information-request (RFC 9915, sections
//! 18.2.1 and 18.2.6) and a Router Solicitation (RFC 4861, section 6.3.7). It accepts no offer, so servers keep no
//! state for it.
//!
//! The packet filter of a link may drop the answers before they come here. So `check` also shows the servers and routers
//! that the daemon recorded in the last two hours: it records each of them again after an hour.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use orchestrator_network::{Bridge, Icmp6Socket, Network};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Finding;
use orchestrator_model::{Event, EventKind, LeaseSource};
use orchestrator_settings::{LinkSettings, Settings};

/// How long to wait for answers. A server sends an Advertise at once; a router may wait half a second (RFC 4861,
/// section
/// 6.2.6).
const PATIENCE: Duration = Duration::from_secs(3);
/// When everything is sent a second time. A bridge port that has just come up forwards nothing yet.
const AGAIN: Duration = Duration::from_secs(1);
/// The largest number of answers that are listed for a link. A stranger could invent any number.
const MOST: usize = 8;

/// All_DHCP_Relay_Agents_and_Servers (RFC 9915, section 7.1).
const ALL_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// All-nodes and all-routers on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Ports of clients and servers (RFC 9915, section 7.2).
const CLIENT_PORT: u16 = 546;
const SERVER_PORT: u16 = 547;
/// Message types (RFC 9915, section 7.3).
const SOLICIT: u8 = 1;
const ADVERTISE: u8 = 2;
const REPLY: u8 = 7;
const INFORMATION_REQUEST: u8 = 11;
/// ICMPv6 types (RFC 4861, section 4).
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;

/// Checks every link whose bridge exists and on which the daemon itself serves DHCPv6. All links are asked at the same
/// time. `seen` is what the daemon observed lately, the youngest first.
pub(super) async fn check(settings: &Settings, network: &Network, seen: &[Event]) -> Vec<Finding> {
    let links = settings.links.iter();
    let served = links.filter(|link| !link.remote && link.source == LeaseSource::Listener);
    let asked = futures_util::future::join_all(served.map(|link| check_link(link, network, seen))).await;
    asked.into_iter().flatten().collect()
}

async fn check_link(link: &LinkSettings, network: &Network, seen: &[Event]) -> Vec<Finding> {
    // A bridge that is missing or down was reported already.
    let Ok(Some(bridge)) = network.find_bridge(&link.name).await else {
        return Vec::new();
    };
    let Ok(Some(own)) = network.link_local(bridge.index).await else {
        return Vec::new();
    };
    let until = Instant::now() + PATIENCE;
    let (servers, routers) = tokio::join!(ask_servers(&bridge, until), ask_routers(&bridge, until));
    vec![
        of_servers(
            &link.name,
            servers.map(|found| others(found, own)),
            &observed(seen, &link.name, EventKind::OtherServer),
        ),
        of_routers(
            &link.name,
            routers.map(|found| others(found, own)),
            &observed(seen, &link.name, EventKind::OtherRouter),
        ),
    ]
}

fn others<T>(mut found: BTreeMap<Ipv6Addr, T>, own: Ipv6Addr) -> BTreeMap<Ipv6Addr, T> {
    found.remove(&own);
    found
}

/// The servers or routers that the daemon recorded on a link, with the time of the last record of each.
fn observed(seen: &[Event], link: &str, kind: EventKind) -> Vec<String> {
    let own = seen
        .iter()
        .filter(|event| event.kind == kind && event.link.as_deref() == Some(link));
    let said = own.take(MOST).map(|event| {
        let detail = event.detail.as_deref().unwrap_or_default();
        format!("the daemon recorded at {}: {detail}", event.at)
    });
    said.collect()
}

fn of_servers(link: &str, answered: io::Result<BTreeMap<Ipv6Addr, Option<u8>>>, seen: &[String]) -> Finding {
    let name = format!("other DHCPv6 servers on {link}");
    let servers = match answered {
        Err(_) if !seen.is_empty() => return Finding::wrong(name, seen.join("; ")),
        Ok(servers) if servers.is_empty() && !seen.is_empty() => {
            return Finding::wrong(name, format!("none answers this check, and {}", seen.join("; ")));
        }
        // A client of this machine may have the port: that is no fault.
        Err(fault) => return Finding::there(name, format!("not asked: {fault}")),
        Ok(servers) if servers.is_empty() => return Finding::there(name, "none answers"),
        Ok(servers) => servers,
    };
    let said = servers.iter().take(MOST).map(|(address, preference)| match preference {
        Some(preference) => format!("{address} (preference {preference})"),
        None => address.to_string(),
    });
    let said = said.collect::<Vec<_>>().join(", ");
    Finding::wrong(
        name,
        format!(
            "{said}: clients take whichever they like; stop it, or see which one clients are to prefer (preference = \
             255 here makes them take this one)"
        ),
    )
}

fn of_routers(link: &str, answered: io::Result<BTreeMap<Ipv6Addr, Advertised>>, seen: &[String]) -> Finding {
    let name = format!("other routers on {link}");
    let routers = match answered {
        Err(_) if !seen.is_empty() => return Finding::wrong(name, seen.join("; ")),
        Ok(routers) if routers.is_empty() && !seen.is_empty() => {
            return Finding::wrong(
                name,
                format!("none advertises to this machine, and {}", seen.join("; ")),
            );
        }
        Err(fault) => return Finding::there(name, format!("not asked: {fault}")),
        Ok(routers) if routers.is_empty() => return Finding::there(name, "none advertises"),
        Ok(routers) => routers,
    };
    let said = routers
        .iter()
        .take(MOST)
        .map(|(address, advertised)| format!("{address} ({advertised})"));
    Finding::there(name, said.collect::<Vec<_>>().join(", "))
}

/// The content of a router's advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Advertised {
    /// The M flag: addresses come by DHCPv6.
    managed: bool,
    /// How long it is a default router, in seconds; 0 if it is none.
    lifetime: u16,
}

impl std::fmt::Display for Advertised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.managed {
            true => f.write_str("tells clients to use DHCPv6")?,
            false => f.write_str("does not tell clients to use DHCPv6")?,
        }
        match self.lifetime {
            0 => f.write_str(", no default router"),
            lifetime => write!(f, ", default router for {lifetime} s"),
        }
    }
}

/// Asks for DHCPv6 servers. Returns the address of each that answers, with the preference of its Advertise.
async fn ask_servers(bridge: &Bridge, until: Instant) -> io::Result<BTreeMap<Ipv6Addr, Option<u8>>> {
    let socket = client_socket(bridge)?;
    let transaction = transaction()?;
    let to = SocketAddrV6::new(ALL_AGENTS, SERVER_PORT, 0, bridge.index);
    let send = async || -> io::Result<()> {
        for kind in [SOLICIT, INFORMATION_REQUEST] {
            socket.send_to(&request(kind, transaction, bridge.mac), to).await?;
        }
        Ok(())
    };
    send().await?;
    let (mut again, mut found) = (Some(Instant::now() + AGAIN), BTreeMap::new());
    let mut bytes = [0; 1500];
    loop {
        let next = again.unwrap_or(until).min(until);
        match timeout_at(next, socket.recv_from(&mut bytes)).await {
            Ok(Ok((length, std::net::SocketAddr::V6(from)))) if found.len() < MOST => {
                if let Some(preference) = answer(bytes.get(..length).unwrap_or_default(), transaction) {
                    let known = found.entry(*from.ip()).or_insert(None);
                    *known = known.or(preference);
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => return Err(fault),
            Err(_elapsed) if again.take().is_some() => send().await?,
            Err(_elapsed) => return Ok(found),
        }
    }
}

/// Opens a socket on the client's port of the bridge only.
fn client_socket(bridge: &Bridge) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_only_v6(true)?;
    socket.bind_device(Some(bridge.name.as_bytes()))?;
    let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, CLIENT_PORT, 0, 0);
    socket.bind(&SockAddr::from(any))?;
    UdpSocket::from_std(socket.into())
}

fn transaction() -> io::Result<[u8; 3]> {
    let [a, b, c, _] = getrandom::u32().map_err(io::Error::other)?.to_be_bytes();
    Ok([a, b, c])
}

/// Builds a client's message with the DUID-LL of this link-layer address (RFC 9915, sections 8 and 11.4). A Solicit
/// also asks for an address.
fn request(kind: u8, [a, b, c]: [u8; 3], mac: Option<[u8; 6]>) -> Vec<u8> {
    let mut message = vec![kind, a, b, c];
    // Client Identifier: DUID-LL, Ethernet.
    message.extend([0, 1, 0, 10, 0, 3, 0, 1]);
    message.extend(mac.unwrap_or([2, 0, 0, 0, 0, 0]));
    // Elapsed Time.
    message.extend([0, 8, 0, 2, 0, 0]);
    if kind == SOLICIT {
        // IA_NA 1; zero leaves T1 and T2 to the server.
        message.extend([0, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    message
}

/// The preference of an answer to this check; the inner `None` means that the answer has none. The outer `None` means
/// that the message is no answer to this check.
fn answer(message: &[u8], transaction: [u8; 3]) -> Option<Option<u8>> {
    const SERVER_IDENTIFIER: u16 = 2;
    const PREFERENCE: u16 = 7;
    let (head, mut rest) = message.split_first_chunk::<4>()?;
    let [kind, id @ ..] = *head;
    if !matches!(kind, ADVERTISE | REPLY) || id != transaction {
        return None;
    }
    let (mut is_server, mut preference) = (false, None);
    while let Some(([a, b, c, d], after)) = rest.split_first_chunk::<4>() {
        let (code, length) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        let (value, after) = after.split_at_checked(length.into())?;
        match (code, value) {
            (SERVER_IDENTIFIER, _) => is_server = true,
            (PREFERENCE, [value]) => preference = Some(*value),
            _ => {}
        }
        rest = after;
    }
    is_server.then_some(preference)
}

/// Asks for routers. Returns the address of each that advertises, with its advertisement.
async fn ask_routers(bridge: &Bridge, until: Instant) -> io::Result<BTreeMap<Ipv6Addr, Advertised>> {
    let socket = Icmp6Socket::open(&bridge.name, bridge.index, &[ROUTER_ADVERTISEMENT], &[ALL_NODES])?;
    let solicitation = [ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    socket.writable().await?;
    socket.send(&solicitation, ALL_ROUTERS)?;
    let (mut again, mut found) = (Some(Instant::now() + AGAIN), BTreeMap::new());
    loop {
        let next = again.unwrap_or(until).min(until);
        tokio::select! {
            received = socket.receive() => {
                let message = received?;
                let router = advertised(&message.bytes).filter(|_| message.hop_limit == 255 && found.len() < MOST);
                if let Some(advertised) = router {
                    found.insert(message.source, advertised);
                }
            }
            () = sleep_until(next) => match again.take() {
                Some(_) => socket.send(&solicitation, ALL_ROUTERS)?,
                None => return Ok(found),
            },
        }
    }
}

/// Parses a router advertisement (RFC 4861, section 4.2).
fn advertised(message: &[u8]) -> Option<Advertised> {
    match message {
        [ROUTER_ADVERTISEMENT, 0, _, _, _, flags, high, low, ..] if message.len() >= 16 => Some(Advertised {
            managed: flags & 0x80 != 0,
            lifetime: u16::from_be_bytes([*high, *low]),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_model::Timestamp;

    const ID: [u8; 3] = [1, 2, 3];

    #[test]
    fn only_a_servers_answer_to_us_counts() {
        let advertise = [2, 1, 2, 3, 0, 2, 0, 2, 9, 9, 0, 7, 0, 1, 255];
        assert_eq!(answer(&advertise, ID), Some(Some(255)));
        assert_eq!(answer(&[7, 1, 2, 3, 0, 2, 0, 1, 9], ID), Some(None));
        assert_eq!(answer(&advertise, [9, 9, 9]), None, "another transaction");
        assert_eq!(answer(&[2, 1, 2, 3], ID), None, "no server");
        assert_eq!(answer(&[2, 1, 2, 3, 0, 2, 0, 9, 9], ID), None, "cut");
        assert_eq!(answer(&[1, 1, 2], ID), None);
    }

    fn event(kind: EventKind, link: &str, detail: &str) -> Event {
        Event {
            id: 1,
            at: Timestamp(1_800_000_000_000),
            kind,
            link: Some(link.to_owned()),
            client: None,
            instance: None,
            host: None,
            service: None,
            leased: None,
            detail: Some(detail.to_owned()),
            by: None,
        }
    }

    #[test]
    fn what_the_daemon_observed_is_told_where_nobody_answers_the_check() {
        let seen = [
            event(EventKind::OtherServer, "br0", "a server"),
            event(EventKind::OtherServer, "br1", "another link's"),
            event(EventKind::OtherRouter, "br0", "a router"),
        ];
        let servers = observed(&seen, "br0", EventKind::OtherServer);
        assert_eq!(servers.len(), 1);
        let found = of_servers("br0", Ok(BTreeMap::new()), &servers);
        assert!(!found.ok && found.detail.ends_with("Z: a server"), "{}", found.detail);
        let refused = || Err(io::Error::from(io::ErrorKind::AddrInUse));
        assert!(!of_servers("br0", refused(), &servers).ok);
        let found = of_routers(
            "br0",
            Ok(BTreeMap::new()),
            &observed(&seen, "br0", EventKind::OtherRouter),
        );
        assert!(!found.ok && found.detail.contains(": a router"), "{}", found.detail);
        let nothing = observed(&seen, "br1", EventKind::OtherRouter);
        let found = of_routers("br1", Ok(BTreeMap::new()), &nothing);
        assert_eq!((found.ok, found.detail.as_str()), (true, "none advertises"));
        assert!(
            of_servers("br1", refused(), &nothing).ok,
            "a client has the port, and that is no fault"
        );
    }

    #[test]
    fn what_is_asked_is_well_formed() {
        let solicit = request(SOLICIT, ID, Some([2, 0, 0, 0, 0, 7]));
        assert_eq!(solicit.len(), 4 + 14 + 6 + 16);
        assert_eq!(solicit[..8], [1, 1, 2, 3, 0, 1, 0, 10]);
        assert_eq!(request(INFORMATION_REQUEST, ID, None).len(), 4 + 14 + 6);
    }

    #[test]
    fn a_router_is_told_with_what_it_says() {
        let mut message = [134, 0, 0, 0, 64, 0x80, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
        let router = advertised(&message).unwrap();
        assert_eq!(
            router.to_string(),
            "tells clients to use DHCPv6, default router for 1800 s"
        );
        message[5..8].fill(0);
        let router = advertised(&message).unwrap();
        assert_eq!(
            router.to_string(),
            "does not tell clients to use DHCPv6, no default router"
        );
        assert_eq!(advertised(&message[..15]), None);
    }
}
