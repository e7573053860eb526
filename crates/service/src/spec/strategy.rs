//! `strategy`: how instances are replaced by those of another version.

use std::time::Duration;

use orchestrator_settings::{Entry, Table};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How instances are replaced by those of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// Whether the new instance starts before the old one stops.
    pub order: RollOrder,
    /// How many are replaced at once: with [`RollOrder::StartFirst`] this many more instances than wanted exist, with
    /// [`RollOrder::StopFirst`] this many fewer serve. At least one.
    pub surge: u32,
    /// The time that a new instance must have served before the next step.
    pub pause: Duration,
    /// How long the connections of an old instance are waited for.
    pub drain: Duration,
    /// The time limit for a new instance to serve, and for one that stopped serving to serve again.
    pub within: Duration,
    /// The number of instances of a new version that fail in a row, after which the roll goes back; at least one.
    pub failures: u32,
    /// How long an instance must have served before it speaks for its version: failures are forgotten, and the version is
    /// one to go back to. At least a second. No operation waits for it.
    pub steady: Duration,
}

/// The order in which one instance replaces another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollOrder {
    /// The new one serves before the old one is drained.
    StartFirst,
    /// The old one is gone before the new one is made.
    StopFirst,
}

impl RollOrder {
    /// Its word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::StartFirst => "start-first",
            Self::StopFirst => "stop-first",
        }
    }
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            order: RollOrder::StartFirst,
            surge: 1,
            pause: Duration::ZERO,
            drain: Duration::from_secs(30),
            within: Duration::from_secs(60),
            failures: 3,
            steady: Duration::from_secs(30),
        }
    }
}

impl Strategy {
    /// The number of instances that serve at any time while one version replaces another, if `count` are wanted and
    /// none fails.
    pub fn promised(&self, count: u32) -> u32 {
        match self.order {
            RollOrder::StartFirst => count,
            RollOrder::StopFirst => count.saturating_sub(self.surge),
        }
    }
}

/// Reads the table; `None` only after a fault. It has no effect where each client has an instance.
pub(super) fn read(table: &mut Table<'_>, per_client: bool) -> Option<Strategy> {
    let default = Strategy::default();
    let Some(entry) = table.take("strategy") else {
        return Some(default);
    };
    if per_client {
        let remedy = "remove it: a client's instance lasts as long as its lease";
        entry.fault("has no effect with instances = \"per-client\"", remedy);
        return None;
    }
    let mut table = entry.table()?;
    let orders = [RollOrder::StartFirst, RollOrder::StopFirst].map(|order| (order.word(), order));
    let order = table
        .take("order")
        .map_or(Some(default.order), |entry| entry.choice(&orders));
    let number = |entry: Option<Entry<'_>>, default| entry.map_or(Some(default), |entry| entry.whole(1..=100));
    let surge = number(table.take("surge"), default.surge);
    let mut span = |key, default, least, most| match table.take(key) {
        Some(entry) => entry.lifespan(least..=most),
        None => Some(default),
    };
    let pause = span("pause", default.pause, Duration::ZERO, DAY);
    let drain = span("drain", default.drain, Duration::ZERO, DAY);
    let within = span("within", default.within, Duration::from_secs(1), HOUR);
    let steady = span("steady", default.steady, Duration::from_secs(1), HOUR);
    let failures = number(table.take("failures"), default.failures);
    table.finish();
    Some(Strategy {
        order: order?,
        surge: surge?,
        pause: pause?,
        drain: drain?,
        within: within?,
        failures: failures?,
        steady: steady?,
    })
}
