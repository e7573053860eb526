//! Sockets, as the host and as the model know them.

use orchestrator_host::{Protocol, Traffic};
use orchestrator_model::{Ports, Transport};

/// The ports as the host knows them.
pub(crate) fn traffic(ports: &Ports) -> Traffic {
    Traffic {
        protocol: match ports.transport() {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
        },
        first: ports.first(),
        last: ports.last(),
    }
}

/// The ports as the model knows them; `None` if there is none.
pub(crate) fn ports(traffic: Traffic) -> Option<Ports> {
    let transport = match traffic.protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
    };
    Ports::new(transport, traffic.first.max(1), traffic.last)
}
