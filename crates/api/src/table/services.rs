//! Routes about services.

use axum::http::StatusCode;

use super::{CONFLICT, NOT_FOUND, UNAVAILABLE, UNPROCESSABLE, delete, get, post, put};
use crate::role::Role::{Operator, Viewer};
use crate::route::Route;
use crate::services;

/// How a change of a service is refused.
const REFUSED_SERVICE: [(StatusCode, &str); 7] = [
    (NOT_FOUND, "no-such-service"),
    (CONFLICT, "service-changed"),
    (CONFLICT, "service-per-client"),
    (CONFLICT, "service-removing"),
    (UNPROCESSABLE, "service-wrong"),
    (UNPROCESSABLE, "refused"),
    (UNAVAILABLE, "starting"),
];

pub(super) fn about_services() -> Vec<Route> {
    let waits = "With `index`, the answer comes when the snapshot has another number, or after `wait`.";
    vec![
        get("/v1/services", Viewer, services::list)
            .says("The services, by name")
            .details(waits)
            .fails(&[(UNAVAILABLE, "starting"), (UNAVAILABLE, "too-many-streams")]),
        get("/v1/services/{name}", Viewer, services::show)
            .says("A service, with its slots")
            .fails(&[(NOT_FOUND, "no-such-service"), (UNAVAILABLE, "starting")]),
        put("/v1/services/{name}", Operator, services::deploy)
            .says("Deploy a service, or plan that")
            .details(
                "The body has the keys of a service file. The same once more changes nothing. With `plan=true` it is only \
                 said what would change.",
            )
            .fails(&REFUSED_SERVICE)
            .fails(&[(CONFLICT, "too-many-services")]),
        delete("/v1/services/{name}", Operator, services::remove)
            .says("Remove a service with its instances, each drained first")
            .fails(&REFUSED_SERVICE),
        post("/v1/services/{name}/scale", Operator, services::scale)
            .says("Change the number of instances")
            .fails(&REFUSED_SERVICE),
        post("/v1/services/{name}/bump", Operator, services::bump)
            .says("Replace all instances by new ones, of the same content or of another image")
            .details(
                "Without a body, the new instances have the same content. With `tag` or `image`, the recorded service is \
                 deployed with that image; the same once more changes nothing. With `plan=true` it is only said what would \
                 change.",
            )
            .fails(&REFUSED_SERVICE),
        post("/v1/services/{name}/rollback", Operator, services::rollback)
            .says("Deploy an earlier version again")
            .fails(&REFUSED_SERVICE),
        post("/v1/services/{name}/pause", Operator, services::pause)
            .says("Roll nothing of a service until it is resumed")
            .fails(&REFUSED_SERVICE),
        post("/v1/services/{name}/resume", Operator, services::resume)
            .says("Roll a service again that was paused")
            .fails(&REFUSED_SERVICE),
        get("/v1/endpoints", Viewer, services::endpoints)
            .says("Where the services are reached")
            .details(waits)
            .fails(&[(UNAVAILABLE, "starting"), (UNAVAILABLE, "too-many-streams")]),
        get("/v1/operations", Viewer, services::operations)
            .says("What somebody started on services, the oldest first")
            .fails(&[(UNAVAILABLE, "starting")]),
        get("/v1/operations/{id}", Viewer, services::operation)
            .says("An operation, or its end")
            .details("With `wait`, the answer comes when it has ended, or after that time.")
            .fails(&[
                (NOT_FOUND, "no-such-operation"),
                (UNAVAILABLE, "starting"),
                (UNAVAILABLE, "too-many-streams"),
            ]),
    ]
}
