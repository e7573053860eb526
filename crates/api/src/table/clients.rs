//! Routes about clients, their leases and their reservations.

use axum::http::StatusCode;

use super::{CONFLICT, NOT_FOUND, REFUSED_POLICY, UNAVAILABLE, UNPROCESSABLE, delete, get, post, put};
use crate::role::Role::{Hook, Operator, Viewer};
use crate::route::Route;
use crate::{clients, hooks, keys, leases, policy, quarantine, reconfigure, reservations};

/// How requests for SSH keys fail.
const KEY_FAULTS: [(StatusCode, &str); 4] = [
    (NOT_FOUND, "no-such-client"),
    (UNPROCESSABLE, "bad-key"),
    (CONFLICT, "too-many-keys"),
    (UNAVAILABLE, "starting"),
];

pub(super) fn about_clients() -> Vec<Route> {
    vec![
        get("/v1/clients", Viewer, clients::list).says("Clients, in the order in which they were first seen"),
        get("/v1/clients/{id}", Viewer, clients::show)
            .says("A client with its leases, its instance and its last events")
            .fails(&[(NOT_FOUND, "no-such-client")]),
        get("/v1/clients/{id}/keys", Viewer, keys::show)
            .says("The SSH keys of a client")
            .details("Those on its own list, and those of its reservations.")
            .fails(&[(NOT_FOUND, "no-such-client"), (UNAVAILABLE, "starting")]),
        put("/v1/clients/{id}/keys", Operator, keys::set)
            .says("Replace the SSH keys on a client's own list")
            .details("They may log in to its instances, as far as those read them: from the metadata, or from a file.")
            .fails(&KEY_FAULTS),
        post("/v1/clients/{id}/keys", Operator, keys::add)
            .says("Put SSH keys on a client's own list")
            .details("A key that is there already has the new comment.")
            .fails(&KEY_FAULTS),
        delete("/v1/clients/{id}/keys/{fingerprint}", Operator, keys::remove)
            .says("Take an SSH key off a client's own list")
            .details("The fingerprint is that of `ssh-keygen -l`, percent-encoded: `SHA256:…`.")
            .fails(&[
                (NOT_FOUND, "no-such-client"),
                (NOT_FOUND, "no-such-key"),
                (UNAVAILABLE, "starting"),
            ]),
        post("/v1/clients/{id}/reconfigure", Operator, reconfigure::reconfigure)
            .says("Make a client ask again before it would by itself")
            .details("Sends a Reconfigure (RFC 9915, section 18.3.11), if the client accepts that.")
            .fails(&[
                (NOT_FOUND, "no-such-client"),
                (CONFLICT, "not-served"),
                (CONFLICT, "not-heard"),
                (CONFLICT, "not-accepted"),
                (CONFLICT, "no-key"),
                (CONFLICT, "behind-relay"),
                (StatusCode::INTERNAL_SERVER_ERROR, "unmade"),
                (UNAVAILABLE, "too-many"),
                (UNAVAILABLE, "starting"),
            ]),
        get("/v1/clients/{id}/policy", Viewer, policy::of_client)
            .says("What the packet filter allows a client, why, and what it dropped of it")
            .details("With `to`, also whether the client reaches somebody, and which rule decides that.")
            .fails(&REFUSED_POLICY),
        get("/v1/leases", Viewer, leases::list).says("Leases, by link"),
        get("/v1/quarantine", Viewer, quarantine::list)
            .says("Addresses in quarantine, by link")
            .details("A client declined each, because another machine uses it. Until `valid_until` nobody gets it."),
        delete("/v1/quarantine/{address}", Operator, quarantine::lift)
            .says("End the quarantine of an address, so that it is given out again")
            .fails(&[(NOT_FOUND, "no-such-quarantine"), (UNAVAILABLE, "starting")]),
        post("/v1/hooks/dnsmasq", Hook, hooks::dnsmasq)
            .says("Hand over a lease event of dnsmasq")
            .details(
                "Answered when the event is durable. A hook that is answered 400 or 422 has nothing to keep; after \
                 anything else but success it keeps the event and sends it again.",
            )
            .fails(&[(UNPROCESSABLE, "refused"), (UNAVAILABLE, "starting")])
            .on_unix_sockets_only(),
    ]
}

pub(super) fn about_reservations() -> Vec<Route> {
    vec![
        get("/v1/reservations", Viewer, reservations::list)
            .says("What is reserved for whom: first by the settings, then by the API")
            .details("A cursor is a place in this order: where one is made or removed meanwhile, one may come twice or be left out.")
            .fails(&[(UNAVAILABLE, "starting")]),
        post("/v1/reservations", Operator, reservations::add)
            .says("Reserve an address, a prefix or both for one client, or let SSH keys log in to its instances")
            .fails(&[
                (UNPROCESSABLE, "bad-key"),
                (CONFLICT, "too-many-keys"),
                (CONFLICT, "already-reserved"),
                (CONFLICT, "too-many-reservations"),
                (UNPROCESSABLE, "host-bits"),
                (UNPROCESSABLE, "bad-link-layer-address"),
                (UNPROCESSABLE, "refused"),
                (UNAVAILABLE, "starting"),
            ]),
        delete("/v1/reservations/{id}", Operator, reservations::remove)
            .says("Remove a reservation that the API made")
            .fails(&[(NOT_FOUND, "no-such-reservation"), (UNAVAILABLE, "starting")]),
    ]
}
