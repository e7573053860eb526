//! Where DHCPv6 messages come from: the port and the link-layer address, whatever a client claims.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;
use orchestrator_network::{Network, OriginLog};
use socket2::{Domain, Protocol, Socket, Type};

use crate::support::{Instance, bridge_plan, daemon, eventually, ip, link};

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

/// Port, last byte of the link-layer address, source and message.
type Logged = (String, u8, Ipv6Addr, Vec<u8>);

/// What is in the log.
fn logged(log: &OriginLog) -> Result<Vec<Logged>> {
    let mut all = Vec::new();
    let bridge = if_nametoindex("br0")?;
    log.receive(|record| {
        assert_eq!(record.bridge, bridge);
        let port = nix::net::if_::if_indextoname(record.port).expect("the port is there");
        all.push((
            port.to_string_lossy().into_owned(),
            record.link_layer[5],
            record.source,
            record.message.to_vec(),
        ));
    })?;
    Ok(all)
}

async fn bridge(network: &Network) -> Result<()> {
    network.ensure_bridge(&bridge_plan("br0")).await?;
    Ok(())
}

#[test]
fn a_message_that_was_read_has_its_port_and_link_layer_address_in_the_log() -> Result<()> {
    daemon(|network| async move {
        bridge(&network).await?;
        let (one, two) = (client(1, "fe80::1").await?, client(2, "fe80::2").await?);
        let (log, server) = (network.log_origins("test").await?, server()?);
        let mut room = [0; 1500];
        send(&one, "fe80::1", b"solicit of one", 1)?;
        // As soon as the message can be read, so can its record.
        server.recv(&mut room)?;
        let from_one = ("p1".to_owned(), 1, "fe80::1".parse()?, b"solicit of one".to_vec());
        assert_eq!(logged(&log)?, [from_one]);
        // One machine says what another said, from its address: the port is its own.
        two.ip("address add fe80::1/64 dev eth0 nodad")?;
        send(&two, "fe80::1", b"solicit of one", 1)?;
        server.recv(&mut room)?;
        let forged = ("p2".to_owned(), 2, "fe80::1".parse()?, b"solicit of one".to_vec());
        assert_eq!(logged(&log)?, [forged]);
        // A client may send from a global address. What is no message at all is logged as well.
        two.ip("address add fd39::2/64 dev eth0 nodad")?;
        send(&two, "fd39::2", b"from a global address", 1)?;
        send(&two, "fe80::2", b"", 1)?;
        server.recv(&mut room)?;
        server.recv(&mut room)?;
        let global = (
            "p2".to_owned(),
            2,
            "fd39::2".parse()?,
            b"from a global address".to_vec(),
        );
        let empty = ("p2".to_owned(), 2, "fe80::2".parse()?, Vec::new());
        assert_eq!(logged(&log)?, [global, empty]);
        Ok(())
    })
}

#[test]
fn a_flood_is_delivered_and_logged_only_in_part() -> Result<()> {
    daemon(|network| async move {
        bridge(&network).await?;
        let one = client(1, "fe80::1").await?;
        let (log, server) = (network.log_origins("test").await?, server()?);
        const FLOOD: usize = 8_000;
        const BATCH: usize = 50;
        let mut room = [0; 1500];
        for _ in 0..FLOOD / BATCH {
            send(&one, "fe80::1", b"solicit", BATCH)?;
            for _ in 0..BATCH {
                server.recv(&mut room).context("the log costs no message")?;
            }
        }
        let mut records = 0;
        loop {
            let received = log.receive(|_| {})?;
            records += received.records;
            if received.records == 0 && !received.lost {
                break;
            }
        }
        assert!(records > 0 && records < FLOOD, "{records} records");
        Ok(())
    })
}

#[test]
fn a_flood_on_one_port_costs_another_port_no_record() -> Result<()> {
    daemon(|network| async move {
        bridge(&network).await?;
        let (one, two) = (client(1, "fe80::1").await?, client(2, "fe80::2").await?);
        let (log, server) = (network.log_origins("test").await?, server()?);
        const FLOOD: usize = 4_000;
        const BATCH: usize = 50;
        let mut room = [0; 1500];
        let mut from_two = 0;
        for _ in 0..FLOOD / BATCH {
            send(&one, "fe80::1", b"solicit", BATCH)?;
            send(&two, "fe80::2", b"solicit", 1)?;
            for _ in 0..=BATCH {
                server.recv(&mut room).context("the log costs no message")?;
            }
            from_two += logged(&log)?.iter().filter(|(port, ..)| port == "p2").count();
        }
        assert_eq!(from_two, FLOOD / BATCH);
        Ok(())
    })
}

#[test]
fn two_logs_have_a_group_each_and_take_their_tables_with_them() -> Result<()> {
    daemon(|network| async move {
        bridge(&network).await?;
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
