//! The table of all routes. The router and the OpenAPI document are made from it alone.

use axum::handler::Handler;
use axum::http::StatusCode;

use super::describe::Described;
use super::role::Role::{self, Admin, Hook, Operator, Viewer};
use super::route::{Route, Verb};
use super::routes::Shared;
use super::{
    clients, doctor, engines, events, exec, health, hooks, images, instances, keys, kv, leases, limits, log, metrics,
    openapi, orphans, policy, quarantine, reconfigure, registries, reservations, services, settings, shell, stats,
    tasks, templates, times, tokens, volumes,
};

const CONFLICT: StatusCode = StatusCode::CONFLICT;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// How a pin is refused.
const REFUSED_TIME: [(StatusCode, &str); 4] = [
    (NOT_FOUND, "no-such-instance"),
    (CONFLICT, "ambiguous-id"),
    (CONFLICT, "instance-gone"),
    (UNAVAILABLE, "starting"),
];

/// How a question about the policy of somebody is refused.
const REFUSED_POLICY: [(StatusCode, &str); 5] = [
    (UNPROCESSABLE, "refused"),
    (NOT_FOUND, "no-such-client"),
    (NOT_FOUND, "no-such-instance"),
    (CONFLICT, "ambiguous-id"),
    (UNAVAILABLE, "starting"),
];

