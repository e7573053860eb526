//! What is measured of each server.

use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_lab::tail;
use orchestrator_load::{Clients, Latency, Load, Outcome, Pace, Work, highest};
use serde::Serialize;

use crate::perfdhcp::{Said, perfdhcp};
use crate::preload;
use crate::server::{Kind, Ready, Running};
use crate::stage::Stage;

/// Exchanges under way at the same time in a closed loop.
const WINDOW: usize = 128;
/// Latency is measured at this rate, and processor time at the other.
const LOW_RATE: f64 = 100.0;
const MIDDLE_RATE: f64 = 1000.0;
/// Loss below this is none.
const LOSS: f64 = 0.01;
/// How long a server may take to its first answer.
const START: Duration = Duration::from_secs(20);
/// How long it may take with a full database; one that takes longer is told to never answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Numbers of clients that are not in any database.
const FIRST: u32 = 0x1000_0000;
/// Clients of a database that are asked whether the server knows them.
const KNOWN: u64 = 200;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// New clients, renewals and releases in a closed loop.
    Crowd,
    /// The highest rate of new clients in an open loop.
    Highest,
    /// Latency and processor time at rates that every server stands.
    Calm,
    /// What perfdhcp says.
    Perfdhcp,
    /// Starts with full databases.
    Starts,
}

impl Part {
    pub(crate) const ALL: [Self; 5] = [Self::Crowd, Self::Highest, Self::Calm, Self::Perfdhcp, Self::Starts];
}

/// How much is measured.
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// How long one probe lasts, and one look at latency.
    pub(crate) probe: Duration,
    pub(crate) look: Duration,
    /// Bindings in the database at a start, and for whom as many as the second.
    pub(crate) bindings: [u32; 2],
    pub(crate) many: &'static [Kind],
}

impl Extent {
    pub(crate) const SHORT: Self = Self {
        rounds: 1,
        probe: Duration::from_millis(1500),
        look: Duration::from_secs(3),
        bindings: [100_000, 1_000_000],
        many: &[Kind::Sqlite, Kind::Kea],
    };
    pub(crate) const LONG: Self = Self {
        rounds: 3,
        probe: Duration::from_secs(5),
        look: Duration::from_secs(10),
        bindings: [100_000, 1_000_000],
        many: &[Kind::Sqlite, Kind::Postgres, Kind::Kea, Kind::KeaPostgres],
    };
}

/// What came of it. Rates are per second, processor times in microseconds an exchange, memory in bytes a lease.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    /// New clients, open loop: the highest rate with less than 1 % loss.
    pub(crate) highest: f64,
    /// Closed loop.
    pub(crate) new: f64,
    pub(crate) renew: f64,
    pub(crate) release: f64,
    /// At 100 a second.
    pub(crate) advertise: Latency,
    pub(crate) reply: Latency,
    /// At 1,000 a second, and in the closed loop of new clients: the server, the database server.
    pub(crate) processor: [f64; 2],
    pub(crate) processor_full: [f64; 2],
    /// By what the closed loop of new clients added.
    pub(crate) memory: f64,
    pub(crate) starts: Vec<Start>,
    pub(crate) perfdhcp: Said,
}

/// A start with bindings in the database.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Start {
    pub(crate) bindings: u32,
    /// Seconds to the first answer; infinite when there was none within a minute.
    pub(crate) seconds: f64,
    /// Bytes of memory for each binding beyond what the server has without any.
    pub(crate) memory: f64,
}

impl Start {
    fn never(bindings: u32) -> Self {
        Self {
            bindings,
            seconds: f64::INFINITY,
            memory: f64::NAN,
        }
    }
}

impl Figures {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            highest: f64::NAN,
            new: f64::NAN,
            renew: f64::NAN,
            release: f64::NAN,
            advertise: Latency::default(),
            reply: Latency::default(),
            processor: [f64::NAN; 2],
            processor_full: [f64::NAN; 2],
            memory: f64::NAN,
            starts: Vec::new(),
            perfdhcp: Said::default(),
        }
    }
}

