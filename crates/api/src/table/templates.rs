//! Routes about templates, images and volumes.

use axum::http::StatusCode;

use super::{CONFLICT, NOT_FOUND, UNAVAILABLE, UNPROCESSABLE, delete, get, post, put};
use crate::role::Role::{Admin, Operator, Viewer};
use crate::route::Route;
use crate::{images, registries, templates, volumes};

pub(super) fn about_templates() -> Vec<Route> {
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

pub(super) fn about_images() -> Vec<Route> {
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

pub(super) fn about_volumes() -> Vec<Route> {
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
