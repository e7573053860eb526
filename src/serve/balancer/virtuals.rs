//! Leads connections to virtual addresses to the instances of services, by the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_model::{EndpointState, Endpoints, InstanceId, Transport};
use orchestrator_network::{Balance, NetworkError, VirtualService};
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::routers::{Router, Routers, VIRTUAL_ADDRESSES};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the rules are compared, also when nothing changed.
const PERIOD: Duration = Duration::from_secs(10);
/// How often connections are counted while something drains.
const DRAINING: Duration = Duration::from_millis(250);
const RETRY: Duration = Duration::from_millis(500);

pub(super) fn registration() -> Registration {
    Registration::new(
        "virtual-addresses",
        "leads connections to virtual addresses to the instances of services",
    )
    .every(PERIOD)
    .retrying(Backoff::new(RETRY, PERIOD))
}

pub(super) struct Virtuals {
    balance: Balance,
    endpoints: watch::Receiver<Arc<Endpoints>>,
    router: Router,
    /// Whether there may be something of ours in the kernel.
    is_used: bool,
}

impl Virtuals {
    pub(super) fn new(balance: Balance, endpoints: watch::Receiver<Arc<Endpoints>>, routers: &Routers) -> Self {
        Self {
            balance,
            endpoints,
            router: routers.register(VIRTUAL_ADDRESSES),
            is_used: true,
        }
    }
}

#[async_trait]
impl Reconciler for Virtuals {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let endpoints = self.endpoints.borrow_and_update().clone();
        let services = services(&endpoints);
        let failed = |fault| Failure::of(&fault);
        if self.is_used || !services.is_empty() {
            match self.balance.ensure(&services).await {
                // A machine without a packet filter has no rules to remove: nobody has to wait for it.
                Err(NetworkError::NoFilter { .. } | NetworkError::NotPermitted { .. }) if services.is_empty() => {}
                ensured => drop(ensured.map_err(failed)?),
            }
            self.is_used = !services.is_empty();
        }
        let draining = draining(&endpoints);
        let mut connections = BTreeMap::new();
        if !services.is_empty() {
            // One that only fails its checks keeps its connections.
            let live = members(&endpoints).map(|(address, ..)| address).collect();
            self.balance.forget(&services, live).await.map_err(failed)?;
            if !draining.is_empty() {
                let counted = self.balance.connections(&services).await.map_err(failed)?;
                let of = |(address, id): (&Ipv6Addr, &InstanceId)| Some((*id, *counted.get(address)?));
                connections = draining.iter().filter_map(of).collect();
            }
        }
        let is_draining = !connections.is_empty();
        match services.is_empty() {
            true => self.router.counts_none(),
            false => self.router.connections(connections),
        }
        self.router.applied(endpoints.index);
        match is_draining {
            true => Ok(Next::At(Instant::now() + DRAINING)),
            false => Ok(Next::Wait),
        }
    }

    async fn notified(&mut self) {
        if self.endpoints.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// The instances of services that listen on a virtual address.
fn members(endpoints: &Endpoints) -> impl Iterator<Item = (Ipv6Addr, InstanceId, EndpointState)> {
    let listening = endpoints.services.values().filter(|service| !service.listen.is_empty());
    let members = listening.flat_map(|service| service.members.values());
    members.map(|member| (member.address, member.instance, member.state))
}

fn draining(endpoints: &Endpoints) -> BTreeMap<Ipv6Addr, InstanceId> {
    let drains = members(endpoints).filter(|(.., state)| *state == EndpointState::Draining);
    drains.map(|(address, instance, _)| (address, instance)).collect()
}

/// The virtual addresses. Of two services that listen on one address and port, the one whose name comes first in the
/// alphabet has it.
fn services(endpoints: &Endpoints) -> BTreeSet<VirtualService> {
    let mut all = BTreeMap::new();
    for service in endpoints.services.values() {
        for listen in &service.listen {
            let Some(port) = service.ports.get(&listen.port) else {
                continue;
            };
            let protocol = match port.transport {
                Transport::Tcp => 6,
                Transport::Udp => 17,
            };
            let backends = service.serving().filter_map(|(_, member)| {
                let own = member.ports.get(&listen.port)?;
                (own.transport == port.transport).then_some((member.address, own.number))
            });
            all.entry((listen.address, protocol, listen.number))
                .or_insert_with(|| VirtualService {
                    address: listen.address,
                    protocol,
                    port: listen.number,
                    sticky: service.sticky,
                    backends: backends.collect(),
                });
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use orchestrator_model::{Endpoint, HostId, Id, Listen, ServiceEndpoints, ServicePort, Slot};

    use super::*;

    fn service(first: u8) -> ServiceEndpoints {
        use EndpointState::{Draining, Failing, Serving};
        let port = ServicePort {
            number: 8080,
            transport: Transport::Tcp,
        };
        let member = |(number, state): (u8, EndpointState)| {
            let endpoint = Endpoint {
                instance: Id::from_bytes([number; 6]),
                version: 1,
                address: Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, u16::from(number)),
                network: "br0".to_owned(),
                host: HostId::local(),
                state,
                ports: Arc::new([("http".to_owned(), port)].into()),
            };
            (Slot::numbered(u32::from(number)), endpoint)
        };
        let listen = |port: &str| Listen {
            address: "fd39::aa".parse().unwrap(),
            number: 80,
            port: port.to_owned(),
        };
        let members = [(first, Serving), (first + 1, Draining), (first + 2, Failing)];
        ServiceEndpoints {
            ports: [("http".to_owned(), port)].into(),
            listen: vec![listen("http"), listen("nosuch")],
            members: members.into_iter().map(member).collect(),
            ..ServiceEndpoints::default()
        }
    }

    #[test]
    fn only_what_serves_is_led_to_and_the_first_of_two_services_has_the_address() {
        let endpoints = Endpoints {
            index: 1,
            services: [
                ("a".to_owned(), service(1).into()),
                ("b".to_owned(), service(11).into()),
            ]
            .into(),
        };
        let all = services(&endpoints);
        let only = all.first().unwrap();
        assert_eq!((all.len(), only.protocol, only.port), (1, 6, 80));
        assert_eq!(only.backends, [("fd39::1".parse().unwrap(), 8080)].into());
        let drains: Vec<Ipv6Addr> = draining(&endpoints).into_keys().collect();
        assert_eq!(
            drains,
            ["fd39::2".parse::<Ipv6Addr>().unwrap(), "fd39::c".parse().unwrap()]
        );
    }
}
