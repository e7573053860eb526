//! Tables for people.

mod targets;

use std::time::Duration;

use crate::figures::{Did, Figure, Figures, Party, Said, Statistic};
use crate::measure::{Extent, LOW_RATE, MIDDLE_RATE, WINDOW};

pub(crate) fn print(all: &[Figures], extent: &Extent, sync: Duration, took: Duration) {
    println!(
        "\nDHCPv6 servers side by side: median of {} round(s), probes of {:.1} s, {:.0} s in all; nothing pinned.",
        extent.rounds,
        extent.probe.as_secs_f64(),
        took.as_secs_f64()
    );
    println!(
        "A bare write and sync takes this disk {:.2} ms: who syncs before the Reply cannot be faster.",
        sync.as_secs_f64() * 1e3
    );
    rates(all);
    latencies(all);
    costs(all);
    starts(all, extent);
    durability(all);
    targets::print(all, extent);
}

/// A row: who, and numbers each with so many digits after the point. What was not measured is a dash.
fn row(figures: &Figures, cells: &[(f64, usize)]) {
    print!("  {:<24}", figures.kind.name());
    cells
        .iter()
        .for_each(|(value, digits)| print!("{:>11}", number(*value, *digits)));
    println!();
}

fn number(value: f64, digits: usize) -> String {
    match value {
        value if value.is_nan() => "-".to_owned(),
        value if value.is_infinite() => "never".to_owned(),
        value => format!("{value:.digits$}"),
    }
}

fn head(title: &str, columns: &[&str]) {
    println!("\n{title}");
    print!("{:26}", "");
    columns.iter().for_each(|column| print!("{column:>11}"));
    println!();
}

fn rates(all: &[Figures]) {
    head(
        &format!(
            "Complete exchanges a second: new clients in an open loop with less than 1 % loss; {WINDOW} at a time in a closed \
             loop; what perfdhcp says"
        ),
        &["open loop", "new", "renew", "release", "perfdhcp", "asked", "others, %"],
    );
    for figures in all {
        let [new, renew, release] = Did::ALL.map(|did| (figures.get(Figure::Closed(did)), 0));
        let [rate, asked] = [Said::Rate, Said::Asked].map(|said| (figures.get(Figure::Perfdhcp(said)), 0));
        let others = (figures.get(Figure::Others) * 100.0, 0);
        row(
            figures,
            &[
                (figures.get(Figure::Highest), 0),
                new,
                renew,
                release,
                rate,
                asked,
                others,
            ],
        );
    }
    println!("  (others: what the rest of the machine took of its processors meanwhile)");
}

fn latencies(all: &[Figures]) {
    head(
        &format!(
            "Milliseconds at {LOW_RATE} a second: Solicit to Advertise, Request to Reply; perfdhcp's means at its rate"
        ),
        &[
            "mean", "p50", "p90", "p99", "mean", "p50", "p90", "p99", "perfdhcp", "perfdhcp",
        ],
    );
    for figures in all {
        let advertise = Statistic::ALL.map(|statistic| figures.get(Figure::Advertise(statistic)));
        let reply = Statistic::ALL.map(|statistic| figures.get(Figure::Reply(statistic)));
        let said = [Said::Advertise, Said::Reply].map(|said| figures.get(Figure::Perfdhcp(said)));
        let cells = advertise.into_iter().chain(reply).chain(said);
        row(figures, &cells.map(|value| (value, 2)).collect::<Vec<_>>());
    }
}

fn costs(all: &[Figures]) {
    head(
        &format!(
            "Processor time in µs an exchange of a new client: at {MIDDLE_RATE} a second, in the closed loop; bytes a lease"
        ),
        &[
            "server",
            "database",
            "generator",
            "server",
            "database",
            "generator",
            "memory",
        ],
    );
    for figures in all {
        let calm = Party::ALL.map(|party| figures.get(Figure::Calm(party)));
        let full = Party::ALL.map(|party| figures.get(Figure::Full(party)));
        let cells = calm.into_iter().chain(full).chain([figures.get(Figure::Memory)]);
        row(figures, &cells.map(|value| (value, 0)).collect::<Vec<_>>());
    }
}

fn starts(all: &[Figures], extent: &Extent) {
    head(
        "With bindings in the database: seconds from the start to the first answer, bytes of memory each; exchanges a second",
        &["bindings", "seconds", "memory", "new", "renew"],
    );
    for figures in all.iter().filter(|figures| figures.kind.has_bindings()) {
        let [new, renew] = [Did::New, Did::Renew].map(|did| (figures.get(Figure::Closed(did)), 0));
        row(figures, &[(0.0, 0), (f64::NAN, 0), (f64::NAN, 0), new, renew]);
        for &bindings in extent.bindings {
            let [new, renew] = [Did::New, Did::Renew].map(|did| (figures.get(Figure::Loaded(did, bindings)), 0));
            let seconds = (figures.get(Figure::Start(bindings)), 2);
            let memory = (figures.get(Figure::MemoryAt(bindings)), 0);
            row(figures, &[(f64::from(bindings), 0), seconds, memory, new, renew]);
        }
    }
}

fn durability(all: &[Figures]) {
    head(
        "Durability: exchanges one by one and syncs to disk meanwhile; Replies before SIGKILL amid a crowd, and leases lost",
        &["exchanges", "syncs", "Replies", "lost"],
    );
    for figures in all.iter().filter(|figures| figures.kind.has_bindings()) {
        let cells = [Figure::Alone, Figure::Syncs, Figure::Promised, Figure::Lost];
        row(figures, &cells.map(|figure| (figures.get(figure), 0)));
    }
}
