//! Where it all happens: two namespaces, one cable, one database server.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipnet::Ipv6Net;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use orchestrator_lab::{Lab, Namespace, Postgres};
use orchestrator_load::{Clients, Load, Outcome, run};

/// The bridge on the servers' side, and the cable's end on the clients'.
pub(crate) const BRIDGE: &str = "br0";
pub(crate) const CABLE: &str = "c0";
/// The link's prefix, the servers' address on it, and the pool.
pub(crate) const PREFIX: &str = "fd39:9706:2786:6333::/64";
pub(crate) const ADDRESS: &str = "fd39:9706:2786:6333::1/64";
pub(crate) const POOL: &str = "fd39:9706:2786:6333:1::/80";
pub(crate) const POOL_FIRST: &str = "fd39:9706:2786:6333:1::";
pub(crate) const POOL_LAST: &str = "fd39:9706:2786:6333:1:ffff:ffff:ffff";

/// Syncs that are timed.
const SYNCS: u32 = 200;

/// Two namespaces with a cable between, and a database server.
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    pub(crate) servers: Namespace,
    pub(crate) clients: Namespace,
    pub(crate) postgres: Postgres,
    /// The daemon's binary, and that of the server that does nothing.
    pub(crate) orchestrator: PathBuf,
    pub(crate) responder: PathBuf,
}

impl Stage {
    pub(crate) fn build(orchestrator: PathBuf) -> Result<Self> {
        let lab = Lab::new()?;
        ensure!(
            statfs(lab.directory())?.filesystem_type() != TMPFS_MAGIC,
            "{:?} is in memory, where nothing is durable: set TMPDIR to a directory on a disk",
            lab.directory()
        );
        let servers = lab.namespace("servers")?;
        let clients = lab.namespace("clients")?;
        servers.disable_dad()?;
        clients.disable_dad()?;
        servers.bridge(BRIDGE, Some(ADDRESS))?;
        clients.connect(CABLE, &servers, "port0", Some(BRIDGE))?;
        let postgres = Postgres::start_synced(&lab)?;
        let stage = Self {
            lab,
            servers,
            clients,
            postgres,
            orchestrator,
            responder: std::env::current_exe()?.with_file_name("dhcp6-load"),
        };
        stage.check_postgres()?;
        Ok(stage)
    }

    /// What the database server says that it does.
    fn check_postgres(&self) -> Result<()> {
        let url = self.postgres.database()?;
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let said = self.psql(
                &url,
                &["--tuples-only", "--no-align", "--command", &format!("show {setting}")],
            )?;
            ensure!(said.trim() == "on", "PostgreSQL runs with {setting} = {}", said.trim());
        }
        Ok(())
    }

    /// How long it takes to append to a file and have that on disk: no server that replies then can be faster.
    pub(crate) fn time_of_a_sync(&self) -> Result<Duration> {
        let mut file = File::create(self.lab.directory().join("sync"))?;
        let began = Instant::now();
        for _ in 0..SYNCS {
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
        }
        Ok(began.elapsed() / SYNCS)
    }

    /// Runs psql; its output comes back.
    pub(crate) fn psql(&self, url: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.lab.command("psql");
        command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", url]);
        output(command.args(arguments))
    }

    /// Puts load on the server.
    pub(crate) fn load(&self, clients: &mut Clients, load: &Load) -> Result<Outcome> {
        let pool: Ipv6Net = POOL.parse()?;
        let outcome = self
            .clients
            .within(|| run(CABLE, pool, clients, load, &AtomicBool::new(false)))?;
        outcome.faults.check()?;
        Ok(outcome)
    }

    pub(crate) fn remove(self) -> Result<()> {
        drop(self.postgres);
        self.lab.remove()
    }
}

/// Runs a command to its end.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
