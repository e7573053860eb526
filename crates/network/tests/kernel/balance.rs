//! Connections to a virtual address: where they go, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_network::{AttachmentPlan, Balance, BridgePlan, Network, VirtualService};

use crate::support::{Instance, attachment_plan, bridge_plan, daemon, nft};

const PATIENCE: Duration = Duration::from_secs(5);
const VIRTUAL: &str = "fd39:9706:2786:6333::aa";

/// An instance that says its number and its client's address on TCP port 80, and repeats what comes to UDP port 53.
struct Server {
    instance: Arc<Instance>,
    address: Ipv6Addr,
    stop: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    async fn start(network: &Network, number: u16) -> Result<Self> {
        let instance = Arc::new(Instance::start()?);
        let plan = single(number);
        network.ensure_attachment(&plan, &instance.netns).await?;
        let address = plan.address.context("an address")?.addr();
        let (listener, echo) = instance.run(move || (TcpListener::bind((address, 80)), UdpSocket::bind((address, 53))));
        let (listener, echo) = (listener?, echo?);
        let stop = Arc::new(AtomicBool::new(false));
        let ends = stop.clone();
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((length, from)) = echo.recv_from(&mut buffer) {
                let _lost = echo.send_to(format!("{number} {}", length).as_bytes(), from);
            }
        });
        let serving = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                thread::spawn(move || serve(stream, number));
            }
        });
        Ok(Self {
            instance,
            address,
            stop,
            serving: Some(serving),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let address = SocketAddr::from((self.address, 80));
        // It waits for a connection: from within, nothing is in the way.
        let _woken = self
            .instance
            .run(move || TcpStream::connect_timeout(&address, PATIENCE));
        if let Some(serving) = self.serving.take() {
            serving.join().expect("it ends");
        }
    }
}

