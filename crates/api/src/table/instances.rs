//! Routes about instances and what runs in them.

use axum::http::StatusCode;

use super::{CONFLICT, NOT_FOUND, REFUSED_POLICY, UNAVAILABLE, UNPROCESSABLE, delete, get, post};
use crate::role::Role::{Admin, Operator, Viewer};
use crate::route::Route;
use crate::{exec, instances, limits, log, orphans, policy, shell, stats, times};

/// How a pin is refused.
const REFUSED_TIME: [(StatusCode, &str); 4] = [
    (NOT_FOUND, "no-such-instance"),
    (CONFLICT, "ambiguous-id"),
    (CONFLICT, "instance-gone"),
    (UNAVAILABLE, "starting"),
];

pub(super) fn about_instances() -> Vec<Route> {
    vec![
        get("/v1/instances", Viewer, instances::list)
            .says("Instances, in the order in which they were made; those that are gone only with `all`"),
        get("/v1/instances/{id}", Viewer, instances::show)
            .says("An instance; the beginning of its id is enough")
            .fails(&[(NOT_FOUND, "no-such-instance"), (CONFLICT, "ambiguous-id")]),
        delete("/v1/instances/{id}", Operator, instances::destroy)
            .says("Remove an instance; its client gets another one at its next lease event")
            .details(
                "202: it is being removed. 200: it was gone already, and nothing was done; with `release` that is \
                 refused, since its client may hold a lease by now that has nothing to do with it.",
            )
            .fails(&[
                (NOT_FOUND, "no-such-instance"),
                (CONFLICT, "ambiguous-id"),
                (CONFLICT, "instance-gone"),
                (UNAVAILABLE, "starting"),
            ]),
        get("/v1/instances/{id}/policy", Viewer, policy::of_instance)
            .says("What the packet filter allows an instance, why, and what it dropped of it")
            .details("With `to`, also whether the instance reaches somebody, and which rule decides that.")
            .fails(&REFUSED_POLICY),
        get("/v1/limits", Viewer, limits::show)
            .says("What is promised to instances, of what, and what is paused")
            .fails(&[(UNAVAILABLE, "starting")]),
        get("/v1/queue", Viewer, limits::queue)
            .says("Instances that wait for a place because a limit is reached, in the order of their turns")
            .fails(&[(UNAVAILABLE, "starting")]),
        post("/v1/pause", Operator, limits::pause)
            .says("Make nothing new: for a link, for a template, or at all")
            .details(
                "Leases go on, and what runs stays. It is so when the answer comes, and stays so after a restart of the \
                 daemon. Pausing what is paused changes nothing.",
            )
            .fails(&[(UNPROCESSABLE, "refused"), (UNAVAILABLE, "starting")]),
        post("/v1/resume", Operator, limits::resume)
            .says("End a pause; what waited for that is made")
            .details("Resuming what is not paused changes nothing.")
            .fails(&[(UNAVAILABLE, "starting")]),
        post("/v1/instances/{id}/pin", Operator, times::pin)
            .says("Pin an instance: no lease, lifetime or idle limit ends it")
            .details("It is removed only by DELETE, or after it was unpinned.")
            .fails(&REFUSED_TIME),
        post("/v1/instances/{id}/unpin", Operator, times::unpin)
            .says("Unpin an instance: its lease and its limits count again")
            .details("A lifetime that ended meanwhile ends it now; an idle limit begins anew.")
            .fails(&REFUSED_TIME),
        post("/v1/instances/{id}/extend", Operator, times::extend)
            .says("Extend the time of an instance: each of its deadlines comes later")
            .details("A stopped instance whose idle limit had ended runs again, if its client still holds a lease.")
            .fails(&[
                (NOT_FOUND, "no-such-instance"),
                (CONFLICT, "ambiguous-id"),
                (CONFLICT, "instance-gone"),
                (CONFLICT, "no-deadline"),
                (UNPROCESSABLE, "bad-duration"),
                (UNAVAILABLE, "starting"),
            ]),
        post("/v1/instances/{id}/expire", Operator, times::expire)
            .says("End the time of an instance now, as if its lifetime had ended")
            .details("Its client gets another one when the template's `again` says so.")
            .fails(&[
                (NOT_FOUND, "no-such-instance"),
                (CONFLICT, "ambiguous-id"),
                (CONFLICT, "instance-gone"),
                (CONFLICT, "instance-pinned"),
                (UNAVAILABLE, "starting"),
            ]),
        get("/v1/orphans", Viewer, orphans::list)
            .says("Instances that run and that the database does not know")
            .fails(&[(UNAVAILABLE, "starting")]),
        delete("/v1/orphans/{id}", Admin, orphans::remove)
            .says("Remove an instance that the database does not know")
            .fails(&[
                (NOT_FOUND, "no-such-orphan"),
                (UNPROCESSABLE, "refused"),
                (UNAVAILABLE, "starting"),
            ]),
    ]
}

