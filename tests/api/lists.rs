//! What can be read.

use serde_json::{Value, json};

use crate::daemon::{Daemon, SECRET};
use crate::http::{ask, get};

fn strings<'a>(page: &'a Value, pointer: &str) -> Vec<&'a str> {
    page["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item.pointer(pointer).unwrap().as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn health_and_readiness() {
    let daemon = Daemon::start().await;
    for place in [&daemon.unix, &daemon.tcp] {
        assert_eq!(get(place, "/v1/health").await["status"], "ok");
    }
    daemon.conditions.set_ok("database");
    assert_eq!(get(&daemon.unix, "/v1/ready").await["ready"], true);
    daemon.conditions.set_waiting("engine docker", "no such socket");
    let answer = ask(&daemon.unix, "GET", "/v1/ready").await;
    assert_eq!(answer.status, 503);
    let ready = answer.json();
    assert_eq!(ready["ready"], false);
    assert_eq!(ready["conditions"][1]["name"], "engine docker");
    assert_eq!(ready["conditions"][1]["reason"], "no such socket");
    daemon.conditions.set_ok("engine docker");
    daemon.stores.send_replace(None);
    assert_eq!(ask(&daemon.unix, "GET", "/v1/ready").await.status, 503);
}

#[tokio::test]
async fn a_client_is_shown_with_what_it_has() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    let clients = get(&daemon.tcp, "/v1/clients?link=br0").await;
    assert_eq!(strings(&clients, "/hostname"), ["client-1"]);
    assert_eq!(clients["next"], Value::Null);
    assert_eq!(get(&daemon.tcp, "/v1/clients?link=br1").await["items"], json!([]));
    let client = get(&daemon.tcp, &format!("/v1/clients/{}", instance.client().unwrap())).await;
    assert_eq!(client["duid"], "00:03:00:01:02:00:5e:10:00:01");
    assert_eq!(client["leases"][0]["address"], "fd39::1:1");
    assert_eq!(client["leases"][0]["state"], "active");
    assert_eq!(client["instance"]["id"], "010101010101");
    assert_eq!(client["events"][0]["kind"], "lease-granted");
    assert_eq!(client["events"][1]["kind"], "instance-wanted");
}

#[tokio::test]
async fn no_answer_shows_a_value_of_an_instance_s_environment() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    let (id, client) = (instance.id, instance.client().unwrap());
    for path in [
        "/v1/instances".to_owned(),
        format!("/v1/instances/{id}"),
        format!("/v1/clients/{client}"),
        "/v1/clients".to_owned(),
        "/v1/leases".to_owned(),
        "/v1/events".to_owned(),
    ] {
        let answer = ask(&daemon.unix, "GET", &path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains(SECRET), "{path}: {}", answer.body);
    }
    let shown = get(&daemon.unix, &format!("/v1/instances/{id}")).await;
    assert_eq!(shown["spec"]["environment"], json!({"TOKEN": "***"}));
    assert_eq!(shown["spec"]["environment_from"], json!({"KEY": {"credential": "key"}}));
    daemon.gate.add_permits(1);
    let destroyed = ask(&daemon.unix, "DELETE", &format!("/v1/instances/{id}")).await;
    assert_eq!(destroyed.status, 202);
    assert!(!destroyed.body.contains(SECRET), "{}", destroyed.body);
}

#[tokio::test]
async fn leases_and_instances_are_filtered() {
    let daemon = Daemon::start().await;
    let one = daemon.instance(1, [0x10, 1, 1, 1, 1, 1]).await;
    daemon.instance(2, [0x20, 1, 1, 1, 1, 1]).await;
    let unix = &daemon.unix;
    assert_eq!(
        strings(&get(unix, "/v1/leases").await, "/address"),
        ["fd39::1:1", "fd39::1:2"]
    );
    assert_eq!(
        strings(&get(unix, "/v1/leases?state=released").await, "/address"),
        [""; 0]
    );
    let of_one = format!("/v1/leases?link=br0&state=active&client={}", one.client().unwrap());
    assert_eq!(strings(&get(unix, &of_one).await, "/address"), ["fd39::1:1"]);
    assert_eq!(
        strings(&get(unix, "/v1/instances").await, "/id"),
        ["100101010101", "200101010101"]
    );
    assert_eq!(strings(&get(unix, "/v1/instances?phase=ready").await, "/id"), [""; 0]);
    assert_eq!(
        strings(&get(unix, "/v1/instances?phase=pending&all=true").await, "/id").len(),
        2
    );
    let of_one = format!("/v1/instances?client={}", one.client().unwrap());
    let found = get(unix, &of_one).await;
    assert_eq!(strings(&found, "/duid"), ["00:03:00:01:02:00:5e:10:00:01"]);
    assert_eq!(found["items"][0]["spec"]["image"], "orchestrator/client");
}

#[tokio::test]
async fn a_list_goes_on_where_it_broke_off() {
    let daemon = Daemon::start().await;
    for n in 0..7 {
        daemon.instance(n, [n as u8; 6]).await;
    }
    for (list, all) in [("clients", 7), ("leases", 7), ("instances", 7), ("events", 14)] {
        let mut seen = 0;
        let mut path = format!("/v1/{list}?limit=3{}", if list == "events" { "&after=0" } else { "" });
        loop {
            let page = get(&daemon.unix, &path).await;
            seen += page["items"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/{list}?limit=3&after={next}");
        }
        assert_eq!(seen, all, "{list}");
    }
}

#[tokio::test]
async fn events_are_the_last_ones_unless_asked_from_somewhere() {
    let daemon = Daemon::start().await;
    for n in 0..6 {
        daemon.client(n).await;
    }
    let ids = async |path| -> Vec<i64> {
        let page = get(&daemon.unix, path).await;
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(ids("/v1/events?limit=2").await, [5, 6]);
    assert_eq!(ids("/v1/events?limit=2&before=5").await, [3, 4]);
    assert_eq!(ids("/v1/events?limit=2&after=0").await, [1, 2]);
    assert_eq!(ids("/v1/events?after=4").await, [5, 6]);
}

#[tokio::test]
async fn an_instance_is_found_by_the_beginning_of_its_id() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [0x3f, 0x9a, 0, 0, 0, 1]).await;
    daemon.instance(2, [0x3f, 0x9b, 0, 0, 0, 2]).await;
    assert_eq!(get(&daemon.unix, "/v1/instances/3f9a").await["id"], "3f9a00000001");
    let several = ask(&daemon.unix, "GET", "/v1/instances/3f").await;
    assert_eq!(several.problem(), (409, "ambiguous-id".to_owned()));
    assert_eq!(several.json()["candidates"], json!(["3f9a00000001", "3f9b00000002"]));
}

#[tokio::test]
async fn counters_are_given_and_count_what_was_refused() {
    let daemon = Daemon::start().await;
    ask(&daemon.unix, "GET", "/nowhere").await.problem();
    let answer = ask(&daemon.unix, "GET", "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(
        answer
            .body
            .contains("orchestrator_api_refusals_total{code=\"not-found\"} 1"),
        "{}",
        answer.body
    );
}
