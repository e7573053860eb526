//! A host with two bridges; machines on their ports, with a packet socket each.

use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket};
use nix::unistd::gettid;
use orchestrator_host::{Id, LocalHost, LocalSettings, Mark};
use orchestrator_network::{AttachmentPlan, Network};

use orchestrator_wire::packet::{self, Ends, Mac, group_mac};

pub(crate) const SITE: Id = Id::from_bytes([9; 6]);
pub(crate) const HOST_MAC: Mac = [2, 0, 0, 0, 0, 1];

/// A machine of the suite. Each but the host has a port on a bridge, or a link to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A client with an instance, a delegated prefix, and an instance on the other bridge.
    Alice,
    /// Another client with an instance.
    Bob,
    /// A machine that nobody knows.
    Stranger,
    /// Alice's instance, whose template has egress and an open port.
    Instance,
    /// Bob's instance.
    Other,
    /// A router of the operator.
    Router,
    /// A relay agent of the operator.
    Relay,
    /// Alice's instance on the other bridge.
    Far,
    /// A machine of the world.
    World,
    /// The host, as a bridge passes frames up to it.
    Bridge,
    /// A socket of the host.
    Host,
}

pub(crate) const MACHINES: [Who; 9] = [
    Who::Alice,
    Who::Bob,
    Who::Stranger,
    Who::Instance,
    Who::Other,
    Who::Router,
    Who::Relay,
    Who::Far,
    Who::World,
];

impl Who {
    pub(crate) fn port(self) -> &'static str {
        match self {
            Self::Alice => "pa",
            Self::Bob => "pb",
            Self::Stranger => "ps",
            Self::Instance => "or000000000001",
            Self::Other => "or000000000002",
            Self::Router => "pr",
            Self::Relay => "pl",
            Self::Far => "or000000000003",
            Self::World => "w0",
            Self::Bridge | Self::Host => "br0",
        }
    }

    pub(crate) fn mac(self) -> Mac {
        match self {
            Self::Bridge | Self::Host => HOST_MAC,
            _ => [2, 0, 0, 0, 1, self as u8],
        }
    }

    pub(crate) fn address(self) -> Ipv6Addr {
        match self {
            Self::Bridge | Self::Host => "fd39::1".parse().unwrap(),
            Self::World => "fd50::2".parse().unwrap(),
            Self::Far => "fd3a::3".parse().unwrap(),
            _ => Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 1, self as u16),
        }
    }

    pub(crate) fn link_local(self) -> Ipv6Addr {
        orchestrator_network::link_local(self.mac())
    }
}

pub(crate) struct Lab {
    pub(crate) host: LocalHost,
    sockets: Vec<(Who, OwnedFd)>,
    bridge: OwnedFd,
    pub(crate) service: UdpSocket,
    pub(crate) closed: UdpSocket,
}

pub(crate) fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "ip {arguments}: {said}");
    Ok(())
}

fn set(key: &str, value: &str) -> Result<()> {
    std::fs::write(format!("/proc/sys/net/{key}"), value).with_context(|| key.to_owned())
}

/// Runs a test on a fresh thread in a namespace of its own.
pub(crate) fn run<F: Future<Output = Result<()>>>(
    bridges_call: &'static str,
    test: impl FnOnce(Lab) -> F + Send + 'static,
) -> Result<()> {
    run_on(bridges_call, &[], test)
}