pub(crate) fn measure(stage: &Stage, kind: Kind, parts: &[Part], extent: &Extent) -> Result<Figures> {
    let mut figures = Figures::of(kind);
    for part in parts {
        match part {
            Part::Crowd => crowd(stage, extent, &mut figures)?,
            Part::Highest => figures.highest = find_highest(stage, extent, &figures)?,
            Part::Calm => calm(stage, extent, &mut figures)?,
            Part::Perfdhcp => figures.perfdhcp = check(stage, extent, &figures)?,
            Part::Starts => figures.starts = starts(stage, kind, extent)?,
        }
    }
    Ok(figures)
}

/// Closed loop: as fast as it can, with a crowd that waits for its answers.
fn crowd(stage: &Stage, extent: &Extent, figures: &mut Figures) -> Result<()> {
    let (server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let mut clients = Clients::new(FIRST, 0);
    let memory = server.memory()?;
    let mut go = |work| {
        let before = server.usage()?;
        let outcome = stage.load(&mut clients, &Load::new(work, Pace::Window(WINDOW), extent.probe))?;
        tell(&format!("{work:?}, {WINDOW} at a time"), &outcome);
        anyhow::Ok((outcome, processor(&server, before, &outcome)?, server.memory()?))
    };
    let (new, processor, grown) = go(Work::New)?;
    figures.new = new.rate;
    figures.processor_full = processor;
    figures.memory = grown.saturating_sub(memory) as f64 / new.completed.max(1) as f64;
    figures.renew = go(Work::Renew)?.0.rate;
    figures.release = go(Work::Release)?.0.rate;
    Ok(())
}

/// perfdhcp, a little below what this generator found.
fn check(stage: &Stage, extent: &Extent, figures: &Figures) -> Result<Said> {
    let (_server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let rate = figures.highest.min(8000.0) * 0.9;
    perfdhcp(stage, if rate > 10.0 { rate } else { LOW_RATE }, extent.look)
}

/// Open loop: a fresh server for every probe, and a second one where it was near.
fn find_highest(stage: &Stage, extent: &Extent, figures: &Figures) -> Result<f64> {
    let guess = if figures.new.is_nan() { MIDDLE_RATE } else { figures.new };
    let attempt = |rate: f64| {
        let (_server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
        let load = Load::new(Work::New, Pace::Rate(rate), extent.probe);
        let outcome = stage.load(&mut Clients::new(FIRST, 0), &load)?;
        tell(&format!("New, {rate:.0} a second"), &outcome);
        // What it only puts off until nobody asks any more is not stood either.
        let stands = outcome.loss() < LOSS && outcome.rate > 0.95 * rate;
        anyhow::Ok((stands, outcome.loss()))
    };
    let found = highest(guess * 0.85, |rate| {
        let (stands, loss) = attempt(rate)?;
        Ok(stands || (loss < 0.1 && attempt(rate)?.0))
    })?;
    Ok(found.unwrap_or_default())
}

/// At rates that every server stands.
fn calm(stage: &Stage, extent: &Extent, figures: &mut Figures) -> Result<()> {
    let (server, _) = Ready::new(stage, figures.kind, 0)?.start(START)?;
    let mut clients = Clients::new(FIRST, 0);
    // What happens once, such as preparing statements, is not of every exchange.
    let warm = Load::new(Work::New, Pace::Rate(LOW_RATE), Duration::from_millis(300));
    stage.load(&mut clients, &warm)?;
    let low = stage.load(&mut clients, &Load::new(Work::New, Pace::Rate(LOW_RATE), extent.look))?;
    tell("New, at the low rate", &low);
    (figures.advertise, figures.reply) = (low.advertise, low.reply);
    let before = server.usage()?;
    let middle = stage.load(
        &mut clients,
        &Load::new(Work::New, Pace::Rate(MIDDLE_RATE), extent.look),
    )?;
    figures.processor = processor(&server, before, &middle)?;
    tell("New, at the middle rate", &middle);
    Ok(())
}

fn starts(stage: &Stage, kind: Kind, extent: &Extent) -> Result<Vec<Start>> {
    if !kind.has_bindings() {
        return Ok(Vec::new());
    }
    let (empty, _) = Ready::new(stage, kind, 0)?.start(START)?;
    let without = empty.memory()?;
    drop(empty);
    let [some, many] = extent.bindings;
    let counts = if extent.many.contains(&kind) {
        vec![some, many]
    } else {
        vec![some]
    };
    counts
        .into_iter()
        .map(|count| start(stage, kind, count, without))
        .collect()
}

fn start(stage: &Stage, kind: Kind, bindings: u32, without: u64) -> Result<Start> {
    let ready = Ready::new(stage, kind, bindings)?;
    let (server, took) = match ready.start(PATIENCE) {
        Ok(started) => started,
        Err(fault) => {
            eprintln!("  {bindings} bindings: {fault}");
            return Ok(Start::never(bindings));
        }
    };
    let memory = server.memory()?;
    // It answers, but does it know them?
    let mut clients = Clients::holding(1, bindings, &server.server, preload::address);
    let load = Load {
        most: KNOWN,
        ..Load::new(Work::Renew, Pace::Window(8), Duration::from_secs(10))
    };
    let outcome = stage.load(&mut clients, &load)?;
    ensure!(
        outcome.completed == KNOWN,
        "it knows {} of {KNOWN} clients; wrong answers: {}; {}",
        outcome.completed,
        outcome.faults,
        tail(&server.log(), 1)
    );
    eprintln!("  {bindings} bindings: {:.2} s to the first answer", took.as_secs_f64());
    Ok(Start {
        bindings,
        seconds: took.as_secs_f64(),
        memory: memory.saturating_sub(without) as f64 / f64::from(bindings),
    })
}

/// Microseconds for each exchange, of the server and of the database server.
fn processor(
    server: &Running<'_>,
    before: (orchestrator_load::Usage, orchestrator_load::Usage),
    outcome: &Outcome,
) -> Result<[f64; 2]> {
    let after = server.usage()?;
    let each = |used: Duration| used.as_secs_f64() * 1e6 / outcome.completed.max(1) as f64;
    Ok([each((after.0 - before.0).total()), each((after.1 - before.1).total())])
}

fn tell(what: &str, outcome: &Outcome) {
    eprintln!(
        "  {what}: {:.0} a second, {:.2} % lost, wrong answers: {}",
        outcome.rate,
        100.0 * outcome.loss(),
        outcome.faults
    );
}

/// The median of every figure, server by server.
pub(crate) fn medians(rounds: &[Vec<Figures>]) -> Vec<Figures> {
    let Some(first) = rounds.first() else { return Vec::new() };
    (0..first.len())
        .map(|server| {
            let all: Vec<&Figures> = rounds.iter().map(|round| &round[server]).collect();
            median_of(&all)
        })
        .collect()
}

fn median_of(all: &[&Figures]) -> Figures {
    let of = |figure: &dyn Fn(&Figures) -> f64| median(all.iter().map(|figures| figure(figures)).collect());
    let latency = |part: &dyn Fn(&Figures) -> Latency| Latency {
        count: part(all[0]).count,
        mean: of(&|figures| part(figures).mean),
        p50: of(&|figures| part(figures).p50),
        p90: of(&|figures| part(figures).p90),
        p99: of(&|figures| part(figures).p99),
        max: of(&|figures| part(figures).max),
    };
    Figures {
        kind: all[0].kind,
        highest: of(&|figures| figures.highest),
        new: of(&|figures| figures.new),
        renew: of(&|figures| figures.renew),
        release: of(&|figures| figures.release),
        advertise: latency(&|figures| figures.advertise),
        reply: latency(&|figures| figures.reply),
        processor: [0, 1].map(|part| of(&|figures| figures.processor[part])),
        processor_full: [0, 1].map(|part| of(&|figures| figures.processor_full[part])),
        memory: of(&|figures| figures.memory),
        starts: (0..all[0].starts.len())
            .map(|start| Start {
                bindings: all[0].starts[start].bindings,
                seconds: of(&|figures| figures.starts[start].seconds),
                memory: of(&|figures| figures.starts[start].memory),
            })
            .collect(),
        perfdhcp: Said {
            asked: of(&|figures| figures.perfdhcp.asked),
            rate: of(&|figures| figures.perfdhcp.rate),
            advertise: of(&|figures| figures.perfdhcp.advertise),
            reply: of(&|figures| figures.perfdhcp.reply),
        },
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
