//! What an instance may reach, and who may reach it besides its own client.

use orchestrator_model::{Access, Egress, Peer, Ports, PortsError, Rate};

use super::is_name;
use crate::reader::{Entry, Table};
use crate::size::parse_size;

/// The largest number of destinations, and of ranges of ports of each kind.
const MOST: usize = 32;

/// The keys of a template that are about the client of an instance. Where instances have none, they have no effect.
pub const KEYS_OF_CLIENTS: &[&str] = &[
    "again",
    "client_may",
    "extend_by",
    "extend_times",
    "front_door_ports",
    "grace",
    "idle",
    "keep",
    "peers",
];

/// Reads the keys of a template; `None` only after a fault.
pub(super) fn read(table: &mut Table<'_>) -> Option<Access> {
    let egress = list(table.take("egress"), |entry| {
        entry.parse(
            "write it like \"2000::/3\" or \"2000::/3 tcp/443\"",
            str::parse::<Egress>,
        )
    });
    let nat = table.take("nat").map_or(Some(false), Entry::flag);
    let open = list(table.take("open"), read_ports);
    let peers = list(table.take("peers"), read_peer);
    let front_door = list(table.take("front_door_ports"), read_ports);
    let packets = limit(table.take("packet_rate"), |entry| entry.whole(1..=100_000_000));
    let bytes = limit(table.take("byte_rate"), |entry| {
        entry.parse("take \"1KiB\" to \"1TiB\", or \"none\"", parse_bytes)
    });
    if nat == Some(true) && egress.as_ref().is_some_and(Vec::is_empty) {
        let remedy = "say in `egress` what the instance may reach, like [\"2000::/3\"]";
        table.fault(
            "nat",
            "has no effect, because the instance may reach nothing in the world",
            remedy,
        );
    }
    Some(Access {
        egress: egress?,
        nat: nat?,
        open: open?,
        peers: peers?,
        together: false,
        front_door: front_door?,
        rate: Rate {
            packets: packets?,
            bytes: bytes?,
        },
    })
}

fn list<'a, T>(entry: Option<Entry<'a>>, read: impl Fn(Entry<'a>) -> Option<T>) -> Option<Vec<T>> {
    entry.map_or(Some(Vec::new()), |entry| entry.list_of(MOST, read))
}

/// A limit, which is absent by default; `None` only after a fault.
fn limit<'a, T>(entry: Option<Entry<'a>>, read: impl FnOnce(Entry<'a>) -> Option<T>) -> Option<Option<T>> {
    match entry {
        None => Some(None),
        Some(entry) if entry.is_word("none") => Some(None),
        Some(entry) => read(entry).map(Some),
    }
}

fn read_ports(entry: Entry<'_>) -> Option<Ports> {
    entry.parse("write it like \"tcp/443\" or \"udp/5000-5010\"", str::parse)
}

fn read_peer(entry: Entry<'_>) -> Option<Peer> {
    entry.parse(
        "name another template of the client, like \"db\" or \"db tcp/5432\"",
        parse_peer,
    )
}

fn parse_peer(text: &str) -> Result<Peer, String> {
    let peer: Peer = text.parse().map_err(|error: PortsError| error.to_string())?;
    match is_name(&peer.slot) {
        true => Ok(peer),
        false => Err(format!("{:?} cannot be the name of a template", peer.slot)),
    }
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    match (1 << 10..=1 << 40).contains(&bytes) {
        true => Ok(bytes),
        false => Err(format!("{text} is out of bounds")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::template::read_template;

    fn read(mut keys: Value) -> Result<Access, String> {
        keys["image"] = json!("web");
        let settings = crate::parse("", std::iter::empty()).unwrap();
        let template = read_template("web", &keys, &settings);
        template
            .map(|template| template.access)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn an_instance_reaches_nothing_but_its_client_unless_its_template_says_so() {
        assert!(read(json!({})).unwrap().is_default());
    }

    #[test]
    fn every_key_is_read() {
        let access = read(json!({
            "egress": ["2000::/3 tcp/443", "64:ff9b::/96"], "nat": true, "open": ["tcp/80", "udp/5000-5010"],
            "peers": ["db", "db tcp/5432"], "front_door_ports": ["tcp/22"], "packet_rate": 1000, "byte_rate": "1MiB",
        }));
        let access = access.unwrap();
        assert_eq!(access.egress[0].to_string(), "2000::/3 tcp/443");
        assert_eq!((access.nat, access.open.len(), access.peers.len()), (true, 2, 2));
        assert_eq!(access.front_door[0].to_string(), "tcp/22");
        assert_eq!((access.rate.packets, access.rate.bytes), (Some(1000), Some(1 << 20)));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (keys, expected) in [
            (
                json!({"egress": ["2000::1/3"]}),
                "has bits set beyond its length; the prefix is 2000::/3",
            ),
            (json!({"egress": ["::/0 443"]}), "\"443\" is no port"),
            (json!({"nat": true}), "may reach nothing in the world"),
            (json!({"open": ["http"]}), "\"http\" is no port"),
            (json!({"peers": ["A"]}), "cannot be the name of a template"),
            (json!({"peers": ["db 5432"]}), "\"5432\" is no port"),
            (json!({"packet_rate": 0}), "0 is out of bounds"),
            (json!({"byte_rate": "1GB"}), "is not an amount of memory"),
        ] {
            let faults = read(keys.clone()).unwrap_err();
            assert!(faults.contains(expected), "{keys}: {faults}");
        }
    }
}
