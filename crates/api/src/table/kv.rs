//! Routes about keys and values.

use super::{CONFLICT, NOT_FOUND, UNAVAILABLE, delete, get, put};
use crate::kv;
use crate::role::Role::{Operator, Viewer};
use crate::route::Route;

pub(super) fn about_kv() -> Vec<Route> {
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
