//! What is known, as elements: which sets each fact is in.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::element::Family::Inet;
use super::element::{FilterElement, Key, SetName, Value};

/// The number of IPv6 in sets of protocol families.
const IPV6: u8 = 10;
const ICMPV6: u8 = 58;
const ALL_PORTS: (u16, u16) = (0, u16::MAX);

/// The rules that a port's packets go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FilterRole {
    /// Those of clients.
    Client,
    /// Those of instances.
    Instance,
    /// Those of instances whose ports have a rate.
    LimitedInstance,
    /// Those of relay agents.
    Relay,
    /// Those of routers.
    Router,
}

/// Ports of a protocol: its number, the first and the last port.
pub type FilterSockets = (u8, u16, u16);

fn key() -> Key {
    Key::default()
}

fn jump(chain: &str) -> Value {
    Value::Jump(chain.to_owned())
}

/// The link-local address that is formed from a link-layer address (RFC 4291, appendix A).
pub fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

fn is_link_local(prefix: Ipv6Net) -> bool {
    prefix.addr().is_unicast_link_local()
}

fn host_of(prefix: Ipv6Net) -> Option<Ipv6Addr> {
    (prefix.prefix_len() == 128).then(|| prefix.addr())
}

impl FilterElement {
    /// A port goes through the rules of a role.
    pub fn role(port: &str, role: FilterRole) -> Vec<Self> {
        let chain = match role {
            FilterRole::Client => "from_client",
            FilterRole::Instance => "from_instance",
            FilterRole::LimitedInstance => "from_limited",
            FilterRole::Relay => "from_relay",
            FilterRole::Router => "from_router",
        };
        let mut all = vec![key().interface(port).bridge("o_role").leading_to(jump(chain))];
        if matches!(role, FilterRole::Instance | FilterRole::LimitedInstance) {
            all.push(key().interface(port).bridge("o_inst_port"));
        }
        all
    }

    /// What a port or a bridge sends passes, whatever the rules say. They still count.
    pub fn lenient(interface: &str) -> Vec<Self> {
        let of = || key().interface(interface);
        vec![of().bridge("o_lenient"), of().inet("o_lenient")]
    }

    /// IPv4 and ARP of a client's port pass.
    pub fn ipv4(port: &str) -> Self {
        key().interface(port).bridge("o_ipv4")
    }

    /// A port's frames reach no other port of this kind.
    pub fn apart(port: &str) -> Self {
        key().interface(port).bridge("o_apart")
    }

