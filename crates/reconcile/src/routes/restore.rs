//! Routes that somebody else removes: noticed at once, made again, and said.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, HostChange, RoutePlan, WatchScope};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::RouteReconciler;
use crate::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_model::{EventKind, HostId, NewEvent};
use orchestrator_runtime::causes::with_causes;

/// The wait after a route was removed: a program that flushes them removes many.
const GATHER: Duration = Duration::from_millis(200);
/// The wait before the kernel is asked again for notifications.
const PAUSE: Duration = Duration::from_secs(1);
/// Prefixes that an event names.
const NAMED: usize = 4;

/// Reports to the route reconciler which routes somebody removes.
pub(super) struct RouteWatch {
    pub(super) host: Arc<dyn Host>,
    pub(super) changes: mpsc::Sender<HostChange>,
}

impl RouteWatch {
    pub(super) fn registration() -> Registration {
        Registration::new("route watch", "notices at once when somebody removes a route of ours")
            .retrying(Backoff::constant(PAUSE))
            .settling_after(PAUSE)
    }
}

#[async_trait]
impl Reconciler for RouteWatch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let fault = self.host.watch(WatchScope::Routes, self.changes.clone()).await;
        let reason = with_causes(&fault);
        Err(format!("no notifications about routes, which are only compared now and then meanwhile: {reason}").into())
    }
}

impl RouteReconciler {
    /// Handles a change of the host's routes. Returns the time of the next full comparison, if one is needed.
    pub(super) fn observe(&mut self, change: &HostChange) -> Option<Instant> {
        let HostChange::RouteGone(route) = change else {
            return Some(Instant::now());
        };
        // Routes that we removed ourselves are known to be gone already.
        let was_kept = match &route.via {
            Some(_) if self.installed.get(&route.prefix) != Some(route) => false,
            Some(_) => self.installed.remove(&route.prefix).is_some(),
            None => self.pools.remove(&route.prefix),
        };
        if !was_kept {
            return None;
        }
        self.lost.insert(route.clone());
        if self.attached.contains(&route.prefix) {
            // Its instance may have been removed, too: the record says so by then.
            return Some(self.contention.next().max(Instant::now() + GATHER));
        }
        let reason = match self.contention.contended() {
            None => "somebody removed routes to delegated prefixes; they are made again".to_owned(),
            Some(times) => blame(times),
        };
        self.show(Err(reason));
        Some(self.contention.next().max(Instant::now() + GATHER))
    }

    /// Reports which of the wanted routes somebody else had removed, and are there again.
    pub(super) async fn report_restored(&mut self, wanted: &HashSet<RoutePlan>) {
        let kept = self.kept();
        self.lost.retain(|route| wanted.contains(route));
        let (restored, lost): (Vec<_>, Vec<_>) = self.lost.drain().partition(|route| kept.contains(route));
        self.lost.extend(lost);
        if restored.is_empty() {
            return;
        }
        self.contention.mended();
        self.parts.metrics.routes_restored(restored.len());
        let mut detail = describe(&restored);
        if let Some(times) = self.contention.contended() {
            detail = format!("{detail}; {}", blame(times));
        }
        tracing::warn!("{detail}");
        let event = NewEvent {
            link: link_of(&restored),
            host: Some(HostId::new(self.part.host().name())),
            detail: Some(detail),
            ..NewEvent::new(self.parts.clock.now(), EventKind::LinkDisturbed)
        };
        if let Err(fault) = self.parts.records.append_event(event).await {
            tracing::warn!("could not record link-disturbed: {}", with_causes(&fault));
        }
    }
}

/// The one link that these routes lead through; `None` when there are several.
fn link_of(routes: &[RoutePlan]) -> Option<String> {
    let through = |route: &RoutePlan| Some(route.via.as_ref()?.1.clone());
    let names: BTreeSet<String> = routes.iter().filter_map(through).collect();
    let mut names = names.into_iter();
    names.next().filter(|_| names.next().is_none())
}

fn describe(restored: &[RoutePlan]) -> String {
    let mut prefixes: Vec<String> = restored.iter().map(|route| route.prefix.to_string()).collect();
    prefixes.sort_unstable();
    let more = prefixes.len().saturating_sub(NAMED);
    prefixes.truncate(NAMED);
    let named = prefixes.join(", ");
    match more {
        0 => format!("somebody removed the routes to {named}; they were made again"),
        more => format!("somebody removed the routes to {named} and {more} more prefixes; they were made again"),
    }
}

fn blame(times: u32) -> String {
    format!(
        "something else removes routes of protocol 111, and did so {times} times after they were made again; have it \
         leave them alone (systemd-networkd: ManageForeignRoutes=no)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_routes_are_told_of_in_one_line() {
        let route = |number: u32| RoutePlan::unreachable(format!("2001:db8:{number}::/48").parse().unwrap());
        assert_eq!(
            describe(&[route(1)]),
            "somebody removed the routes to 2001:db8:1::/48; they were made again"
        );
        let many: Vec<_> = (1..=9).map(route).collect();
        assert!(
            describe(&many).contains("2001:db8:4::/48 and 5 more prefixes"),
            "{}",
            describe(&many)
        );
    }
}
