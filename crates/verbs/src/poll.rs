//! `orchestrator poll`: what instances use of processor and memory.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use orchestrator_api_types::{ContainerStats, InstanceStats};
use serde::Serialize;
use tokio::time::sleep;

use super::failure::Failure;
use super::page;
use super::select::{Each, Numbers, Selected, select, span};
use super::session::Session;
use super::table::table;

/// How many instances are measured at the same time.
const AT_ONCE: usize = 16;

/// Arguments of `poll`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instances: names or patterns, like 'web-*'
    #[arg(value_name = "INSTANCE", default_value = "*")]
    names: Vec<String>,
    #[command(flatten)]
    which: Numbers,
    /// The time between the two measurements that the use of the processor is counted from
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = span)]
    over: Duration,
}

/// What a container uses.
#[derive(Debug, Serialize)]
struct Use {
    id: String,
    name: String,
    container: String,
    /// Of one processor, in percent.
    cpu_percent: f64,
    cpu_nanoseconds: u64,
    memory: u64,
    pids: Option<u64>,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let chosen = select(&args.names, &args.which, session).await?;
    let before = measure(&chosen, session).await;
    sleep(args.over).await;
    let after = measure(&chosen, session).await;
    let mut all = Each::of(&chosen);
    let mut used = Vec::new();
    for ((before, after), one) in before.into_iter().zip(after).zip(&chosen) {
        match (before, after) {
            (Ok(before), Ok(after)) => used.extend(between(one, &before, &after)),
            (_, Err(failure)) | (Err(failure), Ok(_)) => all.failed(&one.name, failure, session),
        }
    }
    if session.output.is_data() {
        session.print_json(&used)?;
    } else {
        session.print(&render(used))?;
    }
    all.end()
}

async fn measure(chosen: &[Selected], session: &Session<'_>) -> Vec<Result<InstanceStats, Failure>> {
    let mut measurements: Vec<BoxFuture<'_, _>> = Vec::with_capacity(chosen.len());
    for one in chosen {
        let path = format!("{}/stats", one.path());
        let measuring = async move { page::parse(&session.api.get(&path).await?, "measurements") };
        measurements.push(measuring.boxed());
    }
    stream::iter(measurements).buffered(AT_ONCE).collect().await
}

fn between(one: &Selected, before: &InstanceStats, after: &InstanceStats) -> Vec<Use> {
    let elapsed = after.at.since(before.at).as_secs_f64();
    let of = |container: &ContainerStats| {
        let earlier = before
            .containers
            .iter()
            .find(|other| other.container == container.container);
        // One that was restarted in between counts from its start.
        let spent = container
            .cpu_nanoseconds
            .saturating_sub(earlier.map_or(0, |earlier| earlier.cpu_nanoseconds));
        Use {
            id: one.id.to_string(),
            name: one.name.clone(),
            container: container.container.clone(),
            cpu_percent: percent(Duration::from_nanos(spent), elapsed),
            cpu_nanoseconds: container.cpu_nanoseconds,
            memory: container.memory,
            pids: container.pids,
        }
    };
    after.containers.iter().map(of).collect()
}

fn percent(spent: Duration, elapsed: f64) -> f64 {
    if elapsed <= 0.0 {
        return 0.0;
    }
    // One digit behind the point is what two measurements are good for.
    (spent.as_secs_f64() / elapsed * 1000.0).round() / 10.0
}

fn render(used: Vec<Use>) -> String {
    let rows = used.into_iter().map(|one| {
        vec![
            one.name,
            one.container,
            format!("{:.1} %", one.cpu_percent),
            bytes(one.memory),
            one.pids.map(|pids| pids.to_string()).unwrap_or_default(),
        ]
    });
    table(&["INSTANCE", "CONTAINER", "CPU", "MEMORY", "PROCESSES"], rows)
}

/// An amount of memory in the largest unit of which there is one at least.
fn bytes(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => {
            let tenths = bytes.saturating_mul(10) / size;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_shares_are_short() {
        assert_eq!([bytes(17), bytes(1536), bytes(3 << 30)], ["17 B", "1.5 KiB", "3.0 GiB"]);
        assert_eq!(percent(Duration::from_millis(250), 1.0), 25.0);
        assert_eq!(percent(Duration::from_secs(1), 0.0), 0.0);
    }
}
