//! The servers: each is started with an empty lease database, or with bindings that were put there before.

mod dnsmasq;
mod kea;
mod ours;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use orchestrator_lab::Program;
use orchestrator_load::{Clients, Load, Pace, Usage, Work, processor_time, resident};
use serde::Serialize;

use crate::stage::{BRIDGE, POOL_FIRST, Stage};

/// Number of the client that only asks whether the server is there.
const PROBE: u32 = 0xf000_0000;
/// How often that is asked.
const PERIOD: Duration = Duration::from_millis(20);

/// The servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Nothing,
    Sqlite,
    Postgres,
    Kea,
    KeaThreads,
    KeaPostgres,
    Dnsmasq,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Sqlite,
        Self::Postgres,
        Self::Kea,
        Self::KeaThreads,
        Self::KeaPostgres,
        Self::Dnsmasq,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "does nothing (ceiling)",
            Self::Sqlite => "orchestrator, SQLite",
            Self::Postgres => "orchestrator, PostgreSQL",
            Self::Kea => "Kea, memfile",
            Self::KeaThreads => "Kea, memfile, 2 threads",
            Self::KeaPostgres => "Kea, PostgreSQL",
            Self::Dnsmasq => "dnsmasq, lease file",
        }
    }

    /// Whether it keeps its bindings in PostgreSQL.
    pub(crate) const fn in_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::KeaPostgres)
    }

    /// Whether it is this project's.
    pub(crate) const fn is_ours(self) -> bool {
        matches!(self, Self::Sqlite | Self::Postgres)
    }

    /// Whether it has bindings at all.
    pub(crate) const fn has_bindings(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// A server that is set up to start.
pub(crate) struct Ready<'a> {
    stage: &'a Stage,
    kind: Kind,
    command: Command,
    url: Option<String>,
    log: PathBuf,
}

impl<'a> Ready<'a> {
    /// Sets a server up, with so many bindings in its database.
    pub(crate) fn new(stage: &'a Stage, kind: Kind, bindings: u32) -> Result<Self> {
        let place = stage.lab.place("bench")?;
        let url = match kind {
            Kind::Sqlite => Some(format!("sqlite://{}/orchestrator.db", place.display())),
            Kind::Postgres => Some(stage.postgres.database()?),
            _ => None,
        };
        let command = match kind {
            Kind::Nothing => {
                let mut command = stage.servers.command(&stage.responder);
                command.args(["--interface", BRIDGE, "respond", "--prefix", POOL_FIRST]);
                command
            }
            Kind::Sqlite | Kind::Postgres => {
                ours::command(stage, url.as_deref().unwrap_or_default(), &place, bindings)?
            }
            Kind::Kea | Kind::KeaThreads | Kind::KeaPostgres => kea::command(stage, kind, &place, bindings)?,
            Kind::Dnsmasq => dnsmasq::command(stage, &place, bindings)?,
        };
        Ok(Self {
            stage,
            kind,
            command,
            url,
            log: place.join("server.log"),
        })
    }

    /// Starts it and waits for its first answer; says how long that took.
    pub(crate) fn start(self, limit: Duration) -> Result<(Running<'a>, Duration)> {
        let began = Instant::now();
        let mut running = Running {
            stage: self.stage,
            kind: self.kind,
            program: Program::start(self.command, &self.log)?,
            url: self.url,
            server: Vec::new(),
        };
        let mut client = Clients::new(PROBE, 1);
        let load = Load {
            patience: PERIOD,
            most: 1,
            ..Load::new(Work::New, Pace::Window(1), PERIOD)
        };
        while running.stage.load(&mut client, &load)?.advertise.count == 0 {
            let alive = running.program.is_running();
            ensure!(
                alive && began.elapsed() < limit,
                "it does not answer: {}",
                running.program.log()
            );
        }
        running.server = client.server().to_vec();
        Ok((running, began.elapsed()))
    }
}

/// A server that answers. Killed when dropped.
pub(crate) struct Running<'a> {
    stage: &'a Stage,
    kind: Kind,
    program: Program,
    url: Option<String>,
    /// Its DUID.
    pub(crate) server: Vec<u8>,
}

impl Running<'_> {
    /// What it has used so far: itself, and the database server.
    pub(crate) fn usage(&self) -> Result<(Usage, Usage)> {
        let database = match self.kind.in_postgres() {
            true => processor_time(self.stage.postgres.pid())?,
            false => Usage::default(),
        };
        Ok((processor_time(self.program.pid())?, database))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Where this project's daemon has its database.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        self.program.log()
    }

    /// Bytes of memory that are its own; the database server's are not counted.
    pub(crate) fn memory(&self) -> Result<u64> {
        resident(self.program.pid())
    }
}
