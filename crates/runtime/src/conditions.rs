//! Conditions: things that the daemon waits for (the database, the engine, each bridge), and faults that it can work
//! with.
//!
//! A part of the daemon that waits for something sets a condition, keeps trying, and clears the condition when it
//! succeeds. The rest of the daemon works meanwhile. Readiness (`GET /v1/ready`) and `orchestrator check` show the
//! list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use orchestrator_model::Timestamp;

/// Something that the daemon needs, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The name of the condition: `database`, `engine docker`, `link br0`.
    pub name: String,
    /// Whether the condition is met.
    pub ok: bool,
    /// Whether the daemon needs the condition to be ready.
    pub needed: bool,
    /// Why the condition is not met, and what to do.
    pub reason: Option<String>,
    /// When `ok` last changed.
    pub since: Timestamp,
}

/// The list of conditions. A cheap handle: all clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    shown: BTreeMap<String, Condition>,
    /// The number of owners of each condition.
    owners: BTreeMap<String, usize>,
    frozen: bool,
}

/// Keeps a condition on the list. When its last owner is dropped, the condition ends.
///
/// A part of the daemon owns the conditions that it sets, so that none outlives the part. The settings own the
/// conditions of what they ask for, even before the part for it exists.
#[derive(Debug)]
#[must_use = "the condition ends with its last owner"]
pub struct Owned {
    conditions: Conditions,
    name: String,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.conditions.disown(&self.name);
    }
}

impl Conditions {
    /// Puts `name` on the list and keeps it there. It counts as not met until somebody sets it.
    ///
    /// Call this before the API is served, so that nothing counts as ready before it was checked.
    pub fn own(&self, name: &str) -> Owned {
        let mut list = self.lock();
        *list.owners.entry(name.to_owned()).or_default() += 1;
        list.shown.entry(name.to_owned()).or_insert_with(|| Condition {
            name: name.to_owned(),
            ok: false,
            needed: true,
            reason: Some("it was not looked for yet".to_owned()),
            since: Timestamp::wall(),
        });
        Owned {
            conditions: self.clone(),
            name: name.to_owned(),
        }
    }

    /// Keeps conditions on the list whose owners are dropped, so that they can still be seen while the daemon stops.
    pub fn freeze(&self) {
        self.lock().frozen = true;
    }

    /// Records that the condition `name` is met.
    pub fn set_ok(&self, name: &str) {
        self.set(name, None, true);
    }

    /// Records that the daemon waits for `name`, and why.
    pub fn set_waiting(&self, name: &str, reason: impl Into<String>) {
        self.set(name, Some(reason.into()), true);
    }

    /// Records a fault of `name` and its reason. The daemon stays ready.
    pub fn set_wrong(&self, name: &str, reason: impl Into<String>) {
        self.set(name, Some(reason.into()), false);
    }

    /// All conditions, by name.
    pub fn list(&self) -> Vec<Condition> {
        self.lock().shown.values().cloned().collect()
    }

    /// Whether the daemon waits for no condition.
    pub fn ready(&self) -> bool {
        self.lock()
            .shown
            .values()
            .all(|condition| condition.ok || !condition.needed)
    }

    fn set(&self, name: &str, reason: Option<String>, needed: bool) {
        let mut list = self.lock();
        let before = list.shown.get(name);
        if before.is_some_and(|before| before.reason == reason) {
            return;
        }
        // If only the reason changes, the wait continues: people want to know when it began.
        let since = before
            .filter(|before| before.ok == reason.is_none())
            .map_or_else(Timestamp::wall, |b| b.since);
        match &reason {
            None => tracing::info!(condition = name, "is there"),
            Some(reason) if needed => tracing::warn!(condition = name, reason, "waiting"),
            Some(reason) => tracing::warn!(condition = name, reason, "wrong"),
        }
        let ok = reason.is_none();
        list.shown.insert(
            name.to_owned(),
            Condition {
                name: name.to_owned(),
                ok,
                needed,
                reason,
                since,
            },
        );
    }

    fn disown(&self, name: &str) {
        let mut list = self.lock();
        let left = list.owners.get(name).map_or(0, |owners| owners.saturating_sub(1));
        if left > 0 {
            list.owners.insert(name.to_owned(), left);
            return;
        }
        list.owners.remove(name);
        if !list.frozen && list.shown.remove(name).is_some() {
            tracing::info!(condition = name, "is needed no more");
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing that holds the lock can panic half-way through a change.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_nothing_is_waited_for() {
        let conditions = Conditions::default();
        assert!(conditions.ready());
        conditions.set_waiting("database", "connection refused");
        conditions.set_ok("link br0");
        assert!(!conditions.ready());
        conditions.set_ok("database");
        assert!(conditions.ready());
    }

    #[test]
    fn what_is_expected_is_not_ready_before_it_was_looked_for() {
        let conditions = Conditions::default();
        let _link = conditions.own("link br0");
        assert!(!conditions.ready());
        conditions.set_ok("link br0");
        let _again = conditions.own("link br0");
        assert!(conditions.ready(), "what is known is not forgotten");
    }

    #[test]
    fn what_is_needed_no_more_is_not_waited_for() {
        let conditions = Conditions::default();
        let link = conditions.own("link br0");
        conditions.set_waiting("link br0", "bridge br0 is missing");
        drop(link);
        assert!(conditions.ready() && conditions.list().is_empty());
    }

    #[test]
    fn a_condition_ends_with_its_last_owner() {
        let conditions = Conditions::default();
        let (settings, part) = (conditions.own("link br0"), conditions.own("link br0"));
        conditions.set_waiting("link br0", "bridge br0 is missing");
        drop(settings);
        assert!(!conditions.ready(), "its part still waits");
        drop(part);
        assert!(conditions.list().is_empty());
        let _back = conditions.own("link br0");
        assert_eq!(
            conditions.list()[0].reason.as_deref(),
            Some("it was not looked for yet")
        );
    }

    #[test]
    fn a_daemon_that_stops_does_not_look_ready_for_it() {
        let conditions = Conditions::default();
        let link = conditions.own("link br0");
        conditions.freeze();
        drop(link);
        assert!(!conditions.ready());
    }

    #[test]
    fn what_is_wrong_is_shown_and_not_waited_for() {
        let conditions = Conditions::default();
        conditions.set_wrong("settings", "log.level: \"loud\" is no level");
        assert!(conditions.ready() && !conditions.list()[0].ok);
        conditions.set_ok("settings");
        assert!(conditions.list()[0].ok);
    }

    #[test]
    fn a_wait_keeps_its_beginning_when_its_reason_changes() {
        let conditions = Conditions::default();
        conditions.set_waiting("database", "connection refused");
        let since = conditions.list()[0].since;
        conditions.set_waiting("database", "starting up");
        let after = &conditions.list()[0];
        assert_eq!((after.since, after.reason.as_deref()), (since, Some("starting up")));
    }
}