/// How requests about what runs in an instance fail.
const RUN_FAILS: &[(StatusCode, &str)] = &[
    (NOT_FOUND, "no-such-instance"),
    (NOT_FOUND, "no-such-container"),
    (CONFLICT, "ambiguous-id"),
    (CONFLICT, "instance-gone"),
    (CONFLICT, "not-running"),
    (UNPROCESSABLE, "engine-refused"),
    (UNPROCESSABLE, "engine-unsupported"),
    (UNAVAILABLE, "engine-unavailable"),
    (UNAVAILABLE, "engine-busy"),
    (UNAVAILABLE, "too-many-streams"),
    (UNAVAILABLE, "starting"),
    (StatusCode::BAD_GATEWAY, "engine-failed"),
    (StatusCode::GATEWAY_TIMEOUT, "engine-timeout"),
];

/// How a switch is refused.
const SWITCH_FAILS: &[(StatusCode, &str)] = &[
    (NOT_FOUND, "no-such-instance"),
    (CONFLICT, "ambiguous-id"),
    (CONFLICT, "instance-gone"),
    (CONFLICT, "instance-not-running"),
    (CONFLICT, "instance-switched-off"),
    (UNAVAILABLE, "starting"),
];

pub(super) fn about_what_runs() -> Vec<Route> {
    vec![
        post(shell::PATH, Viewer, shell::run)
            .says("Run a command line")
            .details(
                "The line is one of those that the command line has for the API, by the same parser, with the rights of who \
                 sends it: each of its requests needs the role of its own route. As `multipart/form-data`, the part `line` is the line, and each file that it names is a part with \
                 that file name; no file of the daemon's machine is read. The answer is records, JSON on a line each, while \
                 the line runs; the last one has the exit code. Closing the answer ends the line.",
            )
            .fails(&[(UNAVAILABLE, "too-many-streams")]),
        post("/v1/instances/{id}/exec", Operator, exec::exec)
            .says("Run a command in an instance")
            .details(
                "The answer is a stream of frames, each with a head of eight bytes: its kind, three zeros, and the length of \
                 its payload (four bytes, big-endian). Kind 1 is standard output, 2 standard error, 3 the end: JSON with the \
                 `exit_code`, or the `problem`. With the body `application/vnd.orchestrator.frames` the request is a stream \
                 of frames, too, which goes on while the command runs: 4 is the command (JSON as below) and comes first, 6 a \
                 piece of the files that it names, 0 its input (an empty one ends it), 5 another size of its terminal (JSON). \
                 Closing the answer ends the command's input, not the command.",
            )
            .fails(RUN_FAILS),
        get("/v1/instances/{id}/log", Viewer, log::show)
            .says("What an instance wrote, line by line")
            .details(
                "A stream of Server-Sent Events: the data of each is a line. It ends with what is there, or with `follow` \
                 when the container ends. Of an instance that is gone, or whose engine keeps no output, the lines in the \
                 timeline are shown.",
            )
            .fails(RUN_FAILS),
        get("/v1/instances/{id}/stats", Viewer, stats::show)
            .says("What an instance uses of its machine, measured now")
            .fails(RUN_FAILS),
        post("/v1/instances/{id}/off", Operator, times::off)
            .says("Switch an instance off: its processes end, and its containers are kept")
            .details("It stays off, also after a restart of the daemon, until it is switched on. Answered once that is recorded.")
            .fails(SWITCH_FAILS),
        post("/v1/instances/{id}/on", Operator, times::on)
            .says("Switch an instance on again")
            .details("One that is on is left as it is.")
            .fails(SWITCH_FAILS),
        post("/v1/instances/{id}/reset", Operator, times::reset)
            .says("Restart the processes of an instance; its containers and their files stay")
            .details("Answered once it is recorded; `times.reset` is `null` again once it is done.")
            .fails(SWITCH_FAILS),
    ]
}
