//! What is kept for known clients.

use serde_json::json;

use crate::daemon::Daemon;
use crate::http::{ask, ask_with, get};

/// Posts a reservation; its status and id, or the code of the problem.
async fn reserve(daemon: &Daemon, what: serde_json::Value) -> (u16, String) {
    let body = what.to_string().into_bytes();
    let answer = ask_with(
        &daemon.tcp,
        "POST",
        "/v1/reservations",
        "Content-Type: application/json\r\n",
        &body,
    )
    .await;
    match answer.status {
        201 => (201, answer.json()["id"].as_str().unwrap().to_owned()),
        _ => answer.problem(),
    }
}

#[tokio::test]
async fn a_reservation_is_made_shown_and_removed() {
    let daemon = Daemon::start().await;
    let new = json!({
        "link": "br0", "remote_id": {"enterprise": 9, "id": "0x00ff"}, "address": "fd39::7", "prefix": "fd40::/56"
    });
    let (status, id) = reserve(&daemon, new.clone()).await;
    assert_eq!(status, 201);
    let mut expected = new;
    expected["id"] = json!(id);
    expected["in_force"] = json!(true);
    let mut shown = get(&daemon.unix, "/v1/reservations").await;
    let item = shown["items"][0].as_object_mut().unwrap();
    assert!(item.remove("created").is_some_and(|created| created.is_string()));
    assert_eq!(
        (shown["items"][0].clone(), shown["next"].clone()),
        (expected, json!(null))
    );
    let path = format!("/v1/reservations/{id}");
    assert_eq!(ask(&daemon.unix, "DELETE", &path).await.json()["id"], json!(id));
    assert_eq!(get(&daemon.unix, "/v1/reservations").await["items"], json!([]));
    for gone in [path.as_str(), "/v1/reservations/x"] {
        assert_eq!(
            ask(&daemon.unix, "DELETE", gone).await.problem(),
            (404, "no-such-reservation".to_owned())
        );
    }
}

#[tokio::test]
async fn what_is_no_reservation_is_refused() {
    let daemon = Daemon::start().await;
    let (status, _) = reserve(
        &daemon,
        json!({"link": "br0", "duid": "00:02:01", "address": "fd39::7"}),
    )
    .await;
    assert_eq!(status, 201);
    for (what, status, code) in [
        (
            json!({"link": "br0", "duid": "00:02:02", "address": "fd39::7"}),
            409,
            "already-reserved",
        ),
        (
            json!({"link": "br0", "duid": "00:02:01", "address": "fd39::8"}),
            409,
            "already-reserved",
        ),
        (json!({"link": "br0", "address": "fd39::8"}), 400, "bad-body"),
        (
            json!({"link": "br0", "duid": "00:02:02", "interface_id": "a", "address": "fd39::8"}),
            400,
            "bad-body",
        ),
        (
            json!({"link": "br0", "duid": "00:02:02", "adress": "fd39::8"}),
            400,
            "bad-body",
        ),
        (
            json!({"link": "br0", "interface_id": "0x0", "address": "fd39::8"}),
            400,
            "bad-body",
        ),
        (json!(7), 400, "bad-body"),
    ] {
        assert_eq!(
            reserve(&daemon, what.clone()).await,
            (status, code.to_owned()),
            "{what}"
        );
    }
}

#[tokio::test]
async fn they_come_a_portion_at_a_time() {
    let daemon = Daemon::start().await;
    for n in 1..=5 {
        let link = if n == 3 { "br1" } else { "br0" };
        let (status, _) = reserve(
            &daemon,
            json!({"link": link, "interface_id": format!("p{n}"), "address": format!("fd39::{n}")}),
        )
        .await;
        assert_eq!(status, 201);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/reservations?link=br0&limit=3".to_owned();
    loop {
        let page = get(&daemon.unix, &path).await;
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|item| item["interface_id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/reservations?link=br0&limit=3&after={next}"),
            None => break,
        }
    }
    // They were made at one moment.
    seen.sort();
    assert_eq!(seen, ["p1", "p2", "p4", "p5"]);
    let answer = ask(&daemon.unix, "GET", "/v1/reservations?after=x").await;
    assert_eq!(answer.problem(), (400, "bad-cursor".to_owned()));
}
