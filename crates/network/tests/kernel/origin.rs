//! Where DHCPv6 messages come from: the port and the link-layer address, whatever a client claims.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
use orchestrator_network::{Network, OriginLog};
use orchestrator_wire::packet::{self, Ends, group_mac};
use socket2::{Domain, Protocol, Socket, Type};

use crate::support::{Instance, bridge_plan, daemon, eventually, ip, link, nft};

const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// A client's machine: its namespace, on a port of `br0` of this name, with this link-local address.
async fn client(number: u8, link_local: &str) -> Result<Instance> {
    let machine = Instance::start()?;
    let port = format!("p{number}");
    ip(&format!(
        "link add {port} type veth peer name eth0 address 02:00:00:00:00:0{number} netns {}",
        machine.netns.to_str().context("a path")?
    ))
    .or_else(|_| {
        // Where iproute2 takes no path of a namespace, it takes a thread.
        let thread = machine
            .netns
            .iter()
            .nth(4)
            .and_then(|id| id.to_str())
            .context("a thread")?;
        ip(&format!(
            "link add {port} type veth peer name eth0 address 02:00:00:00:00:0{number} netns {thread}"
        ))
    })?;
    ip(&format!("link set {port} master br0 up"))?;
    machine.set_sysctl("net/ipv6/conf/eth0/addr_gen_mode", "1");
    machine.set_sysctl("net/ipv6/conf/eth0/accept_dad", "0");
    machine.ip("link set eth0 up")?;
    machine.ip(&format!("address add {link_local}/64 dev eth0 nodad"))?;
    // The kernel drops what is sent before.
    eventually("the port to forward, and the client to send", || {
        let forwards = link(&port)?["linkinfo"]["info_slave_data"]["state"] == "forwarding";
        Ok(forwards && machine.ip("link show dev eth0")?[0]["operstate"] == "UP")
    })
    .await?;
    Ok(machine)
}

/// Sends as a DHCPv6 client does, as often as that.
fn send(machine: &Instance, from: &str, message: &'static [u8], times: usize) -> Result<()> {
    let from: Ipv6Addr = from.parse()?;
    machine.run(move || -> Result<()> {
        let eth0 = if_nametoindex("eth0")?;
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        // A process that another test starts holds a copy of the socket before for a moment.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV6::new(from, 546, 0, eth0).into())?;
        for _ in 0..times {
            socket.send_to(message, &SocketAddrV6::new(GROUP, 547, 0, eth0).into())?;
        }
        Ok(())
    })
}

/// The server's socket, as the listener opens it.
fn server() -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(b"br0"))?;
    socket.set_recv_buffer_size(4 * 1024 * 1024)?;
    socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 547, 0, 0).into())?;
    socket.join_multicast_v6(&GROUP, if_nametoindex("br0")?)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(socket.into())
}

/// Port, link-layer address and source.
type Logged = (String, [u8; 6], Ipv6Addr);

/// What is in the log, and the mark of each.
fn logged(log: &OriginLog) -> Result<Vec<(NonZeroU32, Logged)>> {
    let mut all = Vec::new();
    let bridge = if_nametoindex("br0")?;
    log.receive(|record| {
        assert_eq!(record.bridge, bridge);
        let port = nix::net::if_::if_indextoname(record.port).expect("the port is there");
        let mark = record.mark.expect("a client's message is marked");
        let place = (port.to_string_lossy().into_owned(), record.link_layer, record.source);
        all.push((mark, place));
    })?;
    Ok(all)
}

/// The origin of a client's machine.
fn origin(number: u8, source: &str) -> Result<Logged> {
    Ok((format!("p{number}"), [2, 0, 0, 0, 0, number], source.parse()?))
}

async fn make_bridge(network: &Network) -> Result<()> {
    network.ensure_bridge(&bridge_plan("br0")).await?;
    Ok(())
}

#[test]
fn a_message_that_was_read_has_a_mark_whose_port_and_link_layer_address_are_in_the_log() -> Result<()> {
    daemon(|network| async move {
        make_bridge(&network).await?;
        let (one, two) = (client(1, "fe80::1").await?, client(2, "fe80::2").await?);
        let (log, server) = (network.log_origins("test").await?, server()?);
        let mut room = [0; 1500];
        send(&one, "fe80::1", b"solicit of one", 1)?;
        // As soon as the message can be read, so can its record.
        server.recv(&mut room)?;
        let [(mark, from_one)] = <[_; 1]>::try_from(logged(&log)?).expect("one record");
        assert_eq!(from_one, origin(1, "fe80::1")?);
        // The packet has the mark when it leaves the bridge, and is not logged again.
        nft("add table ip6 seen")?;
        nft("add chain ip6 seen input { type filter hook input priority 0; }")?;
        nft(&format!("add rule ip6 seen input meta mark {mark} counter"))?;
        send(&one, "fe80::1", b"request of one", 1)?;
        server.recv(&mut room)?;
        assert_eq!(logged(&log)?, []);
        assert!(nft("list chain ip6 seen input")?.contains("packets 1 "));
        // One machine says what another said, from its address: the port is its own, and so is the mark.
        two.ip("address add fe80::1/64 dev eth0 nodad")?;
        send(&two, "fe80::1", b"request of one", 1)?;
        server.recv(&mut room)?;
        let [(other, forged)] = <[_; 1]>::try_from(logged(&log)?).expect("one record");
        assert_eq!(forged, origin(2, "fe80::1")?);
        assert_ne!(other, mark);
        assert!(nft("list chain ip6 seen input")?.contains("packets 1 "));
        Ok(())
    })
}

