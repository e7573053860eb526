//! Tables for people.

use std::time::Duration;

use crate::measure::{Extent, Figures};
use crate::server::Kind;

pub(crate) fn print(all: &[Figures], extent: &Extent, took: Duration) {
    println!(
        "\nDHCPv6 servers, median of {} round(s), probes of {:.1} s, in {:.0} s; nothing pinned\n",
        extent.rounds,
        extent.probe.as_secs_f64(),
        took.as_secs_f64()
    );
    rates(all);
    latencies(all);
    costs(all);
    starts(all);
    ratios(all);
}

fn rates(all: &[Figures]) {
    println!("exchanges a second                 new, <1 % loss      closed loop, 128 at a time        perfdhcp");
    println!("                          durable       open loop       new     renew   release       got / asked");
    for figures in all {
        println!(
            "  {:<24}{:>7}{:>16.0}{:>10.0}{:>10.0}{:>10.0}{:>10.0} / {:.0}",
            figures.kind.name(),
            figures.kind.durable(),
            figures.highest,
            figures.new,
            figures.renew,
            figures.release,
            figures.perfdhcp.rate,
            figures.perfdhcp.asked
        );
    }
}

fn latencies(all: &[Figures]) {
    println!(
        "\nmilliseconds at 100/s       Solicit to Advertise             Request to Reply                 perfdhcp's means"
    );
    println!("                            mean    p50    p90    p99        mean    p50    p90    p99");
    for Figures {
        kind,
        advertise: a,
        reply: r,
        perfdhcp,
        ..
    } in all
    {
        println!(
            "  {:<24}{:>7.2}{:>7.2}{:>7.2}{:>7.2}    {:>7.2}{:>7.2}{:>7.2}{:>7.2}    {:>7.2} {:.2} at {:.0}/s",
            kind.name(),
            a.mean,
            a.p50,
            a.p90,
            a.p99,
            r.mean,
            r.p50,
            r.p90,
            r.p99,
            perfdhcp.advertise,
            perfdhcp.reply,
            perfdhcp.asked
        );
    }
}

fn costs(all: &[Figures]) {
    println!(
        "\nprocessor, µs an exchange      at 1,000/s: server  database    closed loop: server  database    bytes a lease"
    );
    for figures in all {
        println!(
            "  {:<24}{:>24.0}{:>10.0}{:>24.0}{:>10.0}{:>17.0}",
            figures.kind.name(),
            figures.processor[0],
            figures.processor[1],
            figures.processor_full[0],
            figures.processor_full[1],
            figures.memory
        );
    }
}

fn starts(all: &[Figures]) {
    println!("\nstart to first answer      bindings   seconds   bytes of memory a binding");
    for figures in all {
        for start in &figures.starts {
            println!(
                "  {:<24}{:>9}{:>10.2}{:>14.0}",
                figures.kind.name(),
                start.bindings,
                start.seconds,
                start.memory,
            );
        }
    }
}

/// This server against each peer.
fn ratios(all: &[Figures]) {
    println!(
        "\nours : theirs             new, open loop   closed   renew   release   mean latency   processor, with database"
    );
    let ours = all
        .iter()
        .filter(|figures| matches!(figures.kind, Kind::Sqlite | Kind::Postgres));
    for our in ours {
        let peers = all
            .iter()
            .filter(|figures| !matches!(figures.kind, Kind::Sqlite | Kind::Postgres));
        for peer in peers {
            let latency = |figures: &Figures| figures.advertise.mean + figures.reply.mean;
            let processor = |figures: &Figures| figures.processor.iter().sum::<f64>();
            println!(
                "  {:<11}: {:<24}{:>7.2}{:>9.2}{:>8.2}{:>10.2}{:>15.2}{:>14.2}",
                if our.kind == Kind::Sqlite {
                    "SQLite"
                } else {
                    "PostgreSQL"
                },
                peer.kind.name(),
                our.highest / peer.highest,
                our.new / peer.new,
                our.renew / peer.renew,
                our.release / peer.release,
                latency(our) / latency(peer),
                processor(our) / processor(peer)
            );
        }
    }
}
