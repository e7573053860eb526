//! What clients do, and what is recorded of it.

use super::*;

impl Memory {
    /// The client of this number holds a lease on `br0` for so long from now.
    pub(crate) fn hold(&self, number: u8, span: Duration) -> ClientId {
        let (id, now) = (Id::from_bytes([0xc, 0, 0, 0, 0, number]), now());
        let duid: orchestrator_model::Duid = format!("00:03:00:01:02:00:00:00:00:{number:02x}").parse().unwrap();
        let mut state = self.state();
        let known = state.leases.get(&id).filter(|lease| lease.state == LeaseState::Active);
        let granted = known.map_or(now, |lease| lease.granted);
        let client = state.clients.entry(id).or_insert_with(|| Client {
            id,
            link: "br0".to_owned(),
            duid: duid.clone(),
            link_layer: None,
            hostname: None,
            class: None,
            wants_instance: true,
            first_seen: now,
            last_seen: now,
        });
        client.wants_instance = true;
        client.last_seen = now;
        let granted_to = GrantedTo {
            port: state.ports.get(&number).cloned(),
            ..GrantedTo::default()
        };
        let lease = Lease {
            link: "br0".to_owned(),
            leased: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, u16::from(number)).into(),
            client: id,
            duid,
            iaid: Iaid(1),
            source: LeaseSource::Listener,
            state: LeaseState::Active,
            next_hop: None,
            granted_to,
            preferred_until: now.plus(span),
            valid_until: now.plus(span),
            granted,
            changed: now,
        };
        state.leases.insert(id, lease);
        id
    }

    /// The client of this number gives its lease back.
    pub(crate) fn release(&self, number: u8) -> ClientId {
        let id = Id::from_bytes([0xc, 0, 0, 0, 0, number]);
        if let Some(lease) = self.state().leases.get_mut(&id) {
            lease.state = LeaseState::Released;
            lease.valid_until = now();
            lease.changed = now();
        }
        id
    }

    /// Ends the leases whose time is over, as the store's sweep does. Returns whose they were.
    pub(crate) fn expire(&self) -> Vec<ClientId> {
        let now = now();
        let mut state = self.state();
        let over = state
            .leases
            .values_mut()
            .filter(|lease| lease.state == LeaseState::Active && lease.valid_until <= now);
        over.map(|lease| {
            lease.state = LeaseState::Expired;
            lease.changed = now;
            lease.client
        })
        .collect()
    }

    pub(crate) fn live(&self) -> Vec<Instance> {
        let state = self.state();
        let live = state
            .instances
            .values()
            .filter(|instance| instance.phase != Phase::Removed);
        live.cloned().collect()
    }

    /// How often something of this kind happened.
    pub(crate) fn happened(&self, kind: EventKind) -> usize {
        self.state().events.iter().filter(|event| event.kind == kind).count()
    }
}
