//! What the tasks of the daemon do.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::get;

/// The one task that is shown.
async fn only(daemon: &Daemon) -> Value {
    let shown = get(&daemon.unix, "/v1/tasks").await;
    assert_eq!(
        (shown["items"].as_array().unwrap().len(), &shown["next"]),
        (1, &Value::Null),
        "{shown}"
    );
    shown["items"][0].clone()
}

#[tokio::test]
async fn a_task_is_shown_for_as_long_as_it_is_owned() {
    let daemon = Daemon::start().await;
    let task = daemon.tasks.own("link br0", "serves the clients of a link");
    let before = only(&daemon).await;
    assert!(before["since"].is_string(), "{before}");
    for field in [
        "last_start",
        "last_duration_ms",
        "last_result",
        "reason",
        "next_try",
        "detail",
    ] {
        assert_eq!(before[field], Value::Null, "{field}");
    }
    assert_eq!(
        (&before["name"], &before["purpose"], &before["state"]),
        (
            &json!("link br0"),
            &json!("serves the clients of a link"),
            &json!("waiting")
        )
    );
    task.begin();
    assert_eq!(only(&daemon).await["state"], "running");
    let next = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    task.end(Err("bridge br0 is missing".to_owned()), Some(next));
    let failing = only(&daemon).await;
    assert_eq!(
        (
            &failing["state"],
            &failing["last_result"],
            &failing["reason"],
            &failing["failures"]
        ),
        (
            &json!("failing"),
            &json!("failed"),
            &json!("bridge br0 is missing"),
            &json!(1)
        )
    );
    assert!(
        failing["next_try"].as_str() > failing["last_start"].as_str(),
        "{failing}"
    );
    assert!(failing["last_duration_ms"].is_u64(), "{failing}");
    task.end(Ok(()), None);
    let well = only(&daemon).await;
    assert_eq!(
        (&well["state"], &well["last_result"], &well["reason"], &well["next_try"]),
        (&json!("waiting"), &json!("ok"), &Value::Null, &Value::Null)
    );
    drop(task);
    assert_eq!(get(&daemon.unix, "/v1/tasks").await["items"], json!([]));
}

#[tokio::test]
async fn tasks_are_shown_before_there_is_a_database() {
    let daemon = Daemon::start().await;
    daemon.stores.send_replace(None);
    let _task = daemon.tasks.own("database", "opens the database");
    assert_eq!(only(&daemon).await["name"], "database");
}
