//! ISC Kea.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Kind;
use crate::preload;
use crate::stage::{BRIDGE, POOL, PREFIX, Stage};

/// Where Debian has the tables.
const TABLES: &str = "/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql";

pub(super) fn command(stage: &Stage, kind: Kind, place: &Path, bindings: u32) -> Result<Command> {
    let database = match kind {
        Kind::KeaPostgres => postgres(stage, bindings)?,
        _ => {
            let leases = place.join("leases.csv");
            if bindings > 0 {
                preload::kea(&leases, bindings)?;
            }
            json!({ "type": "memfile", "persist": true, "name": leases, "lfc-interval": 0 })
        }
    };
    let file = place.join("kea.json");
    fs::write(&file, settings(kind, &database).to_string())?;
    let mut command = stage.servers.command("kea-dhcp6");
    command.env("KEA_LOCKFILE_DIR", place).env("KEA_PIDFILE_DIR", place);
    command.arg("-c").arg(file);
    Ok(command)
}

/// A database of its own with Kea's tables.
fn postgres(stage: &Stage, bindings: u32) -> Result<Value> {
    let url = stage.postgres.database()?;
    stage
        .psql(&url, &["--file", TABLES])
        .context("Kea's tables; kea-admin has them")?;
    if bindings > 0 {
        preload::kea_postgres(&url, bindings)?;
    }
    let (name, host) = url
        .strip_prefix("postgres:///")
        .and_then(|rest| rest.split_once("?host="))
        .and_then(|(name, rest)| Some((name, rest.split_once('&')?.0)))
        .context("the lab's URL of a database has changed")?;
    Ok(json!({ "type": "postgresql", "name": name, "host": host, "user": "postgres", "password": "" }))
}

fn settings(kind: Kind, database: &Value) -> Value {
    let threads = kind == Kind::KeaThreads;
    json!({ "Dhcp6": {
        "interfaces-config": { "interfaces": [BRIDGE] },
        "lease-database": database,
        "multi-threading": { "enable-multi-threading": threads, "thread-pool-size": 2, "packet-queue-size": 4096 },
        "expired-leases-processing": { "reclaim-timer-wait-time": 0, "flush-reclaimed-timer-wait-time": 0 },
        "renew-timer": 900, "rebind-timer": 1500, "preferred-lifetime": 3600, "valid-lifetime": 3600,
        "server-id": { "type": "LL", "persist": false },
        "subnet6": [{ "id": 1, "subnet": PREFIX, "interface": BRIDGE, "pools": [{ "pool": POOL }] }],
        "loggers": [{ "name": "kea-dhcp6", "severity": "ERROR", "output_options": [{ "output": "stderr" }] }],
    }})
}