/// Says who it is, and repeats what comes.
fn serve(mut stream: TcpStream, number: u16) {
    let Ok(from) = stream.peer_addr() else { return };
    let _lost = stream.write_all(format!("{number} {}\n", from.ip()).as_bytes());
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

/// An attachment whose address is alone, so that its answers come through this machine.
fn single(number: u16) -> AttachmentPlan {
    let plan = attachment_plan(number);
    let address = plan.address.map(|address| ipnet::Ipv6Net::from(address.addr()));
    AttachmentPlan { address, ..plan }
}

/// A bridge that answers for the virtual address, and a client on it.
async fn stage(network: &Network) -> Result<Instance> {
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1")?;
    let plan = BridgePlan {
        services: vec![VIRTUAL.parse()?],
        ..bridge_plan("br0")
    };
    network.ensure_bridge(&plan).await?;
    let client = Instance::start()?;
    // With the whole prefix on its interface, as clients have it.
    network.ensure_attachment(&attachment_plan(0xc), &client.netns).await?;
    Ok(client)
}

fn service(servers: &[&Server]) -> BTreeSet<VirtualService> {
    let of = |protocol, port, backend: u16| VirtualService {
        address: VIRTUAL.parse().expect("an address"),
        protocol,
        port,
        sticky: false,
        backends: servers.iter().map(|server| (server.address, backend)).collect(),
    };
    [of(6, 8080, 80), of(17, 53, 53)].into()
}

/// Connects to the virtual address, and returns what the instance says of itself and of its client.
fn connect(client: &Instance) -> std::io::Result<(TcpStream, String)> {
    client.run(|| {
        let to = SocketAddr::new(VIRTUAL.parse().expect("an address"), 8080);
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut said = String::new();
        while !said.ends_with('\n') {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            said.push(char::from(byte[0]));
        }
        Ok((stream, said.trim().to_owned()))
    })
}

/// Whether a connection still works.
fn echoes(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

async fn ensure(balance: &Balance, servers: &[&Server]) -> Result<usize> {
    Ok(balance.ensure(&service(servers)).await?.elements)
}

#[test]
fn connections_are_spread_and_the_clients_address_is_kept() -> Result<()> {
    daemon(|network| async move {
        let client = stage(&network).await?;
        let servers = [Server::start(&network, 1).await?, Server::start(&network, 2).await?];
        let balance = network.balance("a1").await?;
        ensure(&balance, &[&servers[0], &servers[1]]).await?;
        let mut counts = BTreeMap::new();
        for _ in 0..200 {
            let (_stream, said) = connect(&client)?;
            let (number, from) = said.split_once(' ').context("a number and an address")?;
            assert_eq!(from, "fd39:9706:2786:6333::2:c");
            *counts.entry(number.to_owned()).or_insert(0) += 1;
        }
        assert!(counts["1"] > 50 && counts["2"] > 50, "{counts:?}");
        assert_eq!(ensure(&balance, &[&servers[0], &servers[1]]).await?, 0);
        Ok(())
    })
}

#[test]
fn what_drains_keeps_its_connections_and_gets_no_other() -> Result<()> {
    daemon(|network| async move {
        let client = stage(&network).await?;
        let (old, new) = (Server::start(&network, 1).await?, Server::start(&network, 2).await?);
        let balance = network.balance("a1").await?;
        ensure(&balance, &[&old]).await?;
        let (mut kept, said) = connect(&client)?;
        assert!(said.starts_with("1 "));
        ensure(&balance, &[&old, &new]).await?;
        ensure(&balance, &[&new]).await?;
        for _ in 0..20 {
            assert!(connect(&client)?.1.starts_with("2 "));
        }
        echoes(&mut kept)?;
        let services = service(&[&new]);
        let count = async || anyhow::Ok(balance.connections(&services).await?.get(&old.address).copied());
        assert_eq!(count().await?, Some(1));
        // What is still there is not forgotten.
        balance.forget(&services, [old.address, new.address].into()).await?;
        echoes(&mut kept)?;
        kept.shutdown(std::net::Shutdown::Both)?;
        let until = std::time::Instant::now() + PATIENCE;
        while count().await?.is_some() {
            assert!(std::time::Instant::now() < until, "it counts what is closed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    })
}

#[test]
fn a_connection_to_an_instance_that_is_gone_is_reset_and_datagrams_go_elsewhere() -> Result<()> {
    daemon(|network| async move {
        let client = stage(&network).await?;
        let (old, new) = (Server::start(&network, 1).await?, Server::start(&network, 2).await?);
        let balance = network.balance("a1").await?;
        ensure(&balance, &[&old]).await?;
        let (mut kept, _) = connect(&client)?;
        let socket = client.run(|| UdpSocket::bind("[::]:0"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let ask = || -> Result<String> {
            let mut buffer = [0; 64];
            socket.send_to(b"abc", (VIRTUAL, 53))?;
            let (length, _) = socket.recv_from(&mut buffer)?;
            Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        assert_eq!(ask()?, "1 3");
        ensure(&balance, &[&new]).await?;
        assert_eq!(ask()?, "1 3", "the same socket is the same connection to conntrack");
        assert!(balance.forget(&service(&[&new]), [new.address].into()).await? >= 2);
        assert_eq!(ask()?, "2 3");
        assert_eq!(echoes(&mut kept).unwrap_err().kind(), ErrorKind::ConnectionReset);
        Ok(())
    })
}

#[test]
fn a_virtual_address_refuses_what_nothing_serves() -> Result<()> {
    daemon(|network| async move {
        let client = stage(&network).await?;
        // A service of the machine itself, on every address.
        let _own = TcpListener::bind("[::]:8080")?;
        let _other = TcpListener::bind("[::]:22")?;
        let balance = network.balance("a1").await?;
        ensure(&balance, &[]).await?;
        for port in [8080, 22] {
            let refused = client.run(move || {
                let to = SocketAddr::new(VIRTUAL.parse().expect("an address"), port);
                TcpStream::connect_timeout(&to, PATIENCE).map(drop)
            });
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        Ok(())
    })
}

#[test]
fn rules_that_somebody_removed_are_made_again_and_connections_stay() -> Result<()> {
    daemon(|network| async move {
        let client = stage(&network).await?;
        let server = Server::start(&network, 1).await?;
        let balance = network.balance("a1").await?;
        ensure(&balance, &[&server]).await?;
        let (mut kept, _) = connect(&client)?;
        nft("flush ruleset")?;
        assert!(balance.ensure(&service(&[&server])).await?.loaded);
        echoes(&mut kept)?;
        connect(&client)?;
        nft("flush map inet orchestrator-balance-a1 spread")?;
        assert!(ensure(&balance, &[&server]).await? >= 256);
        connect(&client)?;
        // nft prints the table, so that operators can look at all rules.
        assert!(nft("list ruleset")?.contains("map spread"));
        assert_eq!(balance.ensure(&BTreeSet::new()).await?.elements, 1);
        assert_eq!(nft("list tables")?, "");
        Ok(())
    })
}

#[test]
fn a_sticky_service_leads_a_client_to_one_instance() -> Result<()> {
    daemon(|network| async move {
        let client = stage(&network).await?;
        let servers = [Server::start(&network, 1).await?, Server::start(&network, 2).await?];
        let balance = network.balance("a1").await?;
        let sticky = |mut service: VirtualService| {
            service.sticky = true;
            service
        };
        let services: BTreeSet<_> = service(&[&servers[0], &servers[1]]).into_iter().map(sticky).collect();
        balance.ensure(&services).await?;
        let first = connect(&client)?.1;
        for _ in 0..30 {
            assert_eq!(connect(&client)?.1, first);
        }
        Ok(())
    })
}

/// The kernel may choose the virtual address as the source of what this machine asks for: on a bridge, it is an address
/// like others.
#[test]
fn what_this_machine_asks_for_from_a_virtual_address_comes_back_to_it() -> Result<()> {
    daemon(|network| async move {
        let _client = stage(&network).await?;
        let one = Server::start(&network, 1).await?;
        let balance = network.balance("aaaaaaaaaaaa").await?;
        ensure(&balance, &[&one]).await?;
        let (from, to) = (VIRTUAL.parse::<Ipv6Addr>()?, one.address);
        let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect_timeout(&SocketAddr::from((to, 80)).into(), PATIENCE)?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut said = [0; 2];
        stream.read_exact(&mut said)?;
        assert_eq!(&said, b"1 ", "the instance says its number");
        Ok(())
    })
}