    /// Clients behind a port may also speak from addresses of a prefix, and from link-local ones, that are bound to nobody.
    pub fn unbound(port: &str, prefix: Ipv6Net) -> Vec<Self> {
        let of = || key().interface(port);
        let near = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 64);
        let mut all = vec![of().bridge("o_free_port"), of().prefix(prefix.trunc()).bridge("o_free")];
        if !is_link_local(prefix) {
            all.push(of().prefix(near).bridge("o_free"));
        }
        all
    }

    /// The bridge of a link, and its prefix.
    pub fn link(bridge: &str, prefix: Ipv6Net) -> Vec<Self> {
        vec![key().interface(bridge).inet("o_links"), Self::inside(prefix)]
    }

    /// A bridge's own link-layer address and one of its addresses, which nobody else may use.
    pub fn host(mac: [u8; 6], address: Ipv6Addr) -> Vec<Self> {
        let mut all = vec![
            key().mac(mac).bridge("o_host"),
            key().address(address).bridge("o_host_nd"),
        ];
        all.extend(Self::taken(address));
        all
    }

    /// A port is an end of the join of two bridges of a link.
    pub fn join(port: &str) -> Self {
        key().interface(port).bridge("o_join")
    }

    /// A bridge is joined with that of a link. What it passes on is checked by the rules of bridges alone.
    pub fn joined(bridge: &str) -> Self {
        key().interface(bridge).inet("o_joined")
    }

    fn inside(prefix: Ipv6Net) -> Self {
        key().byte(IPV6).prefix(prefix).inet("o_inside")
    }

    fn taken(address: Ipv6Addr) -> [Self; 2] {
        ["o_taken", "o_taken_nd"].map(|set| key().address(address).bridge(set))
    }

    /// A client may speak for an address or prefix, at one port or at any.
    pub fn client(port: Option<&str>, mac: [u8; 6], prefix: Ipv6Net) -> Vec<Self> {
        let at = |of: Key| match port {
            Some(port) => of.interface(port),
            None => of,
        };
        let mut all = vec![key().mac(mac).bridge("o_mac"), key().mac(mac).mac(mac).bridge("o_self")];
        if let Some(port) = port {
            all.push(key().mac(mac).bridge("o_mac_held"));
            all.push(key().interface(port).mac(mac).bridge("o_mac_at"));
        }
        match host_of(prefix) {
            Some(address) => {
                let set = if port.is_some() { "o_cli_at" } else { "o_cli" };
                all.push(at(key()).mac(mac).address(address).bridge(set));
                all.extend(["o_cli_mac", "o_na_c"].map(|set| key().mac(mac).address(address).bridge(set)));
                all.extend(Self::taken(address));
            }
            None => {
                let set = if port.is_some() { "o_pd_at" } else { "o_pd" };
                all.push(at(key()).mac(mac).prefix(prefix).bridge(set));
                all.push(key().mac(mac).prefix(prefix).bridge("o_pd_mac"));
                all.push(Self::inside(prefix));
            }
        }
        all
    }

    /// The port of an instance may speak for an address or prefix.
    pub fn instance(bridge: &str, port: &str, mac: [u8; 6], prefix: Ipv6Net) -> Vec<Self> {
        let at = || key().interface(port).mac(mac);
        let mut all = vec![
            at().bridge("o_inst_mac"),
            key().mac(mac).bridge("o_imac"),
            key().mac(mac).mac(mac).bridge("o_self"),
        ];
        match host_of(prefix) {
            Some(address) => {
                all.extend(["o_inst", "o_na_i"].map(|set| at().address(address).bridge(set)));
                all.extend(Self::taken(address));
                all.push(key().interface(bridge).address(address).inet("o_inst_at"));
                if !is_link_local(prefix) {
                    all.push(key().address(address).inet("o_inst"));
                }
            }
            None => {
                all.push(at().prefix(prefix).bridge("o_inst_net"));
                all.push(key().byte(IPV6).prefix(prefix).inet("o_inst_net"));
            }
        }
        all
    }

    /// How the names of instances' ports begin. Packets of a pair take the shortest way through the rules only at such a
    /// port.
    pub const PORT_PREFIX: &str = "or";

    /// A client on the bridge of an instance, and the instance at its port, may speak with each other.
    pub fn pair_on_bridge(
        (client, source): ([u8; 6], Ipv6Net),
        (port, mac, address): (&str, [u8; 6], Ipv6Addr),
    ) -> Vec<Self> {
        let mut all = vec![
            key().mac(client).mac(mac).bridge("o_pair"),
            key().mac(mac).mac(client).bridge("o_pair"),
            key().interface(port).frame(mac, client).bridge("o_to"),
            key().interface(port).frame(client, mac).bridge("o_from"),
        ];
        let asks = |who: [u8; 6], whom: Ipv6Addr| key().mac(who).address(whom).bridge("o_ask");
        all.extend([address, link_local(mac)].map(|target| asks(client, target)));
        all.extend(host_of(source).map(|target| asks(mac, target)));
        all
    }

    /// A client and an instance may speak with each other through the host.
    pub fn pair_routed(source: Ipv6Net, instance: Ipv6Net) -> Self {
        match (host_of(source), host_of(instance)) {
            (Some(source), Some(instance)) => key().address(source).address(instance).inet("o_pair"),
            _ => key().prefix(source).prefix(instance).inet("o_pair_net"),
        }
    }

    /// One instance may connect to sockets of another.
    pub fn peer(from: ([u8; 6], Ipv6Addr), to: ([u8; 6], Ipv6Addr), sockets: FilterSockets) -> Vec<Self> {
        let sets = |(protocol, first, last): FilterSockets| {
            let of = || {
                let both = key().address(from.1).address(to.1);
                both.byte(protocol).ports(first, last)
            };
            [of().bridge("o_peer"), of().inet("o_peer")]
        };
        let mut all = Vec::from(sets(sockets));
        all.extend(sets((ICMPV6, ALL_PORTS.0, ALL_PORTS.1)));
        for (one, other) in [(from, to), (to, from)] {
            all.push(key().mac(one.0).mac(other.0).bridge("o_near"));
            all.extend([other.1, link_local(other.0)].map(|target| key().mac(one.0).address(target).bridge("o_ask")));
        }
        all
    }

    /// All clients may connect to sockets of an instance.
    pub fn open(mac: [u8; 6], address: Ipv6Addr, sockets: FilterSockets) -> Vec<Self> {
        let mut all = vec![key().mac(mac).bridge("o_open_mac")];
        all.extend([address, link_local(mac)].map(|target| key().address(target).bridge("o_asked")));
        for (protocol, first, last) in [sockets, (ICMPV6, ALL_PORTS.0, ALL_PORTS.1)] {
            let of = || key().address(address).byte(protocol).ports(first, last);
            all.extend([of().bridge("o_open"), of().inet("o_open")]);
        }
        all
    }

    /// An instance may connect to the destinations of a class.
    pub fn egress(address: Ipv6Addr, class: u8) -> Self {
        let of = key().address(address).inet("o_egress");
        of.leading_to(Value::Jump(format!("e_{class}")))
    }

    /// One destination of a class: a prefix, a range of protocols and a range of ports.
    pub fn destination(class: u8, prefix: Ipv6Net, protocols: (u8, u8), ports: (u16, u16)) -> Self {
        let of = key().prefix(prefix).protocols(protocols.0, protocols.1);
        of.ports(ports.0, ports.1).element(Inet, SetName::Class(class))
    }

    /// What an instance sends to the world has the host's address.
    pub fn nat(address: Ipv6Addr) -> Self {
        key().address(address).inet("o_nat")
    }

    /// The most packets a second that a port may send.
    pub fn packet_rate(port: &str, rate: u32) -> Self {
        let of = key().interface(port).bridge("o_rate");
        of.leading_to(Value::Limit {
            rate: rate.into(),
            bytes: false,
        })
    }

    /// The most bytes a second that a port may send.
    pub fn byte_rate(port: &str, rate: u64) -> Self {
        let of = key().interface(port).bridge("o_bytes");
        of.leading_to(Value::Limit { rate, bytes: true })
    }

    /// All instances may connect to sockets of the host.
    pub fn service(address: Ipv6Addr, (protocol, first, last): FilterSockets) -> Self {
        let of = key().address(address).byte(protocol);
        of.ports(first, last).inet("o_service")
    }

    /// Where a client comes to that connects to a front door: to all ports, or to some.
    pub fn door(front: Ipv6Addr, source: Ipv6Net, sockets: Option<FilterSockets>, instance: Ipv6Addr) -> Vec<Self> {
        let door = match (sockets, host_of(source)) {
            (Some((protocol, first, last)), _) => {
                let of = key().address(front).prefix(source).byte(protocol);
                of.ports(first, last).inet("o_door_port")
            }
            (None, Some(source)) => key().address(front).address(source).inet("o_door"),
            (None, None) => key().address(front).prefix(source).inet("o_door_net"),
        };
        vec![
            key().address(front).inet("o_front"),
            door.leading_to(Value::Address(instance)),
        ]
    }

    /// How many classes of destinations there are.
    pub const CLASSES: u8 = super::skeleton::CLASSES;
}
