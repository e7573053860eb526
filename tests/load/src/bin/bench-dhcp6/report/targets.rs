//! What this server is to reach, and what it reached.

use super::number;
use crate::figures::{Did, Figure, Figures};
use crate::measure::Extent;
use crate::server::Kind;

/// Which side of its bound a figure has to be on.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(bound) => format!(">= {bound}"),
            Self::AtMost(bound) => format!("<= {bound}"),
        }
    }
}

/// The rate with the most bindings may be lower than with none by this part: what is less is noise.
const STEADY: f64 = 0.8;

pub(super) fn print(all: &[Figures], extent: &Extent) {
    println!("\nTargets; rates in the open loop, and in the closed one for new clients, renewals and releases");
    let find = |kind| all.iter().find(|figures| figures.kind == kind);
    let (sqlite, postgres) = (find(Kind::Sqlite), find(Kind::Postgres));
    let (kea, threads, kea_postgres) = (find(Kind::Kea), find(Kind::KeaThreads), find(Kind::KeaPostgres));
    rates(sqlite, kea, Some(2.0));
    rates(sqlite, threads, None);
    rates(sqlite, kea_postgres, Some(20.0));
    rates(postgres, kea_postgres, Some(8.0));
    latency(sqlite, kea, Some(1.5));
    latency(postgres, kea, Some(1.5));
    latency(postgres, kea_postgres, None);
    processor(sqlite, kea);
    processor(postgres, kea_postgres);
    for our in [sqlite, postgres].into_iter().flatten() {
        alone(our, extent);
    }
}

fn rates(our: Option<&Figures>, peer: Option<&Figures>, bound: Option<f64>) {
    let (Some(our), Some(peer)) = (our, peer) else { return };
    let figures = [
        Figure::Highest,
        Figure::Closed(Did::New),
        Figure::Closed(Did::Renew),
        Figure::Closed(Did::Release),
    ];
    let values = figures.map(|figure| our.get(figure) / peer.get(figure));
    line(&versus(our, peer), "rate", &values, bound.map(Bound::AtLeast));
}

fn latency(our: Option<&Figures>, peer: Option<&Figures>, bound: Option<f64>) {
    let (Some(our), Some(peer)) = (our, peer) else { return };
    let ratio = our.get(Figure::Exchange) / peer.get(Figure::Exchange);
    line(&versus(our, peer), "mean latency", &[ratio], bound.map(Bound::AtMost));
}

fn processor(our: Option<&Figures>, peer: Option<&Figures>) {
    let (Some(our), Some(peer)) = (our, peer) else { return };
    let calm = our.cost(Figure::Calm) / peer.cost(Figure::Calm);
    let full = our.cost(Figure::Full) / peer.cost(Figure::Full);
    line(
        &versus(our, peer),
        "processor, paced and full",
        &[calm, full],
        Some(Bound::AtMost(0.5)),
    );
}

fn versus(our: &Figures, peer: &Figures) -> String {
    format!("{} : {}", our.kind.name(), peer.kind.name())
}

fn alone(our: &Figures, extent: &Extent) {
    let who = our.kind.name();
    for &bindings in extent.bindings {
        let memory = our.get(Figure::MemoryAt(bindings));
        line(
            who,
            &format!("bytes a binding at {bindings}"),
            &[memory],
            Some(Bound::AtMost(400.0)),
        );
        let seconds = our.get(Figure::Start(bindings));
        line(
            who,
            &format!("seconds to answer at {bindings}"),
            &[seconds],
            Some(Bound::AtMost(5.0)),
        );
        let kept =
            [Did::New, Did::Renew].map(|did| our.get(Figure::Loaded(did, bindings)) / our.get(Figure::Closed(did)));
        line(
            who,
            &format!("rate kept at {bindings}"),
            &kept,
            Some(Bound::AtLeast(STEADY)),
        );
    }
    line(
        who,
        "replied leases lost",
        &[our.get(Figure::Lost)],
        Some(Bound::AtMost(0.0)),
    );
}

fn line(who: &str, what: &str, values: &[f64], bound: Option<Bound>) {
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let verdict = match bound {
        Some(bound) if known.is_empty() => format!("{}  not measured", bound.words()),
        Some(bound) if known.iter().all(|value| bound.holds(*value)) => format!("{}  reached", bound.words()),
        Some(bound) => format!("{}  MISSED", bound.words()),
        None => String::new(),
    };
    let values: String = values.iter().map(|value| format!("{:>8}", number(*value, 2))).collect();
    println!("  {who:<50}{what:<30}{values:<34}{verdict}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert!(Bound::AtLeast(2.0).holds(2.0) && !Bound::AtLeast(2.0).holds(1.9));
        assert!(Bound::AtMost(0.5).holds(0.5) && !Bound::AtMost(0.5).holds(f64::INFINITY));
    }
}
