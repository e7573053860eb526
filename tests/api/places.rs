//! Limits, the queue of those that wait for a place, and pauses.

use serde_json::{Value, json};

use crate::daemon::{Daemon, LINK};
use crate::http::{Answer, ask, ask_with, get};

async fn post(daemon: &Daemon, path: &str, body: Value) -> Answer {
    let body = body.to_string().into_bytes();
    ask_with(&daemon.tcp, "POST", path, "Content-Type: application/json\r\n", &body).await
}

#[tokio::test]
async fn a_pause_is_shown_until_it_is_ended() {
    let daemon = Daemon::start().await;
    for (scope, link, template) in [
        (json!({"link": LINK}), json!(LINK), json!(null)),
        (json!({"template": "web"}), json!(null), json!("web")),
        (json!({}), json!(null), json!(null)),
    ] {
        let paused = post(&daemon, "/v1/pause", scope.clone()).await;
        assert_eq!(paused.status, 200);
        let shown = get(&daemon.unix, "/v1/limits").await;
        assert_eq!(paused.json(), shown);
        let pause = &shown["paused"][0];
        assert_eq!((&pause["link"], &pause["template"]), (&link, &template));
        assert!(pause["by"].is_string() && pause["since"].is_string(), "{pause}");
        let resumed = post(&daemon, "/v1/resume", scope).await;
        assert_eq!((resumed.status, &resumed.json()["paused"]), (200, &json!([])));
    }
}

#[tokio::test]
async fn what_cannot_be_paused_is_refused() {
    let daemon = Daemon::start().await;
    for path in ["/v1/pause", "/v1/resume"] {
        let both = post(&daemon, path, json!({"link": "br0", "template": "web"})).await;
        assert_eq!(both.problem(), (400, "bad-body".to_owned()));
        let unknown = post(&daemon, path, json!({"host": "local"})).await;
        assert_eq!(unknown.problem(), (400, "bad-body".to_owned()));
    }
    assert_eq!(get(&daemon.unix, "/v1/limits").await["paused"], json!([]));
}

#[tokio::test]
async fn those_that_wait_are_listed_in_turn_and_page_by_page() {
    let daemon = Daemon::start().await;
    let first = get(&daemon.unix, "/v1/queue?limit=2").await;
    let places = |page: &Value| {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["place"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&first), [1, 2]);
    assert_eq!(first["items"][0]["expected_ms"], 1000);
    assert_eq!(first["items"][0]["code"], "memory");
    let next = first["next"].as_str().unwrap();
    let second = get(&daemon.unix, &format!("/v1/queue?limit=2&after={next}")).await;
    assert_eq!((places(&second), &second["next"]), (vec![json!(3)], &json!(null)));
    let of_link = get(&daemon.unix, &format!("/v1/queue?link={LINK}")).await;
    assert_eq!(places(&of_link), [1, 3], "the places are those of the whole queue");
    let bad = ask(&daemon.unix, "GET", "/v1/queue?after=x").await;
    assert_eq!(bad.problem(), (400, "bad-cursor".to_owned()));
}
