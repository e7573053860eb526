//! Packets flow where they shall, and nowhere else.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_network::{AttachmentPlan, Network};

use crate::support::{Instance, attachment_plan, bridge_plan, daemon};

/// How long a connection may take to be made, or must fail to be made.
const PATIENCE: Duration = Duration::from_secs(2);

/// An instance with an attachment and a TCP service.
struct Service {
    instance: Instance,
    listener: TcpListener,
    address: SocketAddr,
}

impl Service {
    async fn start(network: &Network, number: u16, isolated: bool) -> Result<Self> {
        let instance = Instance::start()?;
        let plan = AttachmentPlan {
            isolated,
            ..attachment_plan(number)
        };
        network.ensure_attachment(&plan, &instance.netns).await?;
        // Bound at once: the address is not tentative.
        let address = SocketAddr::from((plan.address.context("an address")?.addr(), 80));
        let listener = instance.run(move || TcpListener::bind(address))?;
        Ok(Self {
            instance,
            listener,
            address,
        })
    }

    /// Whether the service answers to a client in the calling thread's namespace.
    fn answers(&self, client: TcpStream) -> Result<Ipv6Addr> {
        let (mut served, from) = self.listener.accept()?;
        served.write_all(b"hello")?;
        drop(served);
        let mut said = String::new();
        { client }.read_to_string(&mut said)?;
        assert_eq!(said, "hello");
        match from {
            SocketAddr::V6(from) => Ok(*from.ip()),
            SocketAddr::V4(from) => anyhow::bail!("from {from}"),
        }
    }
}

#[test]
fn from_the_bridge_to_an_instance() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        for (number, isolated) in [(1, false), (2, true)] {
            let service = Service::start(&network, number, isolated).await?;
            let client = TcpStream::connect_timeout(&service.address, PATIENCE)?;
            let from = service.answers(client)?;
            assert_eq!(from, "fd39:9706:2786:6333::1".parse::<Ipv6Addr>()?);
        }
        Ok(())
    })
}

#[test]
fn between_instances_unless_both_are_isolated() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        let open = Service::start(&network, 1, false).await?;
        let one = Service::start(&network, 2, true).await?;
        let other = Service::start(&network, 3, true).await?;
        let connect = |from: &Service, to: &Service| {
            let address = to.address;
            from.instance
                .run(move || TcpStream::connect_timeout(&address, PATIENCE))
        };
        for (from, to) in [(&open, &one), (&one, &open), (&open, &other)] {
            to.answers(connect(from, to)?)?;
        }
        for (from, to) in [(&one, &other), (&other, &one)] {
            let error = connect(from, to)
                .err()
                .context("isolated instances reached one another")?;
            // No neighbour answers there, so the kernel gives up in either way.
            assert!(
                matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::HostUnreachable),
                "{error}"
            );
        }
        Ok(())
    })
}

#[test]
fn an_instance_answers_by_its_gateway() -> Result<()> {
    daemon(|network| async move {
        network.ensure_bridge(&bridge_plan("br0")).await?;
        crate::support::ip("link set lo up")?;
        crate::support::ip("addr add fd00:1::1/128 dev lo nodad")?;
        let service = Service::start(&network, 1, true).await?;
        // From an address that only the default route leads back to.
        let client = socket_from("fd00:1::1".parse()?, service.address)?;
        assert_eq!(service.answers(client)?, "fd00:1::1".parse::<Ipv6Addr>()?);
        Ok(())
    })
}

/// Connects from a given source address.
fn socket_from(source: Ipv6Addr, to: SocketAddr) -> Result<TcpStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, bind, connect, socket};
    use std::os::fd::AsRawFd;

    let socket = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let SocketAddr::V6(to) = to else { anyhow::bail!("{to}") };
    bind(
        socket.as_raw_fd(),
        &SockaddrIn6::from(std::net::SocketAddrV6::new(source, 0, 0, 0)),
    )?;
    connect(socket.as_raw_fd(), &SockaddrIn6::from(to))?;
    Ok(socket.into())
}
