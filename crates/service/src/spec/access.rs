//! Who may reach the instances of a service: they belong to no client.

use std::collections::BTreeMap;

use orchestrator_model::{Access, Ports, ServicePort};
use orchestrator_settings::{KEYS_OF_CLIENTS, Table};

/// Opens the ports of a service to all clients of its link: a service is there to be reached.
pub(super) fn open_ports(access: &mut Access, ports: &BTreeMap<String, ServicePort>) {
    for port in ports.values() {
        if let Some(open) = Ports::new(port.transport, port.number, port.number)
            && !access.open.contains(&open)
        {
            access.open.push(open);
        }
    }
}

/// Reports each of these keys. They would have no effect.
pub(super) fn refuse_client_keys(table: &mut Table<'_>) {
    for key in KEYS_OF_CLIENTS {
        if let Some(entry) = table.take(key) {
            let what = "is about the client of an instance, and these instances have none";
            entry.fault(what, "remove it, or write instances = \"per-client\"");
        }
    }
}

/// The keys that lead strangers to the instances, and the one that decides when.
const OF_ROUTERS: &[&str] = &["health", "listen", "proxy_protocol", "route", "sticky"];

/// Reports each of these keys. An instance of a client is the client's: nothing leads others to it, and it counts as serving
/// while it is ready.
pub(super) fn refuse_service_keys(table: &mut Table<'_>) {
    for key in OF_ROUTERS {
        if let Some(entry) = table.take(key) {
            let remedy = match *key {
                "health" => {
                    "remove it, and write ready = { tcp = PORT }: an instance of a client serves while it is ready"
                }
                _ => "remove it: each instance is its own client's, and nothing leads others to it",
            };
            entry.fault("has no effect with instances = \"per-client\"", remedy);
        }
    }
}

/// Whether a key of a template is refused for a service: it is about the client of an instance.
pub fn is_of_clients(key: &str) -> bool {
    KEYS_OF_CLIENTS.contains(&key)
}
