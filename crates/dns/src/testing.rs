//! A site's names for tests.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_model::{
    Endpoint, EndpointState, Endpoints, HostId, Id, ServiceEndpoints, ServicePort, Slot, Timestamp, Transport,
};

use crate::{Book, ClientName, Directory, InstanceName, Origins, ReverseZone};

pub(crate) fn origins() -> Origins {
    let origins = Origins::new("home.arpa", &["service.consul".to_owned()], Duration::from_secs(5)).unwrap();
    Origins {
        reverse: ReverseZone::new("fd39::/64".parse().unwrap()).into_iter().collect(),
        servers: vec!["fd39::53".parse().unwrap()],
        ..origins
    }
}

pub(crate) fn id(number: u8) -> Id {
    Id::from_bytes([0, 0, 0, 0, 0, number])
}

/// The address `fd39::` with this end.
pub(crate) fn address(end: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, end)
}

/// The service `web` with so many instances that serve.
pub(crate) fn endpoints(instances: u16) -> Endpoints {
    let port = |number, transport| ServicePort { number, transport };
    let ports = BTreeMap::from([
        ("http".to_owned(), port(8080, Transport::Tcp)),
        ("dns".to_owned(), port(53, Transport::Udp)),
        ("no_label".to_owned(), port(7, Transport::Tcp)),
    ]);
    let member = |number: u16| Endpoint {
        instance: Id::from_bytes([1, 0, 0, 0, number.to_be_bytes()[0], number.to_be_bytes()[1]]),
        version: 3,
        address: address(0x100 + number),
        network: "br0".to_owned(),
        host: HostId::local(),
        state: EndpointState::Serving,
        ports: Arc::new(ports.clone()),
    };
    let service = ServiceEndpoints {
        ports: ports.clone(),
        members: (0..instances)
            .map(|number| (Slot::numbered(number.into()), member(number)))
            .collect(),
        ..ServiceEndpoints::default()
    };
    Endpoints {
        index: 7,
        services: BTreeMap::from([("web".to_owned(), Arc::new(service))]),
    }
}

pub(crate) fn instance(number: u8, slot: &str, end: u16) -> InstanceName {
    InstanceName {
        id: id(number),
        slot: slot.parse().ok(),
        addresses: vec![address(end), address(end + 0x1000)],
        about: vec!["template=web".to_owned(), String::new(), "x".repeat(256)],
    }
}

pub(crate) fn client(claimed: &str, since: i64, end: u16) -> ClientName {
    ClientName {
        claimed: claimed.parse().ok(),
        since: Timestamp(since),
        addresses: vec![address(end)],
        instances: Vec::new(),
    }
}

/// A directory with the service `web` alone.
pub(crate) fn directory(instances: u16) -> Directory {
    let mut book = Book::new(origins());
    book.set_endpoints(&Arc::new(endpoints(instances)));
    book.directory(42)
}