/// The same, with some instances on joined bridges: each number is that of a bridge.
pub(crate) fn run_on<F: Future<Output = Result<()>>>(
    bridges_call: &'static str,
    joined: &'static [(Who, usize)],
    test: impl FnOnce(Lab) -> F + Send + 'static,
) -> Result<()> {
    let body = move || -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNET).context("run the tests as root")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        set("bridge/bridge-nf-call-ip6tables", bridges_call)?;
        // What the frames of other protocols hold is no packet that the kernel would check.
        for other in ["iptables", "arptables"] {
            set(&format!("bridge/bridge-nf-call-{other}"), "0")?;
        }
        runtime.block_on(async { test(Lab::new(joined).await?).await })
    };
    thread::spawn(body)
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Lab {
    async fn new(joined: &[(Who, usize)]) -> Result<Self> {
        ip("link set lo up")?;
        for (bridge, address, mac) in [
            ("br0", "fd39::1/64", "02:00:00:00:00:01"),
            ("br1", "fd3a::1/64", "02:00:00:00:00:02"),
        ] {
            ip(&format!(
                "link add {bridge} address {mac} type bridge mcast_snooping 0 forward_delay 0"
            ))?;
            set(&format!("ipv6/conf/{bridge}/accept_dad"), "0")?;
            set(&format!("ipv6/conf/{bridge}/accept_redirects"), "0")?;
            ip(&format!("link set {bridge} up"))?;
            ip(&format!("address add {address} dev {bridge} nodad"))?;
        }
        set("ipv6/conf/all/forwarding", "1")?;
        let network = Network::open()?.joining(1);
        let bridges = match joined {
            [] => Vec::new(),
            _ => join(&network).await?,
        };
        let bridge_of = |who| {
            let number = joined.iter().find(|(one, _)| *one == who).map(|(_, number)| *number);
            let named = number.map(|number| bridges[number].as_str());
            named.unwrap_or(if who == Who::Far { "br1" } else { "br0" })
        };
        let sockets = MACHINES
            .map(|who| Ok((who, machine(who, bridge_of(who))?)))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        ip("address add fd50::1/64 dev w0 nodad")?;
        for who in MACHINES {
            let device = match who {
                Who::World => "w0",
                Who::Far => "br1",
                _ => "br0",
            };
            let mac = text(who.mac());
            ip(&format!(
                "neigh replace {} lladdr {mac} dev {device} nud permanent",
                who.address()
            ))?;
        }
        let service = UdpSocket::bind("[::]:53")?;
        let closed = UdpSocket::bind("[::]:9999")?;
        service.set_nonblocking(true)?;
        closed.set_nonblocking(true)?;
        let host = host(network)?;
        Ok(Self {
            host,
            sockets,
            bridge: packets("br0")?,
            service,
            closed,
        })
    }

    /// The way to the machine of a daemon that has just begun.
    pub(crate) fn another(&self) -> Result<LocalHost> {
        host(Network::open()?)
    }

    fn socket(&self, who: Who) -> &OwnedFd {
        let found = self.sockets.iter().find(|(one, _)| *one == who);
        found.map_or(&self.bridge, |(_, socket)| socket)
    }

    /// Every bridge learns again where each machine is, and what has arrived is forgotten.
    pub(crate) fn begin(&self) -> Result<()> {
        for who in MACHINES {
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
            let ends = Ends {
                from_mac: who.mac(),
                to_mac: group_mac(group),
                from: who.link_local(),
                to: group,
            };
            let report = [&[0, 0, 0, 1, 4, 0, 0, 0][..], &group.octets()].concat();
            self.send(who, &packet::icmp(ends, 143, 1, &report))?;
        }
        for who in MACHINES.into_iter().chain([Who::Bridge, Who::Host]) {
            self.has(who, b"nothing ends like this");
        }
        Ok(())
    }

    pub(crate) fn send(&self, who: Who, frame: &[u8]) -> Result<()> {
        send(self.socket(who).as_raw_fd(), frame, MsgFlags::empty())?;
        Ok(())
    }

    /// Whether something that ends like this has arrived.
    pub(crate) fn has(&self, who: Who, tail: &[u8]) -> bool {
        let mut room = [0; 4096];
        let mut found = false;
        if who == Who::Host {
            for socket in [&self.service, &self.closed] {
                while let Ok(length) = socket.recv(&mut room) {
                    found |= room[..length].ends_with(tail);
                }
            }
            return found;
        }
        while let Ok(length) = recv(self.socket(who).as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
            found |= room[..length].ends_with(tail);
        }
        found
    }

    /// The source address of a packet that ends like this, once it has arrived.
    pub(crate) async fn source_of(&self, who: Who, tail: &[u8], within: Duration) -> Option<Ipv6Addr> {
        let deadline = Instant::now() + within;
        let mut room = [0; 4096];
        while Instant::now() < deadline {
            while let Ok(length) = recv(self.socket(who).as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
                if room[..length].ends_with(tail) {
                    return Some(Ipv6Addr::from(*room[22..].first_chunk::<16>()?));
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        None
    }

    /// Waits until something that ends like this has arrived.
    pub(crate) async fn arrives(&self, who: Who, tail: &[u8], within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if self.has(who, tail) {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Has two bridges joined with each bridge of the lab, by two instances more than it takes. Returns their names: those of
/// `br0` come first.
async fn join(network: &Network) -> Result<Vec<String>> {
    let (report, started) = mpsc::channel();
    let (done, wait) = mpsc::channel::<()>();
    let thread = thread::spawn(move || -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        report.send(gettid())?;
        // Until the other end is dropped.
        let _ended = wait.recv();
        Ok(())
    });
    let tid = started.recv()?;
    for number in 0..6_u8 {
        let plan = AttachmentPlan {
            host_interface: format!("filler{number}"),
            alias: format!("orchestrator:{SITE}:filler"),
            bridge: if number < 3 { "br0" } else { "br1" }.to_owned(),
            interface: format!("e{number}"),
            address: None,
            mac: [2, 0, 0, 0, 9, number],
            gateway: None,
            // So that nothing but the rules keeps them apart.
            isolated: false,
        };
        let netns = format!("/proc/{}/task/{tid}/ns/net", std::process::id());
        network.ensure_attachment(&plan, netns.as_ref()).await?;
    }
    let joined = network.joined_bridges(&format!("orchestrator:{SITE}:")).await?;
    drop(done);
    let ended = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    ended.map(|()| joined.into_iter().map(|joined| joined.name).collect())
}

pub(crate) fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn host(network: Network) -> Result<LocalHost> {
    Ok(LocalHost::new(LocalSettings {
        name: "local".to_owned(),
        engines: Vec::new(),
        network,
        mark: Mark { site: SITE },
        namespaces: "/nonexistent".into(),
        volumes: "/nonexistent".into(),
    }))
}

/// A machine in a namespace of its own that sends nothing by itself. The socket keeps the namespace.
fn machine(who: Who, bridge: &str) -> Result<OwnedFd> {
    let (report, started) = mpsc::channel();
    let (wired, go) = mpsc::channel::<()>();
    let body = move || -> Result<OwnedFd> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        set("ipv6/conf/default/disable_ipv6", "1")?;
        report.send(gettid())?;
        go.recv()?;
        ip("link set eth0 up")?;
        packets("eth0")
    };
    let thread = thread::spawn(body);
    let tid = started.recv()?;
    let (port, mac) = (who.port(), text(who.mac()));
    ip(&format!(
        "link add {port} type veth peer name eth0 address {mac} netns {tid}"
    ))?;
    if who == Who::World {
        set("ipv6/conf/w0/accept_dad", "0")?;
        ip("link set w0 address 02:00:00:00:00:03")?;
    } else {
        set(&format!("ipv6/conf/{port}/disable_ipv6"), "1")?;
        ip(&format!("link set {port} master {bridge}"))?;
    }
    ip(&format!("link set {port} up"))?;
    wired.send(())?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A socket for all frames of an interface.
/// What comes in by an interface.
pub(crate) fn packets(interface: &str) -> Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    let addresses = nix::ifaddrs::getifaddrs()?.filter(|found| found.interface_name == interface);
    let found = addresses
        .filter_map(|found| Some(*found.address?.as_link_addr()?))
        .next();
    // Without a protocol in the address, the kernel keeps that of the socket.
    bind(socket.as_raw_fd(), &found.context("an interface")?)?;
    Ok(socket)
}
