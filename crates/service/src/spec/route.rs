//! `[[route]]` and `[[listen]]`: how a service is reached through balancers and virtual addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_model::{Listen, Route, RouteTls, ServicePort};
use orchestrator_settings::{Entry, Table};

use super::health::parse_path;
use super::name::is_label;
use super::ports;

/// The largest number of routes, and of virtual addresses.
const MOST: usize = 64;

/// Reads all routes; `None` only after a fault.
pub(super) fn read_routes(table: &mut Table<'_>, ports: &BTreeMap<String, ServicePort>) -> Option<Vec<Route>> {
    let Some(entry) = table.take("route") else {
        return Some(Vec::new());
    };
    let routes = entry.list_of(MOST, |entry| read_route(entry, ports))?;
    let mut seen = BTreeSet::new();
    let twice = routes.iter().find(|route| !seen.insert((&route.host, &route.path)));
    if let Some(route) = twice {
        let what = format!("has {}{} twice", route.host, route.path);
        table.fault("route", what, "give each host and path one route");
        return None;
    }
    Some(routes)
}

fn read_route(entry: Entry<'_>, ports: &BTreeMap<String, ServicePort>) -> Option<Route> {
    let mut table = entry.table()?;
    let remedy = "write a host name like \"web.example\" or \"*.example\"";
    let host = table
        .need("host", remedy)
        .and_then(|entry| entry.parse(remedy, parse_host));
    let path = match table.take("path") {
        Some(entry) => entry.parse("write how the path begins, like \"/\" or \"/api\"", parse_prefix),
        None => Some("/".to_owned()),
    };
    let port = ports::read_name(&mut table, ports, true);
    let tls = match table.take("tls") {
        Some(entry) => read_tls(entry).map(Some),
        None => Some(None),
    };
    let is_wildcard = host.as_deref().is_some_and(|host| host.starts_with("*."));
    if is_wildcard && tls == Some(Some(RouteTls::Acme)) {
        table.fault(
            "tls",
            "is \"acme\", which gives no certificate for a wildcard: an authority gives one only for records in DNS \
             (dns-01), which are not supported",
            "take \"own-ca\" or files, or give each name a route of its own",
        );
        return None;
    }
    table.finish();
    Some(Route {
        host: host?,
        path: path?,
        port: port?,
        tls: tls?,
    })
}

fn parse_host(text: &str) -> Result<String, String> {
    let host = text.to_ascii_lowercase();
    let labels = host.strip_prefix("*.").unwrap_or(&host);
    match host.len() <= 253 && labels.split('.').all(is_label) {
        true => Ok(host),
        false => Err(format!("{text:?} is no host name")),
    }
}

fn parse_prefix(text: &str) -> Result<String, String> {
    match text.contains('?') {
        true => Err(format!("{text:?} has a query")),
        false => parse_path(text),
    }
}

fn read_tls(entry: Entry<'_>) -> Option<RouteTls> {
    if !entry.is_table() {
        return match entry.choice(&[("own-ca", false), ("acme", true)])? {
            true => Some(RouteTls::Acme),
            false => Some(RouteTls::OwnCa),
        };
    }
    let mut table = entry.table()?;
    let mut path = |key, remedy: &str| {
        let parse = |text: &str| match text.starts_with('/') && text.len() <= 4096 && !text.contains('\0') {
            true => Ok(text.to_owned()),
            false => Err(format!("{text:?} is no absolute path")),
        };
        table.need(key, remedy).and_then(|entry| entry.parse(remedy, parse))
    };
    let certificate = path(
        "certificate",
        "name the file of the certificate chain, by its absolute path",
    );
    let key = path("key", "name the file of the private key, by its absolute path");
    table.finish();
    Some(RouteTls::Files {
        certificate: certificate?,
        key: key?,
    })
}

/// Reads all virtual addresses; `None` only after a fault.
pub(super) fn read_listen(table: &mut Table<'_>, ports: &BTreeMap<String, ServicePort>) -> Option<Vec<Listen>> {
    let Some(entry) = table.take("listen") else {
        return Some(Vec::new());
    };
    let listen = entry.list_of(MOST, |entry| read_address(entry, ports))?;
    let transport = |listen: &Listen| ports.get(&listen.port).map(|port| port.transport);
    let mut seen = BTreeSet::new();
    let twice = listen
        .iter()
        .find(|listen| !seen.insert((listen.address, listen.number, transport(listen))));
    if let Some(listen) = twice {
        let what = format!("has [{}]:{} twice", listen.address, listen.number);
        table.fault("listen", what, "give each address and port once");
        return None;
    }
    Some(listen)
}

fn read_address(entry: Entry<'_>, ports: &BTreeMap<String, ServicePort>) -> Option<Listen> {
    let mut table = entry.table()?;
    let remedy = "write an IPv6 address in brackets and a port, like \"[fd39::aa]:80\"";
    let address = table
        .need("address", remedy)
        .and_then(|entry| entry.parse(remedy, parse_address));
    let port = ports::read_name(&mut table, ports, false);
    table.finish();
    let (address, number) = address?;
    Some(Listen {
        address,
        number,
        port: port?,
    })
}

fn parse_address(text: &str) -> Result<(Ipv6Addr, u16), String> {
    let fault = |what: &str| Err(format!("{text:?} {what}"));
    let Ok(socket) = text.parse::<SocketAddrV6>() else {
        return fault("is no address with a port");
    };
    let address = *socket.ip();
    let special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    match special || address.is_unicast_link_local() || socket.scope_id() != 0 {
        true => fault("cannot be the address of a service"),
        false if socket.port() == 0 => fault("has the port 0"),
        false => Ok((address, socket.port())),
    }
}
