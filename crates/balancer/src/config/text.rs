//! The text of `haproxy.cfg`.
//!
//! HAProxy finds a route by two look-ups in a map: by the name, and by the name with `*` for its first label. A key is a
//! name with the beginning of the path, and the longest that matches is taken. A slash is added to the path that was asked
//! for, so that `/api/` holds `/api`, and not `/apix`.

use std::fmt::Write;
use std::net::SocketAddrV6;

use super::{LIST, Layout};
use crate::desired::{Desired, Server, Use};
use crate::name::{Kind, ServerName};
use crate::step::MapName;

/// How HAProxy checks a server, in the words of a server's line and of `add server`.
pub(crate) const CHECK: &str = "check inter 2s fall 3 rise 1";

/// What comes before everything else.
pub(super) fn head(layout: &Layout, frame: &str) -> String {
    format!(
        "# Written by orchestrator. What is changed here is overwritten.\n\
         global\n    description orchestrator-{frame}\n    stats socket unix@{} mode 600 level admin expose-fd listeners\n",
        layout.path("admin.sock")
    )
}

/// What cannot change while HAProxy runs.
pub(super) fn frame(layout: &Layout) -> String {
    let mut text = format!(
        "    log stdout format raw local0 notice
    stats timeout 1h
    maxconn {}
    no strict-limits
    hard-stop-after {}s
    tune.bufsize 32768
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-load-extra-files none

defaults
    mode http
    log global
    option dontlognull
    option redispatch
    option idle-close-on-response
    retries 3
    timeout connect 2s
    timeout check 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout queue 5s
",
        layout.connections,
        layout.drain.as_secs().max(1)
    );
    text += &frontend("plain", "http", &bind(layout.addresses.plain), MapName::Plain, layout);
    let tls = format!(
        "{} ssl crt-list {} strict-sni alpn h2,http/1.1",
        bind(layout.addresses.encrypted),
        layout.path(LIST)
    );
    text += &frontend("encrypted", "https", &tls, MapName::Encrypted, layout);
    text += &redirect(layout.addresses.encrypted.port());
    text += &statistics(layout);
    text
}

fn bind(address: SocketAddrV6) -> String {
    let both = if address.ip().is_unspecified() { " v4v6" } else { "" };
    format!("ipv6@[{}]:{}{both}", address.ip(), address.port())
}

fn frontend(name: &str, scheme: &str, bind: &str, map: MapName, layout: &Layout) -> String {
    let mut text = format!("\nfrontend {name}\n    bind {bind}\n");
    if map == MapName::Plain {
        let answers = layout.path(MapName::Challenges.file());
        let _ = write!(
            text,
            "    http-request set-var(txn.answer) path,map({answers}) if {{ path_beg /.well-known/acme-challenge/ }}
    http-request return status 200 content-type text/plain lf-string %[var(txn.answer)] if {{ var(txn.answer) -m found }}
"
        );
    }
    let map = layout.path(map.file());
    let _ = write!(
        text,
        "    http-request set-var(txn.host) req.hdr(host),field(1,:),lower
    http-request set-var(txn.path) path
    http-request set-var(txn.backend) var(txn.host),concat(,txn.path,/),map_beg({map})
    http-request set-var(txn.any) var(txn.host),regsub(^[^.]*,*) if !{{ var(txn.backend) -m found }}
    http-request set-var(txn.backend) var(txn.any),concat(,txn.path,/),map_beg({map}) if !{{ var(txn.backend) -m found }}
    http-request return status 404 content-type text/plain string \"No service has this name.\\n\" if !{{ var(txn.backend) -m found }}
    http-request del-header Forwarded
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto {scheme}
    use_backend %[var(txn.backend)]
"
    );
    text
}

/// Where routes with TLS lead without it.
fn redirect(port: u16) -> String {
    let port = match port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    format!("\nbackend redirect\n    http-request redirect code 308 location https://%[var(txn.host)]{port}%[pathq]\n")
}

fn statistics(layout: &Layout) -> String {
    let Some(statistics) = &layout.statistics else {
        return String::new();
    };
    let mut from = String::new();
    for (address, length) in &statistics.from {
        let _ = write!(from, " {address}/{length}");
    }
    let allowed = match from.is_empty() {
        true => String::new(),
        false => format!(" unless {{ src{from} }}"),
    };
    format!(
        "\nfrontend statistics\n    bind {}\n    http-request deny{allowed}\n    stats enable\n    stats uri /\n    stats hide-version\n    stats refresh 5s\n",
        bind(statistics.address)
    )
}

/// All backends, those that nobody has yet among them.
pub(super) fn backends(desired: &Desired) -> String {
    let mut text = String::new();
    for id in desired.pools.all() {
        let _ = write!(text, "\nbackend {id}\n");
        text += match id.kind {
            Kind::Spread => "    balance leastconn\n",
            Kind::Sticky => "    balance source\n    hash-type consistent\n",
        };
        let servers = desired
            .backends
            .get(&id)
            .into_iter()
            .flat_map(|backend| &backend.servers);
        for (name, server) in servers.filter(|(_, server)| server.state == Use::Serve) {
            let _ = writeln!(text, "    server {}", self::server(*name, *server));
        }
    }
    text
}

/// A server, in the words of a server's line and of `add server`.
fn server(name: ServerName, server: Server) -> String {
    format!("{name} {}", parameters(name, server.address))
}

/// Where a server listens, and how it is spoken to.
pub(crate) fn parameters(name: ServerName, address: SocketAddrV6) -> String {
    let proxy = if name.proxy {
        " send-proxy-v2 check-send-proxy"
    } else {
        ""
    };
    format!("ipv6@[{}]:{} {CHECK}{proxy}", address.ip(), address.port())
}
