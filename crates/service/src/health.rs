//! Whether an instance is healthy, from one check to the next.

use super::spec::Health as Limits;

/// Whether an instance is healthy. Only one that passes is routed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// It has not passed yet since it was started. It is not healthy.
    Unknown,
    /// Its checks succeed.
    Passing,
    /// It passed once, and its checks fail now.
    Failing,
}

impl Health {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::Passing, Self::Failing];

    /// Its word in the API and in SQL.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passing => "passing",
            Self::Failing => "failing",
        }
    }

    /// The value with this [`word`](Self::word).
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.word() == word)
    }
}

/// The state of an instance's checks: its health, and the results in a row that speak against it.
///
/// - unknown → passing after `successes` successful checks in a row. Failed checks leave it unknown: the time limit for a
///   new instance is the strategy's `within`.
/// - passing → failing after `failures` failed checks in a row.
/// - failing → passing after `successes` successful checks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    health: Health,
    /// Results in a row that speak for another health.
    against: u32,
}

impl Default for Checked {
    /// An instance that was just started.
    fn default() -> Self {
        Self::recorded(Health::Unknown)
    }
}

impl Checked {
    /// An instance whose health is recorded, as after a restart of the daemon.
    pub const fn recorded(health: Health) -> Self {
        Self { health, against: 0 }
    }

    /// The present health.
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Takes the result of a check. Returns the new health if it has changed.
    pub fn take(&mut self, success: bool, limits: &Limits) -> Option<Health> {
        let (speaks_against, needed, other) = match self.health {
            Health::Passing => (!success, limits.failures, Health::Failing),
            Health::Unknown | Health::Failing => (success, limits.successes, Health::Passing),
        };
        self.against = match speaks_against {
            true => self.against.saturating_add(1),
            false => 0,
        };
        if self.against < needed.max(1) {
            return None;
        }
        *self = Self::recorded(other);
        Some(other)
    }
}
