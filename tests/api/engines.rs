//! What each engine can do.

use serde_json::json;

use crate::daemon::Daemon;
use crate::http::get;

#[tokio::test]
async fn engines_are_shown_with_their_kind_and_what_they_can_do() {
    let daemon = Daemon::start().await;
    assert_eq!(
        get(&daemon.unix, "/v1/engines").await,
        json!({
            "items": [
                { "name": "boxes", "host": "local", "kind": "exec", "capabilities": [] },
                { "name": "docker", "host": "local", "kind": "docker", "capabilities": ["engine-namespace", "logs"] },
            ],
            "next": null,
        })
    );
}
