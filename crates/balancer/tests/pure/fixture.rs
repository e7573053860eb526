//! Endpoints and certificates for the tests.

use std::net::Ipv6Addr;
use std::sync::Arc;

use orchestrator_balancer::{Material, Pem};
use orchestrator_model::{
    Endpoint, EndpointState, Endpoints, HostId, Id, InstanceId, Route, RouteTls, ServiceEndpoints, ServicePort, Slot,
    Transport,
};

pub(crate) fn id(number: u8) -> InstanceId {
    Id::from_bytes([number; 6])
}

/// A service with one port `http`, these routes, and these instances.
pub(crate) fn service(routes: &[(&str, &str)], members: &[(u8, EndpointState)]) -> ServiceEndpoints {
    let route = |(host, path): &(&str, &str)| Route {
        host: (*host).to_owned(),
        path: (*path).to_owned(),
        port: "http".to_owned(),
        tls: None,
    };
    let port = ServicePort {
        number: 8080,
        transport: Transport::Tcp,
    };
    let member = |(number, state): &(u8, EndpointState)| {
        let endpoint = Endpoint {
            instance: id(*number),
            version: 1,
            address: Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, u16::from(*number)),
            network: "br0".to_owned(),
            host: HostId::local(),
            state: *state,
            ports: Arc::new([("http".to_owned(), port)].into()),
        };
        (Slot::numbered(u32::from(*number)), endpoint)
    };
    ServiceEndpoints {
        ports: [("http".to_owned(), port)].into(),
        routes: routes.iter().map(route).collect(),
        members: members.iter().map(member).collect(),
        ..ServiceEndpoints::default()
    }
}

pub(crate) fn endpoints(services: &[(&str, ServiceEndpoints)]) -> Endpoints {
    let each = services.iter();
    Endpoints {
        index: 7,
        services: each
            .map(|(name, service)| ((*name).to_owned(), Arc::new(service.clone())))
            .collect(),
    }
}

/// Has all routes of a service encrypted.
pub(crate) fn encrypted(mut service: ServiceEndpoints) -> ServiceEndpoints {
    for route in &mut service.routes {
        route.tls = Some(RouteTls::OwnCa);
    }
    service
}

/// Something that has the form of a certificate with its key.
pub(crate) fn pem(content: &str) -> Pem {
    let block = |label: &str| format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n");
    Pem::new(&block("CERTIFICATE"), &block("PRIVATE KEY")).unwrap()
}

pub(crate) fn certificate_for(hosts: &[&str]) -> Material {
    let each = hosts.iter().map(|host| (host.parse().unwrap(), pem("QUJD")));
    Material {
        certificates: each.collect(),
        ..Material::default()
    }
}
