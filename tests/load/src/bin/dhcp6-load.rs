//! Puts load on a DHCPv6 server, or answers like one that does nothing.

use std::net::Ipv6Addr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use ipnet::Ipv6Net;
use orchestrator_load::{Clients, Latency, Load, Outcome, Pace, Work, highest, respond, run};

/// Puts load on a DHCPv6 server, or answers like one that does nothing.
#[derive(Parser)]
struct Arguments {
    /// The interface that leads to the other side; its name is looked up in the caller's network namespace.
    #[arg(long, short)]
    interface: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Simulate clients.
    Send(Send),
    /// Answer everyone, and remember nothing.
    Respond {
        /// The first address; a client's number is added to it.
        #[arg(long, default_value = "fd39:9706:2786:6333:1::")]
        prefix: Ipv6Addr,
    },
}

#[derive(clap::Args)]
struct Send {
    /// What the clients want, one after the other.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "new")]
    work: Vec<Kind>,
    /// Exchanges a second (open loop).
    #[arg(long, conflicts_with = "window")]
    rate: Option<f64>,
    /// Exchanges under way at the same time (closed loop).
    #[arg(long)]
    window: Option<usize>,
    /// How long each lasts, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Look for the highest rate with less than 1 % loss, from --rate on.
    #[arg(long, requires = "rate")]
    search: bool,
    /// Number of the first client.
    #[arg(long, default_value_t = 1)]
    first: u32,
    /// Addresses that the server may give.
    #[arg(long, default_value = "fd39:9706:2786:6333::/64")]
    pool: Ipv6Net,
    /// One JSON object for each outcome instead of words.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    New,
    Renew,
    Release,
    Mixed,
}

impl From<Kind> for Work {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::New => Self::New,
            Kind::Renew => Self::Renew,
            Kind::Release => Self::Release,
            Kind::Mixed => Self::Mixed,
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.verb {
        Verb::Respond { prefix } => respond(&arguments.interface, *prefix, &AtomicBool::new(false)),
        Verb::Send(send) => work(&arguments.interface, send),
    }
}

fn work(interface: &str, send: &Send) -> Result<()> {
    let pace = send.rate.map_or(Pace::Window(send.window.unwrap_or(64)), Pace::Rate);
    let mut clients = Clients::new(send.first, 0);
    for kind in &send.work {
        let load = Load::new((*kind).into(), pace, Duration::from_secs_f64(send.seconds));
        let mut attempt = |load: Load| -> Result<Outcome> {
            let outcome = run(interface, send.pool, &mut clients, &load, &AtomicBool::new(false))?;
            tell(&outcome, send.json)?;
            outcome.faults.check()?;
            Ok(outcome)
        };
        match send.rate.filter(|_| send.search) {
            None => drop(attempt(load)?),
            Some(guess) => {
                let stands = |rate| {
                    let outcome = attempt(Load {
                        pace: Pace::Rate(rate),
                        ..load
                    })?;
                    Ok(outcome.loss() < 0.01 && outcome.rate > 0.95 * rate)
                };
                match highest(guess, stands)? {
                    Some(rate) => println!("highest rate with less than 1 % loss: {rate:.0} a second"),
                    None => println!("there is loss at every rate"),
                }
            }
        }
    }
    Ok(())
}

fn tell(outcome: &Outcome, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(outcome)?);
        return Ok(());
    }
    println!(
        "{} begun, {} complete ({:.0} a second, {:.2} % lost) in {:.1} s; wrong answers: {}",
        outcome.begun,
        outcome.completed,
        outcome.rate,
        100.0 * outcome.loss(),
        outcome.seconds,
        outcome.faults
    );
    for (what, latency) in [
        ("to Advertise", outcome.advertise),
        ("to Reply", outcome.reply),
        ("exchange", outcome.exchange),
    ] {
        let Latency {
            count,
            mean,
            p50,
            p90,
            p99,
            max,
        } = latency;
        if count > 0 {
            println!("  {what:<14} mean {mean:.3}  p50 {p50:.3}  p90 {p90:.3}  p99 {p99:.3}  max {max:.3} ms");
        }
    }
    Ok(())
}
