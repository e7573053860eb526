//! Volumes: listed, shown, exported, and removed when nobody holds them.

use orchestrator::model::{EventKind, HostId, Id, InstanceId, Keep, NewEvent, Phase, Slot, Timestamp};
use orchestrator::store::{InstanceUpdate, NewInstance, NewVolume};
use serde_json::json;

use crate::daemon::Daemon;
use crate::http::{ask, get};

pub(crate) const VOLUME: &str = "010101010101";

/// A volume whose archive breaks off in the middle.
pub(crate) const BROKEN: &str = "020202020202";

/// Has an instance of a client hold a volume; gives the instance.
async fn hold(daemon: &Daemon) -> InstanceId {
    hold_one(daemon, 7, [1; 6]).await
}

/// The same for the client of this number, and a volume of this id.
async fn hold_one(daemon: &Daemon, client: u16, id: [u8; 6]) -> InstanceId {
    let volume = NewVolume {
        id: Id::from_bytes(id),
        slot: Some(Slot::new("other")),
        name: "data".to_owned(),
        host: HostId::local(),
        size: Some(1 << 30),
        keep: Keep::AfterLease(std::time::Duration::from_secs(3600)),
    };
    let new = NewInstance {
        slot: Slot::new("other"),
        volumes: vec![volume],
        attachments: Vec::new(),
        ..daemon.new_instance(client).await
    };
    let event = NewEvent::new(Timestamp::wall(), EventKind::InstanceWanted);
    daemon.store.plan_instance(new, event).await.unwrap().id
}

async fn let_go(daemon: &Daemon, id: InstanceId) {
    let update = InstanceUpdate {
        phase: Phase::Removed,
        reason: None,
        attempts: 0,
        due: None,
        references: None,
        ready: None,
        kept_until: None,
        reset: None,
        at: Timestamp::wall(),
    };
    assert!(daemon.store.update_instance(id, update, None).await.unwrap());
}

/// Makes the volume, which nobody holds.
pub(crate) async fn make(daemon: &Daemon) {
    let holder = hold(daemon).await;
    let_go(daemon, holder).await;
}

/// Makes the volume whose archive breaks off.
pub(crate) async fn make_broken(daemon: &Daemon) {
    let holder = hold_one(daemon, 8, [2; 6]).await;
    let_go(daemon, holder).await;
}

#[tokio::test]
async fn a_volume_is_shown_and_removed_once_nobody_holds_it() {
    let daemon = Daemon::start().await;
    let path = format!("/v1/volumes/{VOLUME}");
    assert_eq!(
        get(&daemon.unix, "/v1/volumes").await,
        json!({"items": [], "next": null})
    );
    let holder = hold(&daemon).await;
    let shown = get(&daemon.unix, &path).await;
    assert_eq!(
        (
            &shown["name"],
            &shown["slot"],
            &shown["size"],
            &shown["keep"],
            &shown["state"]
        ),
        (
            &json!("data"),
            &json!("other"),
            &json!(1 << 30),
            &json!({"after_lease": "1h"}),
            &json!("kept")
        )
    );
    assert_eq!(shown["holder"], holder.to_string());
    assert_eq!((&shown["bytes"], &shown["limit"]), (&json!(12 << 20), &json!(null)));
    assert_eq!(shown["not_enforced"], "only btrfs can limit a directory");
    let owner = shown["owner"]["name"].as_str().unwrap();
    assert_eq!(
        get(&daemon.unix, &format!("/v1/volumes?owner={owner}")).await["items"],
        json!([shown])
    );
    assert_eq!(get(&daemon.unix, "/v1/volumes?owner=nobody").await["items"], json!([]));
    let refused = ask(&daemon.unix, "DELETE", &path).await;
    assert_eq!(refused.problem(), (409, "volume-held".to_owned()));
    let_go(&daemon, holder).await;
    let removed = ask(&daemon.unix, "DELETE", &path).await;
    assert_eq!((removed.status, &removed.json()["state"]), (202, &json!("removing")));
    let events = get(&daemon.unix, "/v1/events").await;
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["kind"], "volume-destroyed");
    assert!(last["by"].is_string(), "{last}");
}

#[tokio::test]
async fn a_volume_is_exported_as_it_comes_and_one_that_is_not_there_is_missed() {
    let daemon = Daemon::start().await;
    hold(&daemon).await;
    let exported = ask(&daemon.unix, "POST", &format!("/v1/volumes/{VOLUME}/export")).await;
    assert_eq!(exported.header("content-type"), Some("application/x-tar"));
    assert!(exported.body.contains("archive of 010101010101, "), "{}", exported.body);
    assert!(exported.body.contains("in two pieces"), "{}", exported.body);
    for (method, path) in [
        ("GET", "/v1/volumes/020202020202"),
        ("GET", "/v1/volumes/x"),
        ("POST", "/v1/volumes/020202020202/export"),
    ] {
        let missing = ask(&daemon.unix, method, path).await;
        assert_eq!(missing.problem(), (404, "no-such-volume".to_owned()), "{path}");
    }
    let cursor = ask(&daemon.unix, "GET", "/v1/volumes?after=x").await;
    assert_eq!(cursor.problem(), (400, "bad-cursor".to_owned()));
}
