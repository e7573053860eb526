//! Removes the rows of certificates whose routes are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_acme::{certificate_row, order_row};
use orchestrator_balancer::HostName;
use orchestrator_model::{Endpoints, RouteTls};
use orchestrator_reconcile::driver::{Failure, Next, Reconciler, Registration, Run};
use orchestrator_secrets::Listed;
use orchestrator_store::Store;
use tokio::sync::watch;
use tokio::time::Instant;

use super::certificates::{own_name, wanted};
use crate::serve::Context;
use crate::serve::access::open_room;

/// How often rows are looked for.
const PERIOD: Duration = Duration::from_secs(3600);
/// How long a row stays without its route, while this daemon runs: somebody may deploy the service again.
const GRACE: Duration = Duration::from_secs(86_400);
/// What the rows of routes begin with. Accounts are no rows of routes.
const OF_ROUTES: [&str; 3] = ["certificate/route/", "certificate/acme/", "acme/order/"];

pub(super) fn registration() -> Registration {
    Registration::new("route-certificates", "removes certificates of routes that are gone").every(PERIOD)
}

pub(super) struct Rows {
    context: Context,
    store: Store,
    endpoints: watch::Receiver<Arc<Endpoints>>,
    unwanted: Unwanted,
}

impl Rows {
    pub(super) fn new(context: &Context, store: &Store, endpoints: watch::Receiver<Arc<Endpoints>>) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
            endpoints,
            unwanted: Unwanted::default(),
        }
    }
}

#[async_trait]
impl Reconciler for Rows {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let listed = Listed::all(&self.store.sealed()).await;
        let listed = listed.map_err(|fault| Failure::of(&fault))?;
        let wanted = rows(&wanted(&self.endpoints.borrow_and_update()));
        let names = listed.iter().map(|row| row.name.as_str());
        let due = self.unwanted.due(names, &wanted, Instant::now());
        if due.is_empty() {
            return Ok(Next::Wait);
        }
        let room = open_room(&self.context, &self.store).await;
        let room = room.map_err(|fault| Failure::of(&fault))?;
        for row in due {
            if rows(&self::wanted(&self.endpoints.borrow())).contains(&row) {
                // The service was deployed again meanwhile.
                continue;
            }
            room.forget(&row).await.map_err(|fault| Failure::of(&fault))?;
            tracing::info!(row, "removed a certificate whose route is gone");
        }
        Ok(Next::Wait)
    }
}

/// The rows that the routes have.
fn rows(wanted: &BTreeMap<HostName, RouteTls>) -> BTreeSet<String> {
    let each = wanted.iter().flat_map(|(host, tls)| match tls {
        RouteTls::Files { .. } => Vec::new(),
        RouteTls::OwnCa => vec![format!("certificate/{}", own_name(host))],
        RouteTls::Acme => vec![certificate_row(host.as_str()), order_row(host.as_str())],
    });
    each.collect()
}

/// The rows without a route, and since when.
#[derive(Debug, Default)]
struct Unwanted {
    since: BTreeMap<String, Instant>,
}

impl Unwanted {
    /// The rows that were without a route for long enough.
    fn due<'r>(&mut self, rows: impl Iterator<Item = &'r str>, wanted: &BTreeSet<String>, now: Instant) -> Vec<String> {
        let of_routes = |row: &&str| OF_ROUTES.iter().any(|start| row.starts_with(start));
        let unwanted = rows.filter(of_routes).filter(|row| !wanted.contains(*row));
        let since = |row: &str| self.since.get(row).copied().unwrap_or(now);
        self.since = unwanted.map(|row| (row.to_owned(), since(row))).collect();
        let due = self.since.iter().filter(|(_, since)| now >= **since + GRACE);
        due.map(|(row, _)| row.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_secrets::Usage;

    use super::*;

    #[test]
    fn each_row_of_a_route_has_a_name_that_says_what_it_is_for() {
        for (host, tls) in [
            ("own.example", RouteTls::OwnCa),
            ("*.any.example", RouteTls::OwnCa),
            ("acme.example", RouteTls::Acme),
        ] {
            let usage = match tls {
                RouteTls::OwnCa => Usage::Route { host: host.to_owned() },
                _ => Usage::Acme { host: host.to_owned() },
            };
            let rows = rows(&[(host.parse().unwrap(), tls)].into());
            assert!(
                !rows.is_empty() && rows.iter().all(|row| Usage::of(row) == usage),
                "{rows:?}"
            );
        }
    }

    #[test]
    fn a_row_goes_a_day_after_its_route_and_no_other_row_goes() {
        let wanted: BTreeMap<HostName, RouteTls> = [
            ("own.example".parse().unwrap(), RouteTls::OwnCa),
            ("*.any.example".parse().unwrap(), RouteTls::OwnCa),
            ("acme.example".parse().unwrap(), RouteTls::Acme),
        ]
        .into();
        let wanted = rows(&wanted);
        let there = [
            "acme/account/ca.example/directory",
            "acme/order/acme.example",
            "acme/order/gone.example",
            "certificate/acme/acme.example",
            "certificate/acme/own.example",
            "certificate/api",
            "certificate/route/any/any.example",
            "certificate/route/gone.example",
            "certificate/route/own.example",
            "token/key",
        ];
        let mut unwanted = Unwanted::default();
        let begin = Instant::now();
        assert!(unwanted.due(there.into_iter(), &wanted, begin).is_empty());
        // A route that comes back begins anew.
        let all = there.iter().map(|row| (*row).to_owned()).collect();
        assert!(unwanted.due(there.into_iter(), &all, begin + GRACE / 2).is_empty());
        assert!(unwanted.due(there.into_iter(), &wanted, begin + GRACE).is_empty());
        assert_eq!(
            unwanted.due(there.into_iter(), &wanted, begin + GRACE * 2),
            [
                "acme/order/gone.example",
                "certificate/acme/own.example",
                "certificate/route/gone.example"
            ]
        );
    }
}
