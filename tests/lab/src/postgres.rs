//! A PostgreSQL server of the lab's own, on a unix socket.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::namespace::output;
use crate::{Lab, Program};

/// How long the server may take to start or stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, with an empty cluster of its own. Killed when dropped.
pub struct Postgres {
    synced: Synced,
    lab: Lab,
    place: PathBuf,
    programs: PathBuf,
    user: User,
    server: Program,
    /// Databases made so far, for their names.
    databases: AtomicU32,
}

/// Whether a server syncs what it commits to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synced {
    /// It does, as PostgreSQL does by default.
    Yes,
    /// It does not: what is tested against it is not PostgreSQL's durability.
    No,
}

impl Postgres {
    /// Makes a cluster and starts a server for it, which syncs nothing to disk.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed, or does not start within a minute; with the end of its log.
    pub fn start(lab: &Lab) -> Result<Self> {
        Self::make(lab, Synced::No)
    }

    /// [`Postgres::start`], but what it commits is on disk, as PostgreSQL does by default.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed, or does not start within a minute; with the end of its log.
    pub fn start_synced(lab: &Lab) -> Result<Self> {
        Self::make(lab, Synced::Yes)
    }

    fn make(lab: &Lab, synced: Synced) -> Result<Self> {
        let programs = newest_programs()?;
        let place = lab.place("postgres")?;
        let user = unprivileged_user()?;
        chown(&place, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        let cluster = place.join("cluster");
        let mut initdb = lab.command(programs.join("initdb"));
        initdb.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir("/");
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--pgdata",
        ]);
        output(initdb.arg(&cluster)).context("cannot make a database cluster")?;
        let server = launch(lab, &programs, &place, &user, synced)?;
        let mut postgres = Self {
            synced,
            lab: lab.clone(),
            place,
            programs,
            user,
            server,
            databases: AtomicU32::new(0),
        };
        postgres.await_ready()?;
        Ok(postgres)
    }

    /// One server for all tests of a process, in a lab of its own. It ends with the process.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            let start = || Self::start(&Lab::new()?);
            start().expect("a database server for all tests of this process")
        })
    }

    /// Makes an empty database of a name nobody else has; its URL comes back.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn database(&self) -> Result<String> {
        let name = format!("lab{}", self.databases.fetch_add(1, Ordering::Relaxed));
        output(self.tool("createdb").args(["--username=postgres", &name]))?;
        Ok(format!(
            "postgres:///{name}?host={}&user=postgres",
            self.place.display()
        ))
    }

    /// Drops a database that [`Postgres::database`] made, whoever is connected to it, and makes an empty one of its name.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn recreate(&self, url: &str) -> Result<()> {
        let name = url
            .trim_start_matches("postgres:///")
            .split('?')
            .next()
            .unwrap_or_default();
        output(self.tool("dropdb").args(["--username=postgres", "--force", name]))?;
        output(self.tool("createdb").args(["--username=postgres", name])).map(drop)
    }

    /// Its socket, by which it can be reached besides by URL.
    pub fn socket(&self) -> PathBuf {
        self.place.join(".s.PGSQL.5432")
    }

    /// The server's process id; its backends are children of it.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Stops the server at once, without ceremony: clients lose their connections.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        if self.server.is_running() {
            self.server.signal(Signal::SIGQUIT)?;
        }
        self.server.wait(PATIENCE).map(drop)
    }

    /// Starts the server again after [`Postgres::stop`].
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn resume(&mut self) -> Result<()> {
        if !self.server.is_running() {
            self.server = launch(&self.lab, &self.programs, &self.place, &self.user, self.synced)?;
        }
        self.await_ready()
    }

    fn await_ready(&mut self) -> Result<()> {
        let mut probe = self.tool("pg_isready");
        self.server.poll("PostgreSQL to answer", PATIENCE, || {
            output(&mut probe).is_ok().then_some(())
        })
    }

    /// One of PostgreSQL's own client programs, pointed at this server.
    fn tool(&self, program: &str) -> Command {
        let mut command = self.lab.command(self.programs.join(program));
        command.arg("--host").arg(&self.place);
        command
    }
}

/// Starts the server as `user`.
fn launch(lab: &Lab, programs: &Path, place: &Path, user: &User, synced: Synced) -> Result<Program> {
    let mut command = lab.command("unshare");
    // With an IPC namespace of its own it leaves no shared memory behind, however it ends.
    command.arg("--ipc").args([
        "--setgid",
        &user.gid.to_string(),
        "--setuid",
        &user.uid.to_string(),
        "--",
    ]);
    command
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(place.join("cluster"))
        .arg("-k")
        .arg(place);
    for setting in [
        "listen_addresses=",
        "dynamic_shared_memory_type=mmap",
        "max_connections=500",
        if synced == Synced::Yes { "fsync=on" } else { "fsync=off" },
    ] {
        command.args(["-c", setting]);
    }
    Program::start(command, &place.with_extension("log"))
}

/// A user who is not root, as PostgreSQL wants it.
fn unprivileged_user() -> Result<User> {
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(user);
        }
    }
    bail!("the machine has neither a user `postgres` nor `nobody` to run PostgreSQL as")
}

/// Where the newest PostgreSQL server's programs are; Debian does not put them on the path.
fn newest_programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let paths = versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/initdb").exists());
    let newest = paths.max_by_key(|path| version(path));
    Ok(newest
        .context("/usr/lib/postgresql has no server; install the package postgresql")?
        .join("bin"))
}
