use orchestrator_api_types as wire;
use orchestrator_model::{Client, ClientKeys};

use super::IntoWire;

impl IntoWire for Client {
    type Wire = wire::Client;

    fn into_wire(self) -> wire::Client {
        let Self {
            id,
            link,
            duid,
            link_layer,
            hostname,
            class,
            wants_instance,
            first_seen,
            last_seen,
        } = self;
        wire::Client {
            id,
            link,
            duid,
            link_layer,
            hostname,
            class,
            wants_instance,
            first_seen,
            last_seen,
        }
    }
}

impl IntoWire for ClientKeys {
    type Wire = wire::AuthorizedKeys;

    fn into_wire(self) -> wire::AuthorizedKeys {
        let Self { own, reserved } = self;
        wire::AuthorizedKeys { keys: own, reserved }
    }
}
