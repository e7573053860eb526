use orchestrator_api_types as wire;
use orchestrator_model::{Holder, Reservation, ReservationView};

use super::IntoWire;

impl IntoWire for ReservationView {
    type Wire = wire::ReservationView;

    fn into_wire(self) -> wire::ReservationView {
        let Self {
            id,
            link,
            reservation,
            authorized_keys,
            created,
            in_force,
        } = self;
        let Reservation {
            holder,
            address,
            prefix,
        } = reservation;
        let mut view = wire::ReservationView {
            id,
            link,
            duid: None,
            link_layer_address: None,
            remote_id: None,
            interface_id: None,
            address,
            prefix,
            authorized_keys,
            created,
            in_force,
        };
        match holder {
            Holder::Duid(duid) => view.duid = Some(duid),
            Holder::LinkLayer(address) => view.link_layer_address = Some(address),
            Holder::RemoteId { enterprise, id } => view.remote_id = Some(wire::RemoteId { enterprise, id }),
            Holder::InterfaceId(id) => view.interface_id = Some(id),
        }
        view
    }
}
