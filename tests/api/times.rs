//! The time of instances: what is shown, and what may be changed.

use orchestrator::model::{EventKind, Timestamp};
use orchestrator::store::EventFilter;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, ask, ask_with, get};

const PATH: &str = "/v1/instances/010101010101";

async fn post(daemon: &Daemon, path: &str, body: &str) -> Answer {
    let headers = "Content-Type: application/json\r\n";
    ask_with(&daemon.unix, "POST", path, headers, body.as_bytes()).await
}

async fn shown(daemon: &Daemon) -> Value {
    get(&daemon.unix, PATH).await
}

async fn kinds(daemon: &Daemon) -> Vec<EventKind> {
    let events = daemon.store.events(EventFilter::default()).await.unwrap();
    events.items.iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn the_time_left_is_shown_in_the_list_and_with_the_instance() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let listed = get(&daemon.unix, "/v1/instances").await;
    for view in [shown(&daemon).await, listed["items"][0].clone()] {
        let end = Timestamp(4_000_000_000_000).to_string();
        assert_eq!(view["times"]["lifetime_ends"], end.as_str());
        assert_eq!(
            (&view["times"]["deadline"], &view["times"]["cause"]),
            (&json!(end), &json!("lifetime"))
        );
        let left = view["time_left"].as_u64().unwrap();
        let expected = Timestamp(4_000_000_000_000).since(Timestamp::wall()).as_secs();
        assert!(left.abs_diff(expected) < 3600, "{left} seconds, not {expected}");
    }
}

#[tokio::test]
async fn a_pinned_instance_has_no_deadline_until_it_is_unpinned() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let pinned = post(&daemon, &format!("{PATH}/pin"), "").await.json();
    assert!(pinned["times"]["pinned"].is_string(), "{pinned}");
    assert_eq!(
        (&pinned["time_left"], &pinned["times"]["deadline"]),
        (&Value::Null, &Value::Null)
    );
    let refused = post(&daemon, &format!("{PATH}/expire"), "").await;
    assert_eq!(refused.problem(), (409, "instance-pinned".to_owned()));
    let unpinned = post(&daemon, &format!("{PATH}/unpin"), "").await.json();
    assert_eq!(unpinned["times"]["pinned"], Value::Null);
    assert!(unpinned["time_left"].is_u64(), "{unpinned}");
    let kinds = kinds(&daemon).await;
    assert!(
        kinds.ends_with(&[EventKind::InstancePinned, EventKind::InstanceUnpinned]),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn an_extension_moves_the_deadline_by_just_that() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let path = format!("{PATH}/extend");
    let extended = post(&daemon, &path, r#"{"by": "1h30m"}"#).await.json();
    let end = Timestamp(4_000_000_000_000 + 5_400_000).to_string();
    assert_eq!(extended["times"]["lifetime_ends"], end.as_str());
    for (body, problem) in [
        (r#"{"by": "soon"}"#, (422, "bad-duration")),
        (r#"{"by": "0s"}"#, (422, "bad-duration")),
        (r#"{"by": "366d"}"#, (422, "bad-duration")),
        (r#"{"for": "1h"}"#, (400, "bad-body")),
    ] {
        let (status, code) = post(&daemon, &path, body).await.problem();
        assert_eq!((status, code.as_str()), problem, "{body}");
    }
    assert_eq!(
        shown(&daemon).await["times"]["lifetime_ends"],
        end.as_str(),
        "a refusal changes nothing"
    );
}

#[tokio::test]
async fn an_instance_is_switched_off_and_on_and_restarted() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let switch = async |verb: &str| post(&daemon, &format!("{PATH}/{verb}"), "").await;
    assert!(switch("reset").await.json()["times"]["reset"].is_string());
    for _ in 0..2 {
        let off = switch("off").await.json();
        assert!(off["times"]["off"].is_string(), "{off}");
        assert_eq!(off["times"]["reset"], Value::Null, "what is off is not restarted");
    }
    assert_eq!(
        switch("reset").await.problem(),
        (409, "instance-switched-off".to_owned())
    );
    for _ in 0..2 {
        assert_eq!(switch("on").await.json()["times"]["off"], Value::Null);
    }
    let kinds = kinds(&daemon).await;
    assert!(
        kinds.ends_with(&[
            EventKind::InstanceReset,
            EventKind::InstanceSwitchedOff,
            EventKind::InstanceSwitchedOn
        ]),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn an_instance_whose_time_ended_is_on_its_way_out_and_is_changed_no_more() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let ended = post(&daemon, &format!("{PATH}/expire"), "").await.json();
    assert_eq!(
        (&ended["phase"], &ended["times"]["expired"]),
        (&json!("removing"), &json!("operator"))
    );
    for verb in ["pin", "unpin", "expire", "off", "on", "reset"] {
        let refused = post(&daemon, &format!("{PATH}/{verb}"), "").await;
        assert_eq!(refused.problem(), (409, "instance-gone".to_owned()), "{verb}");
    }
    let missing = ask(&daemon.unix, "POST", "/v1/instances/ffffffffffff/pin").await;
    assert_eq!(missing.problem(), (404, "no-such-instance".to_owned()));
}
