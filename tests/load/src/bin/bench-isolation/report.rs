//! Tables for people.

use crate::Extent;
use crate::figures::{Figure, Figures, Quantile, Way, What};
use crate::stage::Rules;

/// The most that the rules may take of throughput, and add to a round trip.
const MOST_LOST: f64 = 0.05;

pub(crate) fn print(figures: &Figures, extent: &Extent) {
    for calls in [false, true] {
        println!(
            "\nA client and its instance, medians of {} rounds; bridge-nf-call-ip6tables = {}",
            extent.rounds,
            u8::from(calls)
        );
        let [without, with] = [Rules::Without, Rules::With].map(|rules| Way::Direct { rules, calls });
        compare(figures, ("without rules", without), ("with rules", with));
        for (what, lost) in lost(figures, without, with) {
            let verdict = if lost < MOST_LOST { "within" } else { "MISSED" };
            println!("  {what}: {:.1} %; target 5.0 %: {verdict}", lost * 100.0);
        }
    }
    println!("\nA host with rules and a front door: the instance's own address beside a host without rules");
    compare(
        figures,
        ("without rules", Way::NoRules),
        ("own address", Way::OwnAddress),
    );
    println!("\nThe same host: the front door beside the instance's own address");
    compare(
        figures,
        ("own address", Way::OwnAddress),
        ("front door", Way::FrontDoor),
    );
    println!("\nOne more client with its instance, in microseconds: median, p99");
    for clients in extent.clients {
        let of = |quantile| figures.quantile(Figure::Added(*clients), quantile);
        println!(
            "  {clients:>6} there {:>10.0} {:>10.0}",
            of(Quantile::Median),
            of(Quantile::P99)
        );
    }
    if let Some(most) = extent.clients.last() {
        println!("\nAt start with {most} clients, in seconds");
        println!(
            "  the kernel has nothing    {:>10.2}",
            figures.median(Figure::Rebuilt(*most))
        );
        println!(
            "  the kernel has everything {:>10.2}",
            figures.median(Figure::Compared(*most))
        );
    }
}

/// Lines of what is measured of traffic: what it is called, the unit, and what one of that unit is.
const LINES: [(What, &str, f64); 6] = [
    (What::Up, "to the instance, Gbit/s", 1e9 / 8.0),
    (What::Down, "to the client, Gbit/s", 1e9 / 8.0),
    (What::RoundTrip(Quantile::Median), "round trip, µs, median", 1.0),
    (What::RoundTrip(Quantile::P99), "round trip, µs, p99", 1.0),
    (What::Connect(Quantile::Median), "connect, µs, median", 1.0),
    (What::Connect(Quantile::P99), "connect, µs, p99", 1.0),
];

fn compare(figures: &Figures, one: (&str, Way), other: (&str, Way)) {
    println!("  {:<26}{:>16}{:>16}{:>10}", "", one.0, other.0, "ratio");
    for (what, name, unit) in LINES {
        let of = |way| Figure::Traffic(way, what);
        let ratio = figures.ratio(of(other.1), of(one.1));
        let [one, other] = [one.1, other.1].map(|way| figures.median(of(way)) / unit);
        println!("  {name:<26}{one:>16.2}{other:>16.2}{ratio:>10.3}");
    }
}

/// The part of the throughput that is lost, the worse of both ways, and by how much a round trip takes longer.
fn lost(figures: &Figures, without: Way, with: Way) -> [(&'static str, f64); 2] {
    let ratio = |what| figures.ratio(Figure::Traffic(with, what), Figure::Traffic(without, what));
    [
        ("throughput lost", 1.0 - ratio(What::Up).min(ratio(What::Down))),
        ("round trip longer", ratio(What::RoundTrip(Quantile::Median)) - 1.0),
    ]
}
