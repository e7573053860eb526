//! `[dns]`: the names of services, instances and clients, and the server that answers about them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::time::Duration;

use super::fault::{Collector, Fault};
use super::lifetimes::seconds;
use super::link::Outline;
use super::prefix::parse_domain;
use super::reader::{Entry, Table};

/// The port of DNS.
pub const DNS_PORT: u16 = 53;
/// The default zone: a name that no registry gives away, and that resolvers expect no signatures for (RFC 8375).
const ZONE: &str = "home.arpa";
/// The default time for which answers may be kept, and the longest.
const TTL: Duration = Duration::from_secs(5);
const LONGEST_TTL: Duration = Duration::from_secs(86_400);
/// The default limit on queries of one source in a second.
const RATE: u32 = 1000;
/// The largest numbers of aliases, of servers, and of further addresses.
const MOST_ALIASES: usize = 16;
const MOST_SERVERS: usize = 8;
const MOST_ADDRESSES: usize = 16;
/// What services are below, in the zone.
const SERVICE: &str = "service";

/// The names of services, instances and clients, and the server that answers about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// The zone of the names, in small letters.
    pub zone: String,
    /// Further zones, in which each service is found by its name alone.
    pub aliases: Vec<String>,
    /// For how long an answer may be kept, in whole seconds.
    pub ttl: Duration,
    /// The sustained limit on queries of one source in a second; `None` for no limit.
    pub rate: Option<NonZeroU32>,
    /// The servers to which other names are forwarded, for clients and instances of links; empty to refuse them.
    pub forward: Vec<SocketAddr>,
    /// Further addresses of this machine at which the zones are answered.
    pub listen: Vec<SocketAddrV6>,
}

impl DnsSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let domain = |entry: Entry<'_>| entry.parse("write it like \"home.arpa\"", parse_domain);
        let zone = table.take("zone").and_then(domain);
        let aliases = table.take("aliases");
        let aliases = aliases.and_then(|entry| entry.list_of(MOST_ALIASES, domain));
        let ttl = table.take("ttl");
        let ttl = ttl.and_then(|entry| seconds(entry, Duration::ZERO..=LONGEST_TTL));
        let rate = table
            .take("rate")
            .map_or(Some(RATE), |entry| entry.whole(0..=1_000_000));
        let remedy = "write it like \"2620:fe::fe\", \"9.9.9.9\" or \"[fd39::53]:5353\"";
        let forward = table.take("forward");
        let forward = forward.and_then(|entry| entry.list_of(MOST_SERVERS, |entry| entry.parse(remedy, parse_forward)));
        let remedy = "write it like \"[::1]:5354\"";
        let listen = table.take("listen");
        let listen = listen.and_then(|entry| entry.list_of(MOST_ADDRESSES, |entry| entry.parse(remedy, parse_listen)));
        table.finish();
        Self {
            zone: zone.unwrap_or_else(|| ZONE.to_owned()),
            aliases: aliases.unwrap_or_default(),
            ttl: ttl.unwrap_or(TTL),
            rate: rate.and_then(NonZeroU32::new),
            forward: forward.unwrap_or_default(),
            listen: listen.unwrap_or_default(),
        }
    }

    /// The domains that are appended to short names: services are found by their name, everything else by its kind, too.
    pub fn search(&self) -> Vec<String> {
        vec![format!("{SERVICE}.{}", self.zone), self.zone.clone()]
    }

    /// Refuses to forward to this server itself: a query would go round for ever.
    pub(super) fn check_forward(&self, links: &[Outline], faults: &Collector) {
        let of_links = links.iter().filter_map(|link| link.address);
        let own = of_links.map(|address| SocketAddr::from((address.addr(), DNS_PORT)));
        let own: Vec<SocketAddr> = own.chain(self.listen.iter().copied().map(SocketAddr::V6)).collect();
        for (index, server) in self.forward.iter().enumerate() {
            if own.contains(server) {
                faults.add(Fault {
                    key: format!("dns.forward[{index}]"),
                    variable: None,
                    what: format!("{server} is this daemon's own DNS server"),
                    remedy: "name another server, or none".to_owned(),
                });
            }
        }
    }
}

fn parse_forward(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let alone = || {
        text.parse::<IpAddr>()
            .map(|address| SocketAddr::from((address, DNS_PORT)))
    };
    let server = with_port
        .or_else(|_| alone())
        .map_err(|_| format!("{text:?} is not the address of a server"))?;
    match server.ip().is_unspecified() || server.ip().is_multicast() || server.port() == 0 {
        true => Err(format!("{text:?} cannot be the address of a server")),
        false => Ok(server),
    }
}

