//! Routes about tokens.

use super::{CONFLICT, NOT_FOUND, UNAVAILABLE, UNPROCESSABLE, delete, get, post};
use crate::role::Role::{Admin, Viewer};
use crate::route::Route;
use crate::tokens;

pub(super) fn about_tokens() -> Vec<Route> {
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
