//! How many messages a second the server answers on one core, and what a binding costs in memory.
//!
//! `cargo bench -p orchestrator-dhcp6 [-- BINDINGS]`

use std::hint::black_box;
use std::net::SocketAddrV6;
use std::time::Instant;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{
    Binding, BindingState, Bindings, Duid, Iaid, Inbound, Leased, Link, Pool, PrefixPool, Server,
};
use orchestrator_wire as wire;
use orchestrator_wire::{RELEASE, RENEW, REQUEST, SOLICIT};

const NOW: i64 = 1_800_000_000_000;

fn main() {
    let bindings = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(1_000_000);
    println!("{:<28}{:>14}{:>10}", "message", "a second", "ns each");
    for (of, known) in [
        (Of::Addresses, 0),
        (Of::Addresses, bindings),
        (Of::Prefixes, 0),
        (Of::Prefixes, bindings),
    ] {
        println!("with {known} bindings of {}", of.word());
        let mut bench = Bench::new(of);
        bench.load(known);
        bench.run("solicit", SOLICIT, known);
        bench.run("request, granted", REQUEST, known);
        bench.run("renew", RENEW, known);
        bench.run("release", RELEASE, known);
        // Its memory is not to be used again: the next one's would seem to be less.
        std::mem::forget(bench);
    }
}

/// The leases of the clients.
#[derive(Clone, Copy)]
enum Of {
    Addresses,
    Prefixes,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Prefixes => "prefixes",
        }
    }
}

struct Bench {
    of: Of,
    server: Server,
    link: Link,
    bindings: Bindings,
}

impl Bench {
    fn new(of: Of) -> Self {
        let prefix = "2001:db8:0:1::/64".parse().expect("a prefix");
        let mut link = Link::new(
            prefix,
            "2001:db8:0:1::1".parse().expect("an address"),
            Pool::new(prefix),
        );
        link.options
            .set_dns_servers(&["2001:db8::53".parse().expect("an address")]);
        link.limits.bindings = usize::MAX;
        let server = Server::new("00:02:00:00:ab:11:aa:bb:cc:dd".parse().expect("a DUID"), [7; 16]);
        let pool = PrefixPool::new("2001:db8:8000::/34".parse().expect("a prefix"), 64);
        link.delegation = vec![pool.expect("a pool")];
        Self {
            of,
            server,
            link,
            bindings: Bindings::new(),
        }
    }

    /// Bindings of other clients.
    fn load(&mut self, count: u32) {
        let (before, started) = (resident(), Instant::now());
        for n in 0..count {
            let [a, b, c, d] = n.to_be_bytes();
            let duid = Duid::new([0, 1, 0, 1, 0x1c, 0x39, 0xcf, 0x88, 0xff, 0xff, a, b, c, d]).expect("a DUID");
            // Scattered like the keyed hash does.
            let identifier = u64::from(n).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let leased = self.leased(identifier);
            let (state, until) = (BindingState::Active, NOW + 7_200_000 + i64::from(n));
            let binding = Binding {
                duid,
                iaid: Iaid(1),
                leased,
                state,
                preferred_until: until,
                valid_until: until,
                place: Default::default(),
            };
            self.bindings.load(binding);
        }
        if count > 0 {
            let each = (resident() - before) / u64::from(count);
            println!("loaded in {:.2} s, {each} bytes each", started.elapsed().as_secs_f64());
        }
    }

    /// One of all that could be leased, by a number.
    fn leased(&self, number: u64) -> Leased {
        match self.of {
            Of::Addresses => {
                let address = u128::from(self.link.prefix.network()) | u128::from(number);
                Leased::Address(address.into())
            }
            Of::Prefixes => {
                let pool = self.link.delegation[0].prefix();
                let address = u128::from(pool.network()) | u128::from(number >> pool.prefix_len()) << 64;
                Leased::from(Ipv6Net::new(address.into(), 64).expect("a prefix"))
            }
        }
    }

    fn run(&mut self, name: &str, kind: u8, known: u32) {
        const CLIENTS: u32 = 200_000;
        let datagrams: Vec<Vec<u8>> = (0..CLIENTS)
            .map(|n| self.message(kind, n ^ known.rotate_left(16)))
            .collect();
        let source = SocketAddrV6::new("fe80::2".parse().expect("an address"), 546, 0, 1);
        let started = Instant::now();
        for datagram in &datagrams {
            let inbound = Inbound {
                datagram,
                source,
                multicast: true,
            };
            let answer = self
                .server
                .handle(&self.link, &self.bindings, &inbound, NOW)
                .expect("an answer");
            answer.changes.iter().for_each(|change| self.bindings.apply(change));
            black_box(answer.datagram);
        }
        let each = started.elapsed().as_secs_f64() / f64::from(CLIENTS);
        println!("{name:<28}{:>14.0}{:>10.0}", 1.0 / each, each * 1e9);
    }

    fn message(&self, kind: u8, client: u32) -> Vec<u8> {
        let [a, b, c, d] = client.to_be_bytes();
        let duid = [0, 1, 0, 1, 0x1c, 0x39, 0xcf, 0x88, 8, 0, a, b, c, d];
        let mut options = vec![wire::client_id(&duid)];
        if kind != SOLICIT {
            options.push(wire::server_id(self.server.duid().as_bytes()));
        }
        let mut nested = Vec::new();
        if kind == RELEASE {
            let duid = Duid::new(duid).expect("a DUID");
            nested.push(match self.bindings.of_client(&duid).next().expect("a lease").leased {
                Leased::Address(address) => wire::ia_address(address, 0, 0),
                Leased::Prefix(prefix) => wire::ia_prefix(prefix.network(), 64, 0, 0),
            });
        }
        let code = match self.of {
            Of::Addresses => wire::IA_NA,
            Of::Prefixes => wire::IA_PD,
        };
        options.push(wire::association(code, 1, &nested));
        options.push(wire::option_request(&[wire::DNS_SERVERS, wire::DOMAIN_SEARCH]));
        options.push(wire::option(wire::ELAPSED_TIME, &[0, 0]));
        wire::message(kind, [a, b, c], &options)
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("proc");
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .expect("pages")
        * 4096
}
