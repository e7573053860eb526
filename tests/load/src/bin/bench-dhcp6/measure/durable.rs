//! Whether what clients were told is on disk when they are told.
//!
//! - One client after the other: no two can share a sync, so that a server which syncs before it replies has to sync
//!   at least once an exchange. The kernel is asked how often it was told to.
//! - A crowd, amid which the server is killed (SIGKILL): every lease that a client has a Reply for must be in the
//!   database. Whether a sync reaches the platters is the disk's business, and not looked at.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orchestrator_load::{Clients, Load, Pace, Work, held};

use super::{FIRST, START, WINDOW};
use crate::figures::{Figure, Figures};
use crate::server::Ready;
use crate::stage::Stage;
use crate::syncs::Syncs;

/// Exchanges one after the other.
const ALONE: u64 = 50;
/// When the server is killed.
const KILLED: Duration = Duration::from_millis(700);
/// How long clients go on: those that wait for the killed server give up.
const SPAN: Duration = Duration::from_millis(1000);

pub(super) fn measure(stage: &Stage, figures: &mut Figures) -> Result<()> {
    if !figures.kind.has_bindings() {
        return Ok(());
    }
    count_syncs(stage, figures)?;
    if figures.kind.is_ours() {
        kill_under_load(stage, figures)?;
    }
    Ok(())
}

fn count_syncs(stage: &Stage, figures: &mut Figures) -> Result<()> {
    let kind = figures.kind;
    let ready = Ready::new(stage, kind, 0)?;
    // A database server begins a process for each connection, and has to be watched before.
    let database = kind
        .in_postgres()
        .then(|| Syncs::watch(stage, stage.postgres.pid()))
        .transpose()?;
    let (server, _) = ready.start(START)?;
    let syncs = database.map_or_else(|| Syncs::watch(stage, server.pid()), Ok)?;
    let load = Load {
        most: ALONE,
        ..Load::new(Work::New, Pace::Window(1), Duration::from_secs(20))
    };
    let before = syncs.count()?;
    let outcome = stage.load(&mut Clients::new(FIRST, 0), &load)?;
    let counted = syncs.count()? - before;
    eprintln!("  {} exchanges one by one, {counted} syncs", outcome.completed);
    figures.add(Figure::Alone, outcome.completed as f64);
    figures.add(Figure::Syncs, counted as f64);
    ensure!(
        !kind.is_ours() || counted as u64 >= outcome.completed,
        "{} Replies, but only {counted} syncs to disk",
        outcome.completed
    );
    Ok(())
}

fn kill_under_load(stage: &Stage, figures: &mut Figures) -> Result<()> {
    let (server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let mut clients = Clients::new(FIRST, 0);
    let process = Pid::from_raw(server.pid().try_into()?);
    // Until `server` is dropped the process is waited for by nobody, so that its id is its own.
    let killer = thread::spawn(move || {
        thread::sleep(KILLED);
        kill(process, Signal::SIGKILL)
    });
    stage.load(&mut clients, &Load::new(Work::New, Pace::Window(WINDOW), SPAN))?;
    let killed = killer.join().ok().context("the killer died")?;
    killed.context("cannot kill the server")?;
    let url = server.url().context("it has no database")?.to_owned();
    drop(server);
    let known: HashSet<_> = held(&url)?.into_iter().collect();
    let promised: Vec<_> = clients
        .iter()
        .filter_map(|(duid, client)| Some((duid.to_vec(), client.certain()?)))
        .collect();
    let lost = promised.iter().filter(|lease| !known.contains(*lease)).count();
    eprintln!(
        "  killed amid a crowd: {} had a Reply, {lost} of them unknown",
        promised.len()
    );
    figures.add(Figure::Promised, promised.len() as f64);
    figures.add(Figure::Lost, lost as f64);
    ensure!(lost == 0, "{lost} of {} leases are lost", promised.len());
    ensure!(!promised.is_empty(), "nobody had a Reply before the server was killed");
    Ok(())
}