#[test]
fn what_a_client_sends_from_a_global_address_is_marked_and_what_is_no_message_too() -> Result<()> {
    daemon(|network| async move {
        make_bridge(&network).await?;
        let one = client(1, "fe80::1").await?;
        one.ip("address add fd39::2/64 dev eth0 nodad")?;
        for (source, message) in [("fd39::2", &b"from a global address"[..]), ("fe80::1", b"")] {
            let (log, server) = (network.log_origins("test").await?, server()?);
            send(&one, source, message, 1)?;
            server.recv(&mut [0; 1500])?;
            let places: Vec<Logged> = logged(&log)?.into_iter().map(|(_, place)| place).collect();
            assert_eq!(places, [origin(1, source)?]);
        }
        Ok(())
    })
}

/// Batches in which a flood is sent, so that it fits into the server's buffer.
const BATCH: usize = 50;

#[test]
fn a_flood_from_one_link_layer_address_costs_one_record() -> Result<()> {
    daemon(|network| async move {
        make_bridge(&network).await?;
        let one = client(1, "fe80::1").await?;
        let (log, server) = (network.log_origins("test").await?, server()?);
        let mut records = 0;
        let begun = Instant::now();
        for _ in 0..40 {
            send(&one, "fe80::1", b"solicit", BATCH)?;
            for _ in 0..BATCH {
                server.recv(&mut [0; 1500]).context("the log costs no message")?;
            }
            records += logged(&log)?.len();
        }
        // A mark is logged again after five seconds.
        let most = 1 + begun.elapsed().as_secs() / 5 + 1;
        assert!(records > 0 && records as u64 <= most, "{records} records");
        Ok(())
    })
}

#[test]
fn a_flood_of_link_layer_addresses_is_logged_only_in_part_and_costs_another_port_no_record() -> Result<()> {
    daemon(|network| async move {
        make_bridge(&network).await?;
        let (one, two) = (client(1, "fe80::1").await?, client(2, "fe80::2").await?);
        let (log, server) = (network.log_origins("test").await?, server()?);
        const FLOOD: usize = 8_000;
        let (mut from_one, mut from_two) = (0, 0);
        for batch in 0..FLOOD / BATCH {
            let frames = (0..BATCH).map(|n| frame(u32::try_from(batch * BATCH + n).expect("it is small")));
            send_frames(&one, frames.collect())?;
            for _ in 0..BATCH {
                server.recv(&mut [0; 1500]).context("the log costs no message")?;
            }
            if batch == FLOOD / BATCH - 1 {
                send(&two, "fe80::2", b"solicit", 1)?;
                server.recv(&mut [0; 1500])?;
            }
            for (_, (port, ..)) in logged(&log)? {
                match port.as_str() {
                    "p1" => from_one += 1,
                    _ => from_two += 1,
                }
            }
        }
        assert!(from_one > 0 && from_one < FLOOD, "{from_one} records");
        assert_eq!(from_two, 1);
        Ok(())
    })
}

/// A DHCPv6 message in a frame from a link-layer address of this number.
fn frame(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    let ends = Ends {
        from_mac: [2, 1, a, b, c, d],
        to_mac: group_mac(GROUP),
        from: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
        to: GROUP,
    };
    packet::udp(ends, (546, 547), b"solicit")
}

/// Sends frames as they are.
fn send_frames(machine: &Instance, frames: Vec<Vec<u8>>) -> Result<()> {
    machine.run(move || -> Result<()> {
        let found = getifaddrs()?.filter(|found| found.interface_name == "eth0");
        let eth0 = found.filter_map(|found| Some(*found.address?.as_link_addr()?)).next();
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )?;
        bind(socket.as_raw_fd(), &eth0.context("an interface")?)?;
        for frame in frames {
            nix::unistd::write(&socket, &frame)?;
        }
        Ok(())
    })
}

#[test]
fn two_logs_have_a_group_each_and_take_their_tables_with_them() -> Result<()> {
    daemon(|network| async move {
        make_bridge(&network).await?;
        let one = client(1, "fe80::1").await?;
        let (first, second, server) = (
            network.log_origins("first").await?,
            network.log_origins("second").await?,
            server()?,
        );
        let again = network.log_origins("first").await;
        assert!(again.is_err(), "the table of another daemon is not taken over");
        send(&one, "fe80::1", b"solicit", 1)?;
        server.recv(&mut [0; 1500])?;
        assert_eq!((logged(&first)?.len(), logged(&second)?.len()), (1, 1));
        drop(first);
        // The kernel has removed the table, so that its name is free.
        let first = network.log_origins("first").await?;
        send(&one, "fe80::1", b"solicit", 1)?;
        server.recv(&mut [0; 1500])?;
        assert_eq!((logged(&first)?.len(), logged(&second)?.len()), (1, 1));
        Ok(())
    })
}