fn parse_listen(text: &str) -> Result<SocketAddrV6, String> {
    let address: SocketAddrV6 = text
        .parse()
        .map_err(|_| format!("{text:?} is not an IPv6 address with a port"))?;
    let is_one = |address: &Ipv6Addr| !address.is_unspecified() && !address.is_multicast();
    match is_one(address.ip()) && address.port() > 0 {
        true => Ok(address),
        false => Err(format!("{text:?} is not one address of this machine and a port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";

    fn read(text: &str) -> Result<crate::Settings, String> {
        crate::parse(text, std::iter::empty()).map_err(|faults| faults.to_string())
    }

    #[test]
    fn keys_have_defaults_and_bounds() {
        let dns = read("").unwrap().dns;
        assert_eq!((dns.zone.as_str(), dns.ttl), ("home.arpa", Duration::from_secs(5)));
        assert_eq!((dns.rate.map(NonZeroU32::get), dns.forward.len()), (Some(1000), 0));
        let dns = read(
            "[dns]\nzone = \"LAN.example.\"\naliases = [\"service.consul\"]\nttl = \"0s\"\nrate = 0\n\
             forward = [\"9.9.9.9\", \"2620:fe::fe\", \"[fd00::53]:5353\"]\nlisten = [\"[::1]:5354\"]\n",
        );
        let dns = dns.unwrap().dns;
        assert_eq!(dns.search(), ["service.lan.example", "lan.example"]);
        assert_eq!((dns.rate, dns.ttl), (None, Duration::ZERO));
        let forward: Vec<String> = dns.forward.iter().map(ToString::to_string).collect();
        assert_eq!(forward, ["9.9.9.9:53", "[2620:fe::fe]:53", "[fd00::53]:5353"]);
        for bad in [
            "zone = \"a_b\"",
            "ttl = \"2d\"",
            "ttl = \"1500ms\"",
            "rate = -1",
            "forward = [\"dns.example\"]",
            "forward = [\"::\"]",
            "listen = [\"[::]:53\"]",
            "listen = [\"127.0.0.1:53\"]",
        ] {
            let fault = read(&format!("[dns]\n{bad}")).unwrap_err();
            assert!(fault.contains("dns."), "{bad}: {fault}");
        }
    }

    #[test]
    fn it_does_not_forward_to_itself() {
        for own in ["fd39::1", "[::1]:5354"] {
            let text = format!("[dns]\nforward = [{own:?}]\nlisten = [\"[::1]:5354\"]\n{LINK}");
            let fault = read(&text).unwrap_err();
            assert!(
                fault.contains("dns.forward[0]: ") && fault.contains("own DNS server"),
                "{fault}"
            );
        }
    }

    #[test]
    fn clients_are_told_of_it_where_the_link_has_no_server_of_its_own() {
        let link = |text: &str| {
            let settings = read(&format!("{LINK}{text}")).unwrap();
            let link = &settings.links[0];
            (link.dns, link.dns_servers.clone(), link.domain_search.clone())
        };
        let own: Vec<Ipv6Addr> = vec!["fd39::1".parse().unwrap()];
        let search = ["service.home.arpa", "home.arpa"].map(str::to_owned).to_vec();
        assert_eq!(link(""), (true, own.clone(), search.clone()));
        assert_eq!(link("dns = false\n"), (false, vec![], vec![]));
        assert_eq!(link("dns_servers = []\n"), (true, vec![], vec![]), "none is wanted");
        let other = vec!["fd00::53".parse().unwrap()];
        assert_eq!(link("dns_servers = [\"fd00::53\"]\n"), (true, other, vec![]));
        let named = vec!["lan".to_owned()];
        assert_eq!(link("domain_search = [\"lan\"]\n"), (true, own.clone(), named));
        assert_eq!(link("source = \"dnsmasq\"\n"), (false, vec![], vec![]));
        assert_eq!(link("source = \"dnsmasq\"\ndns = true\n"), (true, own, search));
        let of_all = format!("[options]\ndns_servers = [\"fd00::53\"]\n{LINK}");
        assert_eq!(read(&of_all).unwrap().links[0].dns_servers.len(), 1);
        let remote = "[source.listener]\nrelays = [\"eth0\"]\n[[link]]\nname = \"dorm\"\nprefix = \"fd39::/64\"\npool = \"fd39::1:0/112\"\n";
        assert!(!read(remote).unwrap().links[0].dns);
        assert!(read(&format!("{remote}dns = true\n")).is_err());
    }
}
