use orchestrator_api_types as wire;
use orchestrator_model::{GrantedTo, Lease, LeaseView};

use super::IntoWire;

impl IntoWire for GrantedTo {
    type Wire = wire::GrantedTo;

    fn into_wire(self) -> wire::GrantedTo {
        let Self {
            link_layer,
            link_local,
            port,
            relay,
        } = self;
        wire::GrantedTo {
            link_layer,
            link_local,
            port,
            relay,
        }
    }
}

impl IntoWire for Lease {
    type Wire = wire::Lease;

    fn into_wire(self) -> wire::Lease {
        let Self {
            link,
            leased,
            client,
            duid,
            iaid,
            source,
            state,
            next_hop,
            granted_to,
            preferred_until,
            valid_until,
            granted,
            changed,
        } = self;
        wire::Lease {
            link,
            address: leased.address(),
            prefix: leased.prefix(),
            client,
            duid,
            iaid,
            source: source.into_wire(),
            state: state.into_wire(),
            next_hop,
            granted_to: granted_to.into_wire(),
            preferred_until,
            valid_until,
            granted,
            changed,
        }
    }
}

impl IntoWire for LeaseView {
    type Wire = wire::LeaseView;

    fn into_wire(self) -> wire::LeaseView {
        let Self {
            lease,
            hostname,
            link_layer,
        } = self;
        wire::LeaseView {
            lease: lease.into_wire(),
            hostname,
            link_layer,
        }
    }
}
