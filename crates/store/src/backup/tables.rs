//! The tables of a backup with their columns. A table comes after those to which its rows refer.

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// TEXT
    Text,
    /// BIGINT
    Integer,
}

use Kind::{Integer, Text};

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns. A test compares them with those of the databases.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// The columns of its key, which order its rows.
    pub(super) key: &'static [&'static str],
}

/// All tables. Rows are inserted from the first table to the last, and deleted from the last to the first.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "facts",
        columns: &[("key", Text), ("value", Text)],
        key: &["key"],
    },
    Table {
        name: LEADERS,
        columns: &[("name", Text), ("epoch", Integer), ("holder", Text), ("since", Integer)],
        key: &["name"],
    },
    Table {
        name: "clients",
        columns: &[
            ("id", Text),
            ("link", Text),
            ("duid", Text),
            ("link_layer", Text),
            ("hostname", Text),
            ("wants_instance", Integer),
            ("first_seen", Integer),
            ("last_seen", Integer),
            ("class", Text),
        ],
        key: &["id"],
    },
    Table {
        name: "leases",
        columns: &[
            ("link", Text),
            ("address", Text),
            ("client", Text),
            ("iaid", Integer),
            ("source", Text),
            ("state", Text),
            ("preferred_until", Integer),
            ("valid_until", Integer),
            ("granted", Integer),
            ("changed", Integer),
            ("due", Integer),
            ("next_hop", Text),
            ("link_layer", Text),
            ("link_local", Text),
            ("port", Text),
            ("relay", Text),
        ],
        key: &["link", "address"],
    },
    Table {
        name: "hosts",
        columns: &[
            ("id", Text),
            ("name", Text),
            ("address", Text),
            ("fingerprint", Text),
            ("roles", Text),
            ("state", Text),
            ("first_seen", Integer),
            ("last_seen", Integer),
        ],
        key: &["id"],
    },
    Table {
        name: "instances",
        columns: &[
            ("id", Text),
            ("owner_kind", Text),
            ("owner", Text),
            ("slot", Text),
            ("host", Text),
            ("template", Text),
            ("version", Integer),
            ("spec", Text),
            ("phase", Text),
            ("reason", Text),
            ("attempts", Integer),
            ("due", Integer),
            ("created", Integer),
            ("ready", Integer),
            ("changed", Integer),
            ("port", Text),
            ("link_layer", Text),
            ("until", Integer),
            ("idle", Integer),
            ("active", Integer),
            ("packets", Integer),
            ("pinned", Integer),
            ("kept_until", Integer),
            ("warned", Integer),
            ("expired", Text),
            ("extended", Integer),
            ("off", Integer),
            ("reset", Integer),
        ],
        key: &["id"],
    },
    Table {
        name: "spent_slots",
        columns: &[("owner_kind", Text), ("owner", Text), ("slot", Text), ("at", Integer)],
        key: &["owner_kind", "owner", "slot"],
    },
    Table {
        name: "volumes",
        columns: &[
            ("id", Text),
            ("owner_kind", Text),
            ("owner", Text),
            ("slot", Text),
            ("name", Text),
            ("host", Text),
            ("size", Integer),
            ("keep", Text),
            ("keep_for", Integer),
            ("state", Text),
            ("created", Integer),
            ("used", Integer),
            ("holder", Text),
        ],
        key: &["id"],
    },
    Table {
        name: "templates",
        columns: &[
            ("name", Text),
            ("version", Integer),
            ("spec", Text),
            ("made", Integer),
            ("made_by", Text),
        ],
        key: &["name", "version"],
    },
    Table {
        name: "declared_templates",
        columns: &[
            ("name", Text),
            ("origin", Text),
            ("version", Integer),
            ("changed", Integer),
            ("changed_by", Text),
        ],
        key: &["name", "origin"],
    },
    Table {
        name: "template_images",
        columns: &[
            ("template", Text),
            ("version", Integer),
            ("host", Text),
            ("engine", Text),
            ("image", Text),
            ("digest", Text),
            ("pinned", Integer),
        ],
        key: &["template", "version", "host", "engine", "image"],
    },
    Table {
        name: "images",
        columns: &[
            ("host", Text),
            ("engine", Text),
            ("id", Text),
            ("name", Text),
            ("source", Text),
            ("brought", Integer),
            ("brought_by", Text),
            ("unused", Integer),
            ("state", Text),
        ],
        key: &["host", "engine", "id"],
    },
    Table {
        name: "containers",
        columns: &[
            ("instance", Text),
            ("name", Text),
            ("place", Integer),
            ("engine", Text),
            ("image", Text),
            ("reference", Text),
        ],
        key: &["instance", "name"],
    },
    Table {
        name: "attachments",
        columns: &[
            ("id", Text),
            ("instance", Text),
            ("place", Integer),
            ("container", Text),
            ("network", Text),
            ("bridge", Text),
            ("interface", Text),
            ("address", Text),
            ("prefix_length", Integer),
            ("gateway", Text),
            ("isolated", Integer),
            ("mac", Text),
            ("routed", Text),
            ("live", Integer),
        ],
        key: &["id"],
    },
    Table {
        name: "reservations",
        columns: &[
            ("id", Text),
            ("link", Text),
            ("holder", Text),
            ("address", Text),
            ("prefix", Text),
            ("created", Integer),
            ("authorized_keys", Text),
        ],
        key: &["id"],
    },
    Table {
        name: "authorized_keys",
        columns: &[("client", Text), ("place", Integer), ("key", Text)],
        key: &["client", "place"],
    },
    Table {
        name: "pauses",
        columns: &[("scope", Text), ("name", Text), ("since", Integer), ("by", Text)],
        key: &["scope", "name"],
    },
    Table {
        name: "secrets",
        columns: &[
            ("name", Text),
            ("sealed", Text),
            ("created", Integer),
            ("rotated", Integer),
        ],
        key: &["name"],
    },
    Table {
        name: "authorities",
        columns: &[
            ("id", Text),
            ("certificate", Text),
            ("created", Integer),
            ("until", Integer),
            ("retired", Integer),
            ("trusted_until", Integer),
        ],
        key: &["id"],
    },
    Table {
        name: "certificates",
        columns: &[
            ("serial", Text),
            ("authority", Text),
            ("subject", Text),
            ("purpose", Text),
            ("created", Integer),
            ("until", Integer),
            ("revoked", Integer),
        ],
        key: &["serial"],
    },
    Table {
        name: "events",
        columns: &[
            ("id", Integer),
            ("at", Integer),
            ("kind", Text),
            ("link", Text),
            ("client", Text),
            ("instance", Text),
            ("host", Text),
            ("service", Text),
            ("address", Text),
            ("detail", Text),
            ("by", Text),
        ],
        key: &["id"],
    },
    Table {
        name: "tokens",
        columns: &[
            ("name", Text),
            ("id", Text),
            ("role", Text),
            ("scope", Text),
            ("signs", Integer),
            ("hash", Text),
            ("earlier_hash", Text),
            ("earlier_until", Integer),
            ("created", Integer),
            ("created_by", Text),
            ("until", Integer),
            ("used", Integer),
        ],
        key: &["name"],
    },
    Table {
        name: "kv",
        columns: &[
            ("namespace", Text),
            ("key", Text),
            ("value", Text),
            ("coding", Text),
            ("size", Integer),
            ("version", Integer),
            ("created", Integer),
            ("changed", Integer),
            ("owner_instance", Text),
            ("owner_link", Text),
            ("owner_address", Text),
        ],
        key: &["namespace", "key"],
    },
    Table {
        name: "services",
        columns: &[
            ("name", Text),
            ("generation", Integer),
            ("version", Integer),
            ("good_version", Integer),
            ("instances", Integer),
            ("oldest_first", Integer),
            ("state", Text),
            ("paused", Integer),
            ("reason", Text),
            ("failures", Integer),
            ("failed_at", Integer),
            ("given_up", Integer),
            ("created", Integer),
            ("changed", Integer),
            ("changed_by", Text),
        ],
        key: &["name"],
    },
    Table {
        name: "service_versions",
        columns: &[
            ("service", Text),
            ("version", Integer),
            ("spec", Text),
            ("template_version", Integer),
            ("created", Integer),
            ("made_by", Text),
        ],
        key: &["service", "version"],
    },
    Table {
        name: "service_slots",
        columns: &[
            ("service", Text),
            ("slot", Integer),
            ("version", Integer),
            ("state", Text),
            ("health", Text),
            ("instance", Text),
            ("opened", Integer),
            ("since", Integer),
            ("detail", Text),
        ],
        key: &["service", "slot"],
    },
    Table {
        name: "operations",
        columns: &[
            ("id", Text),
            ("kind", Text),
            ("service", Text),
            ("version", Integer),
            ("generation", Integer),
            ("state", Text),
            ("detail", Text),
            ("created", Integer),
            ("ended", Integer),
            ("by", Text),
        ],
        key: &["id"],
    },
];

/// Facts that belong to one database only. A restored database makes its own.
pub(super) const OF_ONE_DATABASE: [&str; 2] = ["birth", "beat"];

/// The table of the leader. A backup has no rows of it, and a restore deposes the present leader.
pub(super) const LEADERS: &str = "leaders";

/// The tables with sealed values, and those that are useless without them.
pub(super) const OF_SECRETS: [&str; 4] = ["secrets", "authorities", "certificates", "tokens"];

/// The table with this name.
pub(super) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

impl Table {
    /// The type of the column with this name.
    pub(super) fn kind(&self, column: &str) -> Option<Kind> {
        let found = self.columns.iter().find(|(name, _)| *name == column);
        found.map(|(_, kind)| *kind)
    }

    /// The positions of the key columns among the columns.
    pub(super) fn key_places(&self) -> Vec<usize> {
        let place = |key: &&str| self.columns.iter().position(|(name, _)| name == key);
        self.key.iter().filter_map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_a_column() {
        for table in TABLES {
            assert_eq!(table.key_places().len(), table.key.len(), "{}", table.name);
        }
    }
}
