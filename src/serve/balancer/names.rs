//! Brings every HAProxy to what the endpoints of services ask for.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_balancer::runtime::{Balancer, Fleet};
use orchestrator_balancer::{Layout, LayoutFault, Pools, Refused, Statistics};
use orchestrator_host::Host;
use orchestrator_model::{BALANCER_SERVICE, Endpoints};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::routers::{BALANCER, Router, Routers};
use orchestrator_settings::{BalancerSettings, Current, Settings};
use orchestrator_store::Store;
use tokio::sync::watch;
use tokio::time::Instant;

use super::board::{Asked, Board, Shown, tell};
use super::certificates::Certificates;
use super::place::{DIRECTORY, InstanceBalancer};
use crate::serve::Context;

/// How often what HAProxy has in force is compared, also when nothing changed.
const PERIOD: Duration = Duration::from_secs(5);
/// How often connections are counted while something drains.
const DRAINING: Duration = Duration::from_millis(250);
const RETRY: Duration = Duration::from_millis(500);

pub(super) fn registration() -> Registration {
    Registration::new(
        "balancer",
        "leads HTTP by name to the instances of services, through HAProxy",
    )
    .every(PERIOD)
    .retrying(Backoff::new(RETRY, PERIOD))
    .following_settings()
}

pub(super) struct Names {
    settings: Current,
    store: Store,
    host: Arc<dyn Host>,
    endpoints: watch::Receiver<Arc<Endpoints>>,
    router: Router,
    layout: Layout,
    fleet: Fleet,
    certificates: Certificates,
    board: Board,
    shown: watch::Receiver<Shown>,
    /// Whether the certificates by ACME on record have been read.
    has_read_acme: bool,
    /// What was refused last, so that it is logged once.
    refused: Vec<Refused>,
}

impl Names {
    pub(super) fn new(
        context: &Context,
        store: &Store,
        host: &Arc<dyn Host>,
        endpoints: watch::Receiver<Arc<Endpoints>>,
        routers: &Routers,
        board: Board,
    ) -> Result<Self, LayoutFault> {
        let layout = Layout::new(DIRECTORY)?;
        Ok(Self {
            settings: context.settings.clone(),
            store: store.clone(),
            host: host.clone(),
            endpoints,
            router: routers.register(BALANCER),
            fleet: Fleet::new(layout.clone(), Pools::SPARE, context.metrics.clone()),
            layout,
            certificates: Certificates::new(context, store),
            shown: board.shown.subscribe(),
            has_read_acme: false,
            board,
            refused: Vec::new(),
        })
    }

    /// The instances of the service `balancer`, in whatever state: one that has just begun is healthy only once it was
    /// brought to something.
    async fn balancers(&self, endpoints: &Endpoints) -> Result<Vec<Arc<dyn Balancer>>, Failure> {
        let mut found: Vec<Arc<dyn Balancer>> = Vec::new();
        let service = endpoints.services.get(BALANCER_SERVICE);
        for member in service.into_iter().flat_map(|service| service.members.values()) {
            let recorded = self.store.instance(member.instance).await;
            let recorded = recorded.map_err(|fault| Failure::of(&fault))?;
            let balancer = recorded.and_then(|one| InstanceBalancer::of(&one.instance, member.state, &self.host));
            if let Some(balancer) = balancer {
                found.push(Arc::new(balancer));
            }
        }
        Ok(found)
    }

    fn report(&mut self, refused: Vec<Refused>) {
        for one in refused.iter().filter(|one| !self.refused.contains(one)) {
            tracing::warn!(
                service = one.service,
                route = one.route,
                reason = one.reason,
                "route cannot be had"
            );
        }
        self.refused = refused;
    }
}

/// The layout with what the settings say of the page of statistics.
fn layout_of(layout: &Layout, settings: &Settings) -> Layout {
    let from = settings.balancer_statistics();
    let from: Vec<_> = from.iter().map(|net| (net.addr(), net.prefix_len())).collect();
    let port = BalancerSettings::STATISTICS_PORT;
    let statistics = Statistics {
        address: SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0),
        from,
    };
    let mut layout = layout.clone();
    layout.statistics = (!statistics.from.is_empty()).then_some(statistics);
    layout
}

#[async_trait]
impl Reconciler for Names {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let endpoints = self.endpoints.borrow_and_update().clone();
        let balancers = self.balancers(&endpoints).await?;
        if balancers.is_empty() {
            // Nothing leads anywhere by name: nobody has to wait for it.
            self.certificates.rest();
            tell(&self.board.asked, Asked::default());
            self.router.counts_none();
            self.router.applied(endpoints.index);
            return Ok(Next::Wait);
        }
        let layout = layout_of(&self.layout, &self.settings.get());
        self.fleet.set_layout(layout);
        let mut shown = self.shown.borrow_and_update().clone();
        let known = std::mem::take(&mut shown.known);
        let material = self.certificates.material(&endpoints, shown).await;
        let hosts = self.certificates.by_acme();
        self.has_read_acme |= hosts.is_subset(&known);
        self.board.ask(hosts, &material.challenges);
        if !self.has_read_acme {
            // After a start: what HAProxy shows is not to be taken away before the record was read.
            return Ok(Next::Wait);
        }
        let turn = self.fleet.turn(&endpoints, &material, &balancers).await;
        // Before the snapshot counts as in force: what drains has to have its connections by then.
        self.router.connections(turn.connections);
        if let Some(index) = turn.applied {
            self.router.applied(index);
            self.board.is_in_force(material.challenges);
        }
        self.report(turn.refused);
        match turn.faults.first() {
            Some(fault) => Err(Failure::of(fault)),
            None if turn.is_draining => Ok(Next::At(Instant::now() + DRAINING)),
            None => Ok(Next::Wait),
        }
    }

    async fn notified(&mut self) {
        // Either sender lives as long as the daemon.
        let changed = tokio::select! {
            changed = self.endpoints.changed() => changed,
            changed = self.shown.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending().await
        }
    }
}
