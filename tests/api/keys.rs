//! The SSH keys of clients, and of reservations.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, ask, ask_with, get};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd";
const FINGERPRINT: &str = "SHA256:oH/ngppVyusDP11pmuUWKaNq2scx04iJFPZMr8RzMpo";

async fn send(daemon: &Daemon, method: &str, path: &str, body: Value) -> Answer {
    let headers = "Content-Type: application/json\r\n";
    ask_with(&daemon.unix, method, path, headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn keys_are_added_once_replaced_and_removed_by_their_fingerprint() {
    let daemon = Daemon::start().await;
    let client = daemon.instance(1, [1; 6]).await.client().unwrap();
    let path = format!("/v1/clients/{client}/keys");
    let add = async |key: String| send(&daemon, "POST", &path, json!({ "keys": [key] })).await;
    assert_eq!(
        add(format!("{KEY} old")).await.json(),
        json!({"keys": [format!("{KEY} old")]})
    );
    let again = add(format!("{KEY}   new  laptop")).await.json();
    assert_eq!(again, json!({"keys": [format!("{KEY} new laptop")]}));
    let refused = add("command=\"sh\" ssh-ed25519 AAAA".to_owned()).await.problem();
    assert_eq!(refused, (422, "bad-key".to_owned()));
    let one = format!("{path}/{}", FINGERPRINT.replace('/', "%2F"));
    assert_eq!(ask(&daemon.unix, "DELETE", &one).await.json(), json!({"keys": []}));
    assert_eq!(
        ask(&daemon.unix, "DELETE", &one).await.problem(),
        (404, "no-such-key".to_owned())
    );
    let stranger = "/v1/clients/000000000000/keys";
    let unknown = send(&daemon, "POST", stranger, json!({ "keys": [KEY] }))
        .await
        .problem();
    assert_eq!(unknown, (404, "no-such-client".to_owned()));
    let events = get(&daemon.unix, "/v1/events?limit=100").await;
    let changed = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "keys-changed");
    assert_eq!(changed.count(), 3, "a change each, and none of what was refused");
}

#[tokio::test]
async fn a_list_of_keys_has_a_limit() {
    let daemon = Daemon::start().await;
    let client = daemon.instance(1, [1; 6]).await.client().unwrap();
    let path = format!("/v1/clients/{client}/keys");
    // Keys that differ in their last bytes.
    let key = |number: usize| {
        let last = char::from(b'A' + u8::try_from(number % 26).unwrap());
        let before = if number < 26 { 'a' } else { 'b' };
        format!("{}{before}{last}", &KEY[..KEY.len() - 2])
    };
    let all: Vec<String> = (0..32).map(key).collect();
    let full = send(&daemon, "PUT", &path, json!({ "keys": all })).await;
    assert_eq!(full.json()["keys"].as_array().unwrap().len(), 32);
    let more = send(&daemon, "POST", &path, json!({ "keys": [key(40)] }))
        .await
        .problem();
    assert_eq!(more, (409, "too-many-keys".to_owned()));
}

#[tokio::test]
async fn a_reservation_is_made_with_keys_alone() {
    let daemon = Daemon::start().await;
    let new = json!({"link": "br0", "duid": "00:02:01", "authorized_keys": [format!("{KEY}  me")]});
    let made = send(&daemon, "POST", "/v1/reservations", new).await;
    assert_eq!(made.status, 201);
    let shown = get(&daemon.unix, "/v1/reservations").await;
    assert_eq!(shown["items"][0]["authorized_keys"], json!([format!("{KEY} me")]));
    let wrong = json!({"link": "br0", "duid": "00:02:02", "authorized_keys": ["key"]});
    let refused = send(&daemon, "POST", "/v1/reservations", wrong).await.problem();
    assert_eq!(refused, (422, "bad-key".to_owned()));
}
