//! What an instance is answered.

use hyper::{Method, StatusCode};
use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use super::answer;
use super::testing::facts;
use crate::facts::InstanceFacts;
use crate::{Request, Response};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn get(path: &str) -> Response {
    answer(&Request::get(path), &facts(), NOW)
}

fn text(path: &str) -> String {
    let response = get(path);
    assert_eq!(response.status, StatusCode::OK, "{path}");
    assert_eq!(response.content_type, "text/plain; charset=utf-8");
    response.body
}

#[test]
fn objects_are_listed_texts_are_lines_and_lists_one_element_a_line() {
    assert_eq!(text("/"), "v1/\n");
    assert_eq!(text("/v1"), "client/\ninstance/\nkeys\ntime/\nvalues/\n");
    assert_eq!(text("/v1/"), text("/v1"));
    assert_eq!(text("/v1/instance/networks/"), "br0\nstorage\n");
    assert_eq!(text("/v1/instance/networks/storage"), "fd50::1\n");
    assert_eq!(text("/v1/instance/address"), "fd39::2:1\n");
    assert_eq!(text("/v1/instance/version"), "3\n");
    assert_eq!(text("/v1/client/addresses"), "fd39::1:1\nfd39::1:2\n");
    assert_eq!(text("/v1/client/prefixes"), "");
    assert_eq!(text("/v1/values/greeting"), "hello\n");
    assert_eq!(text("/v1/values/user-data"), "#cloud-config\npackages: []\n");
    assert_eq!(text("/v1/keys"), "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b\n");
}

#[test]
fn the_time_that_is_left_never_begins_anew_below_zero() {
    assert_eq!(text("/v1/time/left_seconds"), "59\n");
    assert_eq!(text("/v1/time/until"), "2023-11-14T22:14:19.999Z\n");
    assert_eq!(text("/v1/time/reason"), "lifetime\n");
    let late = answer(
        &Request::get("/v1/time/left_seconds"),
        &facts(),
        Timestamp(i64::MAX - 1),
    );
    assert_eq!(late.body, "0\n");
    let endless = InstanceFacts { end: None, ..facts() };
    assert_eq!(answer(&Request::get("/v1/time/"), &endless, NOW).body, "now\n");
}

#[test]
fn json_is_the_same_tree() {
    let request = Request {
        accept: "application/json".to_owned(),
        ..Request::get("/v1/client")
    };
    let response = answer(&request, &facts(), NOW);
    assert_eq!(response.content_type, "application/json");
    let client: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(
        client,
        json!({
            "name": "phone", "addresses": ["fd39::1:1", "fd39::1:2"], "prefixes": [],
            "lease_until": "2023-11-14T22:14:20.000Z",
        })
    );
    let whole: Value = serde_json::from_str(&get("/v1.json").body).unwrap();
    assert_eq!(whole["client"], client);
    assert_eq!(whole["instance"]["id"], "3f9a2c01d2e4");
}

#[test]
fn cloud_init_finds_its_files() {
    let meta: Value = serde_json::from_str(&text("/meta-data")).unwrap();
    assert_eq!(meta["instance-id"], "3f9a2c01d2e4");
    assert_eq!(meta["public-keys"][1], "ssh-ed25519 BBBB b");
    assert_eq!(text("/user-data"), "#cloud-config\npackages: []\n");
    let plain = InstanceFacts {
        values: Default::default(),
        ..facts()
    };
    assert_eq!(
        answer(&Request::get("/user-data"), &plain, NOW).body,
        "#cloud-config\n{}\n"
    );
}

#[test]
fn an_instance_of_no_client_is_told_of_none() {
    let alone = InstanceFacts {
        client: None,
        ..facts()
    };
    assert_eq!(
        answer(&Request::get("/v1/client/name"), &alone, NOW).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        answer(&Request::get("/v1/"), &alone, NOW).body,
        "instance/\nkeys\ntime/\nvalues/\n"
    );
}

#[test]
fn what_is_not_there_is_said_without_obeying_the_path() {
    let response = get("/v1/../\u{1b}[2J");
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert_eq!(
        response.body,
        "There is nothing at /v1/../?[2J. GET / lists what there is.\n"
    );
    assert_eq!(get("/v1/instance/id/more").status, StatusCode::NOT_FOUND);
    assert_eq!(get("/v1/client/addresses/0").status, StatusCode::NOT_FOUND);
}

#[test]
fn nothing_can_be_changed() {
    let request = Request {
        method: Method::POST,
        ..Request::get("/v1/values/greeting")
    };
    let response = answer(&request, &facts(), NOW);
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers, [("Allow", "GET, HEAD".to_owned())]);
}
