//! Templates that are made, changed and removed.

use orchestrator::settings::HIDDEN;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, ask, ask_with, get};

async fn send(daemon: &Daemon, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    ask_with(&daemon.unix, method, path, &headers, body.to_string().as_bytes()).await
}

async fn create(daemon: &Daemon, spec: Value) -> Answer {
    send(
        daemon,
        "POST",
        "/v1/templates",
        "",
        &json!({"name": "web", "spec": spec}),
    )
    .await
}

#[tokio::test]
async fn a_template_is_made_shown_changed_and_removed() {
    let daemon = Daemon::start().await;
    let made = create(&daemon, json!({"image": "web", "environment": {"TOKEN": "hunter2"}})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = ask(&daemon.unix, "GET", "/v1/templates/web").await;
    assert_eq!(shown.header("etag"), Some("\"1\""));
    let item = shown.json();
    assert_eq!(
        (&item["version"], &item["origin"], &item["in_force"]),
        (&json!(1), &json!("api"), &json!(true))
    );
    assert_eq!(item["spec"]["environment"]["TOKEN"], HIDDEN);
    assert_eq!(item["spec"]["memory"], "128MiB");
    let mut spec = item["spec"].clone();
    spec["image"] = json!("web:2");
    let changed = send(
        &daemon,
        "PUT",
        "/v1/templates/web",
        "If-Match: \"1\"\r\n",
        &json!({"spec": spec}),
    )
    .await;
    assert_eq!(
        (changed.status, changed.header("etag")),
        (200, Some("\"2\"")),
        "{}",
        changed.body
    );
    let before = get(&daemon.unix, "/v1/templates/web/versions/1").await;
    assert_eq!(
        (&before["spec"]["image"], &before["in_force"]),
        (&json!("web"), &json!(false))
    );
    let listed = get(&daemon.unix, "/v1/templates").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let events = get(&daemon.unix, "/v1/events").await;
    let kinds: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds, ["template-created", "template-changed"]);
    for answer in [&made, &shown, &changed] {
        assert!(!answer.body.contains("hunter2"), "{}", answer.body);
    }
    // The value that was hidden was kept.
    let kept = daemon.store.template_version("web", 2).await.unwrap().unwrap();
    assert!(kept.spec.contains("hunter2"));
    assert_eq!(ask(&daemon.unix, "DELETE", "/v1/templates/web").await.status, 200);
    for (method, path) in [
        ("GET", "/v1/templates/web"),
        ("DELETE", "/v1/templates/web"),
        ("GET", "/v1/templates/web/versions/7"),
        ("GET", "/v1/templates/web/versions/x"),
    ] {
        let gone = ask(&daemon.unix, method, path).await;
        assert_eq!(gone.problem(), (404, "no-such-template".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn containers_and_files_are_shown_without_what_the_files_hold() {
    const SECRET: &str = "hunter2-in-a-file";
    let daemon = Daemon::start().await;
    let file = |text: &str| json!([{"target": "/etc/key", "text": text, "mode": "0600"}]);
    let sidecar = |text: &str| json!([{"name": "proxy", "image": "haproxy", "file": file(text)}]);
    let spec = json!({"image": "web", "file": file(SECRET), "container": sidecar(SECRET),
        "resolver": {"servers": ["fd39::53"]}, "device": [{"source": "/dev/fuse"}]});
    let made = create(&daemon, spec).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = ask(&daemon.unix, "GET", "/v1/templates/web").await;
    assert!(
        !made.body.contains(SECRET) && !shown.body.contains(SECRET),
        "{}",
        shown.body
    );
    let mut spec = shown.json()["spec"].clone();
    assert_eq!(
        spec["container"][0]["file"],
        json!([{"target": "/etc/key", "text": HIDDEN, "mode": "0600", "uid": 0, "gid": 0}])
    );
    assert_eq!(spec["resolver"], json!({"servers": ["fd39::53"], "search": []}));
    // What was hidden is kept, in each container.
    spec["container"][0]["image"] = json!("haproxy:3");
    let put = |spec: Value| {
        let daemon = &daemon;
        async move {
            send(
                daemon,
                "PUT",
                "/v1/templates/web",
                "If-Match: *\r\n",
                &json!({"spec": spec}),
            )
            .await
        }
    };
    assert_eq!(put(spec.clone()).await.status, 200);
    let kept = daemon.store.template_version("web", 2).await.unwrap().unwrap();
    assert_eq!(kept.spec.matches(SECRET).count(), 2, "{}", kept.spec);
    // Under another name there is nothing to keep.
    spec["container"][0]["name"] = json!("other");
    let refused = put(spec).await;
    assert_eq!(
        (refused.status, refused.json()["faults"].clone()),
        (
            422,
            json!([
                "template.web.container.other.file./etc/key: stands for a hidden value, and there is none to keep; \
                    give the value"
            ])
        )
    );
}

#[tokio::test]
async fn a_wrong_template_is_refused_with_all_that_is_wrong() {
    let daemon = Daemon::start().await;
    let wrong = create(&daemon, json!({"imag": "web", "pids": 0})).await;
    assert_eq!(wrong.status, 422);
    let faults = wrong.json()["faults"].clone();
    assert_eq!(
        faults,
        json!([
            "template.web.image: is missing; name an image that the engine has, like \"orchestrator/client\"",
            "template.web.pids: 0 is out of bounds; take 1 to 4194304",
            "template.web.imag: is not a key that is known here; did you mean \"image\"?",
        ])
    );
    assert_eq!(get(&daemon.unix, "/v1/templates").await["items"], json!([]));
    for body in [json!({"name": "web"}), json!({"name": "web", "spec": [], "x": 1})] {
        let refused = send(&daemon, "POST", "/v1/templates", "", &body).await;
        assert_eq!(refused.problem(), (400, "bad-body".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn two_admins_do_not_overwrite_each_other() {
    let daemon = Daemon::start().await;
    create(&daemon, json!({"image": "a"})).await;
    assert_eq!(
        create(&daemon, json!({"image": "b"})).await.problem(),
        (409, "template-exists".to_owned())
    );
    let put = async |headers: &str, body: Value| send(&daemon, "PUT", "/v1/templates/web", headers, &body).await;
    let spec = json!({"image": "b"});
    let blind = put("", json!({"spec": spec})).await;
    assert_eq!(blind.problem(), (428, "version-missing".to_owned()));
    assert_eq!(put("", json!({"spec": spec, "version": 1})).await.status, 200);
    let late = put("", json!({"spec": {"image": "c"}, "version": 1})).await;
    assert_eq!(late.problem(), (409, "template-changed".to_owned()));
    let torn = put("If-Match: 1\r\n", json!({"spec": spec})).await;
    assert_eq!(torn.problem(), (400, "bad-parameter".to_owned()));
    assert_eq!(
        put("If-Match: *\r\n", json!({"spec": {"image": "c"}})).await.status,
        200
    );
    let stale = send(
        &daemon,
        "DELETE",
        "/v1/templates/web",
        "If-Match: \"1\"\r\n",
        &json!({}),
    )
    .await;
    assert_eq!(stale.problem(), (409, "template-changed".to_owned()));
}

#[tokio::test]
async fn what_the_settings_declare_or_use_stays() {
    let daemon = Daemon::start().await;
    create(&daemon, json!({"image": "a"})).await;
    daemon.declare("[template.web]\nimage = \"of-settings\"\n").await;
    let listed = get(&daemon.unix, "/v1/templates").await;
    let shown: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["origin"], &item["in_force"]))
        .collect();
    assert_eq!(
        shown,
        [(&json!("settings"), &json!(true)), (&json!("api"), &json!(false))]
    );
    let change = json!({"spec": {"image": "b"}, "version": 1});
    let refused = send(&daemon, "PUT", "/v1/templates/web", "", &change).await;
    assert_eq!(refused.problem(), (409, "in-settings".to_owned()));
    assert!(refused.body.contains("orchestrator reload"), "{}", refused.body);
    assert_eq!(ask(&daemon.unix, "DELETE", "/v1/templates/web").await.status, 200);
    let own = ask(&daemon.unix, "DELETE", "/v1/templates/web").await;
    assert_eq!(own.problem(), (409, "in-settings".to_owned()));
}
