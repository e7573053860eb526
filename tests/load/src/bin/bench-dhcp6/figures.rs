//! What was measured of a server.

use std::collections::BTreeMap;

use orchestrator_load::{Latency, Work};
use serde_json::{Value, json};

use crate::server::Kind;

/// The meaning of a number.
///
/// Rates are complete exchanges a second, latencies milliseconds, processor times microseconds an exchange, memory
/// bytes a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// New clients, open loop: the highest rate with less than 1 % loss.
    Highest,
    /// Closed loop.
    Closed(Did),
    /// New clients and renewals in a closed loop, with so many bindings in the database.
    Loaded(Did, u32),
    /// At a low rate: Solicit to Advertise, Request to Reply, and both together.
    Advertise(Statistic),
    Reply(Statistic),
    Exchange,
    /// Processor time of a party, at a rate or in the closed loop of new clients.
    Calm(Party),
    Full(Party),
    /// Memory that the closed loop of new clients added.
    Memory,
    /// Seconds from the start to the first answer with so many bindings, and memory of each.
    Start(u32),
    MemoryAt(u32),
    /// What perfdhcp was asked for and says.
    Perfdhcp(Said),
    /// Exchanges one after the other, and the syncs to disk meanwhile.
    Alone,
    Syncs,
    /// Clients that had a Reply when the server was killed, and those of them whom the database does not know.
    Promised,
    Lost,
    /// What others took of the machine's processors meanwhile: 0 to 1.
    Others,
}

/// What clients did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Did {
    New,
    Renew,
    Release,
}

impl Did {
    pub(crate) const ALL: [Self; 3] = [Self::New, Self::Renew, Self::Release];

    pub(crate) const fn work(self) -> Work {
        match self {
            Self::New => Work::New,
            Self::Renew => Work::Renew,
            Self::Release => Work::Release,
        }
    }
}

/// What is told of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Statistic {
    Mean,
    P50,
    P90,
    P99,
}

impl Statistic {
    pub(crate) const ALL: [Self; 4] = [Self::Mean, Self::P50, Self::P90, Self::P99];

    pub(crate) const fn of(self, latency: &Latency) -> f64 {
        match self {
            Self::Mean => latency.mean,
            Self::P50 => latency.p50,
            Self::P90 => latency.p90,
            Self::P99 => latency.p99,
        }
    }
}

/// Whose processor time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    Server,
    Database,
    Generator,
}

impl Party {
    pub(crate) const ALL: [Self; 3] = [Self::Server, Self::Database, Self::Generator];
}

/// What perfdhcp tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    Asked,
    Rate,
    Advertise,
    Reply,
}

/// All that was measured of one server, each as often as there were rounds.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    all: BTreeMap<Figure, Vec<f64>>,
}

impl Figures {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            all: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, figure: Figure, value: f64) {
        self.all.entry(figure).or_default().push(value);
    }

    /// The median; not a number when it was not measured.
    pub(crate) fn get(&self, figure: Figure) -> f64 {
        let mut values = self.all.get(&figure).cloned().unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Processor time of server and database for each exchange.
    pub(crate) fn cost(&self, at: impl Fn(Party) -> Figure) -> f64 {
        self.get(at(Party::Server)) + self.get(at(Party::Database))
    }

    /// Everything, with what each round gave.
    pub(crate) fn json(&self) -> Value {
        let all: BTreeMap<String, &Vec<f64>> = self
            .all
            .iter()
            .map(|(key, values)| (format!("{key:?}"), values))
            .collect();
        json!({ "server": self.kind, "figures": all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_rounds() {
        let mut figures = Figures::of(Kind::Kea);
        for value in [3.0, 1.0, 2.0] {
            figures.add(Figure::Highest, value);
        }
        assert_eq!(figures.get(Figure::Highest), 2.0);
        assert!(figures.get(Figure::Lost).is_nan());
    }
}