/// Every route, in the order of the document.
pub(super) fn table() -> Vec<Route> {
    [
        about_the_daemon(),
        about_clients(),
        about_instances(),
        about_what_runs(),
        about_reservations(),
        about_volumes(),
        about_templates(),
        about_images(),
        about_settings(),
        about_tokens(),
        about_kv(),
        about_services(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How a change of a service is refused.
const REFUSED_SERVICE: [(StatusCode, &str); 6] = [
    (NOT_FOUND, "no-such-service"),
    (CONFLICT, "service-changed"),
    (CONFLICT, "service-per-client"),
    (UNPROCESSABLE, "service-wrong"),
    (UNPROCESSABLE, "refused"),
    (UNAVAILABLE, "starting"),
];

fn about_services() -> Vec<Route> {
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
            .says("Replace all instances by new ones of the same content")
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

fn about_the_daemon() -> Vec<Route> {
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

/// How requests for SSH keys fail.
const KEY_FAULTS: [(StatusCode, &str); 4] = [
    (NOT_FOUND, "no-such-client"),
    (UNPROCESSABLE, "bad-key"),
    (CONFLICT, "too-many-keys"),
    (UNAVAILABLE, "starting"),
];

fn about_clients() -> Vec<Route> {
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

fn about_instances() -> Vec<Route> {
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

fn about_what_runs() -> Vec<Route> {
    vec![
        post(shell::PATH, Operator, shell::run)
            .says("Run a command line")
            .details(
                "The line is one of those that the command line has for the API, by the same parser, with the rights of who \
                 sends it. As `multipart/form-data`, the part `line` is the line, and each file that it names is a part with \
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

fn about_reservations() -> Vec<Route> {
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

fn about_volumes() -> Vec<Route> {
    vec![
        get("/v1/volumes", Viewer, volumes::list).says("Volumes, in the order in which they were made"),
        get("/v1/volumes/{id}", Viewer, volumes::show)
            .says("A volume, and which instance holds it")
            .fails(&[(NOT_FOUND, "no-such-volume")]),
        delete("/v1/volumes/{id}", Operator, volumes::remove)
            .says("Remove a volume that no instance holds, with all that it holds")
            .details("202: it is being removed. From now on no instance gets it; its owner gets a new one.")
            .fails(&[
                (NOT_FOUND, "no-such-volume"),
                (CONFLICT, "volume-held"),
                (UNAVAILABLE, "starting"),
            ]),
        post("/v1/volumes/{id}/export", Operator, volumes::export)
            .says("The content of a volume, as a tar archive")
            .details(
                "Links are archived as links. An instance may hold the volume meanwhile; then each file is as it was when \
                 it was read.",
            )
            .fails(&[
                (NOT_FOUND, "no-such-volume"),
                (UNPROCESSABLE, "refused"),
                (UNAVAILABLE, "starting"),
            ]),
    ]
}

fn about_templates() -> Vec<Route> {
    vec![
        get("/v1/templates", Viewer, templates::list)
            .says("Templates by name: those in force, then those of the API that the settings take precedence over")
            .fails(&[(UNAVAILABLE, "starting")]),
        post("/v1/templates", Admin, templates::create)
            .says("Create a template")
            .details("The same keys, checks and messages as in the settings. It is in force when the answer comes.")
            .fails(&[
                (CONFLICT, "template-exists"),
                (CONFLICT, "in-settings"),
                (CONFLICT, "too-many-templates"),
                (UNPROCESSABLE, "template-wrong"),
                (UNAVAILABLE, "starting"),
            ]),
        get("/v1/templates/{name}", Viewer, templates::show)
            .says("The template of this name that is in force")
            .details("`ETag` is its version.")
            .fails(&[(NOT_FOUND, "no-such-template"), (UNAVAILABLE, "starting")]),
        put("/v1/templates/{name}", Admin, templates::change)
            .says("Change a template that was made through the API")
            .details(
                "What runs stays as it is; what is made from now on is of the new version. The request says which \
                 version it changes, by `If-Match` or in its body.",
            )
            .fails(&[
                (NOT_FOUND, "no-such-template"),
                (CONFLICT, "in-settings"),
                (CONFLICT, "template-changed"),
                (UNPROCESSABLE, "template-wrong"),
                (StatusCode::PRECONDITION_REQUIRED, "version-missing"),
                (UNAVAILABLE, "starting"),
            ]),
        delete("/v1/templates/{name}", Admin, templates::remove)
            .says("Remove a template that was made through the API and that no link and no class names")
            .fails(&[
                (NOT_FOUND, "no-such-template"),
                (CONFLICT, "in-settings"),
                (CONFLICT, "template-in-use"),
                (CONFLICT, "template-changed"),
                (UNAVAILABLE, "starting"),
            ]),
        post("/v1/templates/{name}/update", Admin, templates::update)
            .says("Pin a template to what its names of images mean now")
            .details(
                "If one of them means another image than the version in force is pinned to, there is a new version with \
                 the same content, and instances that are made from then on have the new images. Instances that exist \
                 keep theirs. Otherwise nothing changes, and the answer is the version in force. Nothing is fetched: \
                 load or pull the new image first.",
            )
            .fails(&[
                (NOT_FOUND, "no-such-template"),
                (NOT_FOUND, "image-missing"),
                (CONFLICT, "template-changed"),
                (UNPROCESSABLE, "engine-refused"),
                (UNPROCESSABLE, "engine-unsupported"),
                (UNAVAILABLE, "engine-unavailable"),
                (UNAVAILABLE, "starting"),
                (StatusCode::BAD_GATEWAY, "engine-failed"),
                (StatusCode::GATEWAY_TIMEOUT, "engine-timeout"),
            ]),
        get("/v1/templates/{name}/versions/{version}", Viewer, templates::version)
            .says("A version of a template, for as long as it is in force or an instance has it")
            .fails(&[(NOT_FOUND, "no-such-template"), (UNAVAILABLE, "starting")]),
    ]
}

const ENGINE_FAILS: &[(StatusCode, &str)] = &[
    (NOT_FOUND, "no-such-engine"),
    (NOT_FOUND, "image-missing"),
    (UNPROCESSABLE, "refused"),
    (UNPROCESSABLE, "engine-refused"),
    (UNPROCESSABLE, "engine-unsupported"),
    (UNAVAILABLE, "engine-unavailable"),
    (UNAVAILABLE, "too-many-streams"),
    (UNAVAILABLE, "starting"),
    (UNAVAILABLE, "stopping"),
    (StatusCode::BAD_GATEWAY, "engine-failed"),
    (StatusCode::GATEWAY_TIMEOUT, "engine-timeout"),
];

fn about_images() -> Vec<Route> {
    vec![
        get("/v1/images", Viewer, images::list)
            .says("The images of all engines, or of one")
            .details("An engine that does not answer is in `faults`.")
            .fails(&[(NOT_FOUND, "no-such-engine"), (UNAVAILABLE, "starting")]),
        post("/v1/images", Admin, images::load)
            .says("Load the images of an archive")
            .details(
                "The body is a tar archive in Docker's layout (`docker save`) or in OCI's. It is passed on to the engine \
                 as it comes, and answered when the images are there.",
            )
            .fails(ENGINE_FAILS),
        post("/v1/images/pull", Admin, images::pull)
            .says("Fetch an image from its registry")
            .details(
                "Answered with a stream of Server-Sent Events: each has a step as its data, and the last one has the \
                 image, or the problem. Closing the stream ends the pull. The registry's password is the one that `PUT \
                 /v1/registries/{host}` has given.",
            )
            .fails(ENGINE_FAILS),
        post("/v1/images/prune", Admin, images::prune)
            .says("Remove the images that nothing uses")
            .details(
                "Only images that were loaded or fetched through the daemon are removed, and none that a template in \
                 force names, that a version in force or of an instance is pinned to, or that a container is made from. \
                 Those that are unused are removed now, without waiting for `images.unused` of the settings. With \
                 `dry_run` nothing is removed.",
            )
            .fails(&[(UNAVAILABLE, "starting")]),
        delete("/v1/images", Admin, images::remove)
            .says("Remove a name from an image, or an image by its id")
            .details("An image goes with its last name. One that a container uses is kept. What is not there is success.")
            .fails(ENGINE_FAILS),
        get("/v1/registries", Viewer, registries::list)
            .says("Registries whose password is known")
            .fails(&[(UNAVAILABLE, "secrets-closed"), (UNAVAILABLE, "starting")]),
        put("/v1/registries/{host}", Admin, registries::login)
            .says("Give the user and password by which images are fetched from a registry")
            .details("Both are sealed, and never shown.")
            .fails(&[
                (UNPROCESSABLE, "refused"),
                (UNAVAILABLE, "secrets-closed"),
                (UNAVAILABLE, "starting"),
            ]),
        delete("/v1/registries/{host}", Admin, registries::logout)
            .says("Forget the user and password for a registry")
            .fails(&[
                (NOT_FOUND, "no-such-registry"),
                (UNPROCESSABLE, "refused"),
                (UNAVAILABLE, "secrets-closed"),
                (UNAVAILABLE, "starting"),
            ]),
    ]
}

fn about_settings() -> Vec<Route> {
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

fn about_kv() -> Vec<Route> {
    vec![
        get("/v1/kv", Viewer, kv::namespaces).says("The namespaces that have keys"),
        get("/v1/kv/{*path}", Viewer, kv::read)
            .says("A key with its value, or all keys below a path; now, once they have changed, or as a stream of changes")
            .details(
                "With `index` the answer comes once a key at or below the path has changed after that number, or after \
                 `wait`. The index of an answer is in its body, and in the header `X-Index`, also where there is no such key. \
                 With `Accept: text/event-stream` it is a stream of changes, without values. An event `missed` in it says \
                 that the timeline does not reach back far enough, and that the keys are to be read again.",
            )
            .fails(&[(NOT_FOUND, "no-such-key-path"), (UNAVAILABLE, "too-many-streams")]),
        put("/v1/kv/{*path}", Operator, kv::put)
            .says("Set a key; the body is its value, of whatever type")
            .details("With `cas` only if it has that version. A value has at most 64 KiB; a namespace has at most 4,096 keys, and 4 MiB.")
            .fails(&[
                (CONFLICT, "key-changed"),
                (CONFLICT, "namespace-full"),
                (CONFLICT, "owner-gone"),
            ]),
        delete("/v1/kv/{*path}", Operator, kv::remove)
            .says("Remove a key, or all keys below a path; what is not there is success")
            .fails(&[(CONFLICT, "key-changed")]),
    ]
}

fn about_tokens() -> Vec<Route> {
    vec![
        get("/v1/tokens", Viewer, tokens::list)
            .says("The tokens by name, never the tokens themselves")
            .fails(&[(UNAVAILABLE, "secrets-closed"), (UNAVAILABLE, "starting")]),
        post("/v1/tokens", Admin, tokens::add)
            .says("Make a token for a caller of the API")
            .details(
                "The answer has the token itself, which is shown this once: only its hash is kept. With `sign` it is a key \
                 that signs requests, which is kept sealed and is never sent.",
            )
            .fails(&[
                (CONFLICT, "token-exists"),
                (CONFLICT, "too-many-tokens"),
                (UNPROCESSABLE, "bad-name"),
                (UNPROCESSABLE, "bad-scope"),
                (UNPROCESSABLE, "bad-duration"),
                (UNAVAILABLE, "secrets-closed"),
                (UNAVAILABLE, "starting"),
            ]),
        post("/v1/tokens/{name}/rotate", Admin, tokens::rotate)
            .says("Give a token another secret part")
            .details("The answer has the token itself, which is shown this once. The one before is accepted for `overlap` more.")
            .fails(&[
                (NOT_FOUND, "no-such-token"),
                (UNPROCESSABLE, "bad-duration"),
                (UNAVAILABLE, "secrets-closed"),
                (UNAVAILABLE, "starting"),
            ]),
        delete("/v1/tokens/{name}", Admin, tokens::remove)
            .says("Remove a token; it is refused when the answer comes, and streams that it opened end")
            .fails(&[
                (NOT_FOUND, "no-such-token"),
                (UNAVAILABLE, "secrets-closed"),
                (UNAVAILABLE, "starting"),
            ]),
    ]
}

fn get<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(path: &'static str, role: Role, handler: H) -> Route {
    Route::new(Verb::Get, path, role, handler)
}

fn post<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(
    path: &'static str,
    role: Role,
    handler: H,
) -> Route {
    Route::new(Verb::Post, path, role, handler)
}

fn put<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(path: &'static str, role: Role, handler: H) -> Route {
    Route::new(Verb::Put, path, role, handler)
}

fn delete<H: Handler<T, Shared> + Described<I, O>, T: 'static, I, O>(
    path: &'static str,
    role: Role,
    handler: H,
) -> Route {
    Route::new(Verb::Delete, path, role, handler)
}
