//! Routes about the daemon itself and its settings.

use axum::http::StatusCode;

use super::{UNAVAILABLE, UNPROCESSABLE, get, post};
use crate::role::Role::{Admin, Viewer};
use crate::route::Route;
use crate::{doctor, engines, events, health, metrics, openapi, settings, tasks};

pub(super) fn about_the_daemon() -> Vec<Route> {
    vec![
        get("/v1/health", Viewer, health::health).says("Whether the daemon runs"),
        get("/v1/ready", Viewer, health::ready)
            .says("Whether the daemon has all it needs")
            .details("200 when it waits for nothing, 503 with the same body when it does."),
        get("/v1/events", Viewer, events::list)
            .says("The timeline, listed or followed")
            .details(
                "Without `after`, the last events; with it, the first ones after that number. With `Accept: \
                 text/event-stream` it is a stream that goes on after the event that `Last-Event-ID` or `after` names, \
                 or begins now. The data of each message of the stream is one event.",
            )
            .fails(&[(UNAVAILABLE, "too-many-streams")]),
        get("/v1/tasks", Viewer, tasks::list).says("What every task of the daemon does, by name"),
        get("/v1/engines", Viewer, engines::list)
            .says("The engines, with what each can do")
            .fails(&[(UNAVAILABLE, "starting")]),
        get("/v1/doctor", Viewer, doctor::show)
            .says("What is wrong with the system, what it means, and what mends it")
            .details(
                "Examines the machine, the engines, the database, the packet filter, and what bears the site's mark. \
                 Changes nothing. It takes up to some seconds where an engine does not answer. Works while the daemon is \
                 still starting.",
            ),
        post("/v1/doctor/fix", Admin, doctor::fix)
            .says("Mend what can be mended safely")
            .details(
                "Examines everything, does what is safe, and examines everything again. Nothing of other programs or \
                 other sites is changed, and no volume is removed. It may be repeated.",
            ),
        get("/metrics", Viewer, metrics::render)
            .says("Counters in the OpenMetrics text format")
            .fails(&[(StatusCode::INTERNAL_SERVER_ERROR, "metrics-failed")]),
        get("/openapi.json", Viewer, openapi::show).says("This document"),
    ]
}

pub(super) fn about_settings() -> Vec<Route> {
    vec![
        get("/v1/settings", Viewer, settings::show)
            .says("Which settings are in force, and how what is written differs")
            .fails(&[(UNAVAILABLE, "stopping")]),
        post("/v1/settings/reload", Admin, settings::reload)
            .says("Put what is written as settings in force")
            .details("200 with what changed; 422 with all faults, and nothing was changed.")
            .fails(&[(UNPROCESSABLE, "settings-wrong"), (UNAVAILABLE, "stopping")]),
    ]
}
