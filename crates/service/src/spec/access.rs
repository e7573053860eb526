//! Keys of a template that are about a client, which an instance of a numbered slot does not have.

use orchestrator_settings::Table;

/// The keys, and what they are about.
const OF_CLIENTS: &[&str] = &[
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

/// Reports each of these keys. They would have no effect.
pub(super) fn refuse_client_keys(table: &mut Table<'_>) {
    for key in OF_CLIENTS {
        if let Some(entry) = table.take(key) {
            let what = "is about the client of an instance, and these instances have none";
            entry.fault(what, "remove it, or write instances = \"per-client\"");
        }
    }
}

/// Whether a key is refused for these instances.
pub(super) fn is_of_clients(key: &str) -> bool {
    OF_CLIENTS.contains(&key)
}
