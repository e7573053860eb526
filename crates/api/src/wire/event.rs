use orchestrator_api_types as wire;
use orchestrator_model::Event;

use super::IntoWire;

impl IntoWire for Event {
    type Wire = wire::Event;

    fn into_wire(self) -> wire::Event {
        let Self {
            id,
            at,
            kind,
            link,
            client,
            instance,
            host,
            service,
            leased,
            detail,
            by,
        } = self;
        wire::Event {
            id,
            at,
            kind: kind.into_wire(),
            link,
            client,
            instance,
            host: host.map(IntoWire::into_wire),
            service,
            address: leased.and_then(|leased| leased.address()),
            prefix: leased.and_then(|leased| leased.prefix()),
            detail,
            by,
        }
    }
}
