//! DNS: answers per second against Knot and dnsmasq, and how long a name takes to be right after a change.
//!
//! ```text
//! bench-dns ORCHESTRATOR [--quick] [--json FILE]
//! ```
//!
//! - **Answers**: the same 200 names, asked for by dnsperf over loopback. Each server runs on the first processor and has
//!   it for itself, dnsperf on the second. The servers take turns in each round; medians of the rounds are printed.
//! - **Processor time**: dnsperf asks no more than one processor can, and a server may be idle meanwhile. So the time that
//!   a server spends on its processor is measured: the answers that it gives in a second of it. It has
//!   nothing of what the kernel does for dnsperf, such as queueing a question to the server.
//! - **Change**: a lease is recorded with another client, and the name is asked for until it leads to its address. The time
//!   is from the answer of the API, which comes when the lease is durable.

mod change;
mod servers;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use orchestrator_lab::Lab;
use serde_json::json;

use crate::servers::{Kind, Site};

/// Names that are asked for.
const NAMES: u32 = 200;

/// Measures the DNS server.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary, of a release build.
    orchestrator: PathBuf,
    /// Few and short rounds.
    #[arg(long)]
    quick: bool,
    /// Where the figures are written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let orchestrator = arguments.orchestrator.canonicalize().context("no daemon there")?;
    let (rounds, seconds, changes) = if arguments.quick { (2, 1, 50) } else { (7, 3, 1000) };
    let lab = Lab::new()?;
    let site = Site::start(&lab, &orchestrator, NAMES)?;
    let questions = lab.directory().join("questions");
    let lines: String = (1..=NAMES)
        .map(|number| format!("{} AAAA\n", servers::name(number)))
        .collect();
    fs::write(&questions, lines)?;
    let mut rates: BTreeMap<Kind, Vec<Rate>> = BTreeMap::new();
    // The first round warms up.
    for round in 0..=rounds {
        for kind in in_turn(round) {
            let rate = ask(&site, kind, &questions.display().to_string(), seconds)?;
            if round > 0 {
                rates.entry(kind).or_default().push(rate);
            }
        }
    }
    let mut times = change::measure(&site, NAMES, changes)?;
    times.sort_unstable();
    report(&rates, &times);
    if let Some(path) = &arguments.json {
        let times: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        let all = |of: fn(&Rate) -> f64| -> BTreeMap<&str, Vec<f64>> {
            let rates = rates.iter();
            rates
                .map(|(kind, rates)| (kind.name(), rates.iter().map(of).collect()))
                .collect()
        };
        let figures = json!({
            "answers_per_second": all(|rate| rate.asked),
            "answers_per_processor_second": all(|rate| rate.able),
            "change_seconds": times,
        });
        let text = serde_json::to_string_pretty(&figures)?;
        fs::write(path, text).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}

/// All servers, another one first in each round.
fn in_turn(round: usize) -> impl Iterator<Item = Kind> {
    let all = Kind::ALL.into_iter().cycle().skip(round % Kind::ALL.len());
    all.take(Kind::ALL.len())
}

/// Answers of a server in one round.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// In a second: as many as dnsperf asked for.
    asked: f64,
    /// In a second of the server's processor time.
    able: f64,
}

/// Asks a server for so many seconds.
fn ask(site: &Site, kind: Kind, questions: &str, seconds: u32) -> Result<Rate> {
    let (port, seconds) = (kind.port().to_string(), seconds.to_string());
    let asked = [
        "-c", "1", "dnsperf", "-s", "::1", "-p", &port, "-d", questions, "-l", &seconds, "-c", "8", "-q", "200",
    ];
    let before = site.processor_time(kind)?;
    let shown = site.host().run("taskset", &asked)?;
    let spent = site.processor_time(kind)?.saturating_sub(before);
    let figure = |label: &str| {
        let line = shown.lines().find_map(|line| line.trim().strip_prefix(label))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    match (figure("Queries lost:"), shown.contains("NOERROR")) {
        (Some(lost), true) if lost < 1000.0 => {}
        _ => bail!("the answers of {} are no answers: {shown}", kind.name()),
    }
    let shows = |label| figure(label).with_context(|| format!("dnsperf shows no {label} {shown}"));
    Ok(Rate {
        asked: shows("Queries per second:")?,
        able: shows("Queries completed:")? / spent.as_secs_f64(),
    })
}

fn report(rates: &BTreeMap<Kind, Vec<Rate>>, times: &[Duration]) {
    let median = |kind: Kind, of: fn(&Rate) -> f64| {
        let mut all: Vec<f64> = rates.get(&kind).into_iter().flatten().map(of).collect();
        all.sort_unstable_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let table = |title: &str, of: fn(&Rate) -> f64| {
        println!("\n{title}:");
        let ours = median(Kind::Ours, of);
        for kind in Kind::ALL {
            let rate = median(kind, of);
            println!(
                "  {:<14} {rate:>9.0}   ours: {:.2} of it",
                kind.name(),
                ours / rate.max(1.0)
            );
        }
    };
    table("DNS answers per second, as many as one dnsperf asks for", |rate| {
        rate.asked
    });
    table("DNS answers per second of the server's processor time", |rate| {
        rate.able
    });
    let part = |part: usize| {
        let place = (times.len() * part / 1000).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    println!(
        "a name is right after its record: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms, of {}",
        part(500),
        part(990),
        part(1000),
        times.len()
    );
}
