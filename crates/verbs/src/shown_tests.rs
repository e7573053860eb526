//! Output as people read it.

use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use super::table::Width;
use super::tests::{NOW, client, instance, lease};
use super::*;

fn event() -> Value {
    json!({
        "id": 7, "at": "2023-11-14T22:10:09Z", "kind": "instance-ready", "link": "br0", "client": "0123456789ab",
        "instance": "3f9a2c01d2e4", "address": "fd39::2:7", "detail": null
    })
}

#[test]
fn lines_of_output_stand_below_their_event_and_pass_for_none() {
    let mut output = event();
    output["kind"] = json!("instance-output");
    output["detail"] = json!("one\n2023-11-14T22:10:09Z  instance-ready\u{1b}[2J");
    let shown = view::event(&output).unwrap();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "2023-11-14T22:10:09.000Z  instance-output     br0  client 0123456789ab  instance 3f9a2c01d2e4  fd39::2:7",
            "    | one",
            "    | 2023-11-14T22:10:09Z  instance-ready\u{fffd}[2J",
        ]
    );
}

#[test]
fn instances_as_a_table() {
    let mut named = instance("3f9a2c01d2e4", "ready", None);
    named["hostname"] = json!("host-1");
    let items = [
        named,
        instance("aaaaaaaaaaaa", "pending", Some("image \"x\" is not on the engine")),
    ];
    assert_eq!(
        view::instances(&items, NOW, Width::Narrow).unwrap(),
        "\
INSTANCE      CLIENT                         LINK  TEMPLATE  ADDRESS    PHASE    AGE    REASON
3f9a2c01d2e4  host-1                         br0   default   fd39::2:7  ready    3m12s  -
aaaaaaaaaaaa  00:03:00:01:02:00:5e:10:00:01  br0   default   fd39::2:7  pending  3m12s  image \"x\" is not on the engine"
    );
    assert_eq!(
        view::instances(&[], NOW, Width::Narrow).unwrap(),
        "INSTANCE  CLIENT  LINK  TEMPLATE  ADDRESS  PHASE  AGE  REASON"
    );
}

#[test]
fn leases_and_clients_as_tables() {
    assert_eq!(
        view::leases(&[lease()], NOW, Width::Narrow).unwrap(),
        "\
ADDRESS    PREFIX  LINK  CLIENT        DUID            IAID  SOURCE    STATE   LEFT
fd39::1:7  -       br0   0123456789ab  00:03:00:01:02  7     listener  active  1h59m"
    );
    assert_eq!(
        view::clients(&[client()], NOW, Width::Narrow).unwrap(),
        "\
CLIENT        NAME    LINK  DUID            LINK-LAYER         SEEN
0123456789ab  host-1  br0   00:03:00:01:02  02:00:5e:10:00:01  5s"
    );
}

#[test]
fn an_instance_with_its_timeline() {
    assert_eq!(
        show::render_instance(&instance("3f9a2c01d2e4", "ready", None), &[event()], NOW).unwrap(),
        "\
instance   3f9a2c01d2e4
phase      ready
address    fd39::2:7
link       br0
template   default
image      orchestrator/client
plugin     docker
reference  c0ffee
created    2023-11-14T22:10:08.000Z (3m12s ago)
ready      2023-11-14T22:10:09.000Z (3m11s ago)
client     0123456789ab
duid       00:03:00:01:02:00:5e:10:00:01

2023-11-14T22:10:09.000Z  instance-ready      br0  client 0123456789ab  instance 3f9a2c01d2e4  fd39::2:7"
    );
}

#[test]
fn a_client_with_its_lease() {
    let mut client = client();
    client["leases"] = json!([lease()]);
    // Within its client, an instance does not tell again whom it is for.
    let mut own = instance("3f9a2c01d2e4", "ready", None);
    own.as_object_mut()
        .unwrap()
        .retain(|key, _| !["duid", "hostname", "link_layer"].contains(&key.as_str()));
    client["instances"] = json!([own]);
    client["events"] = json!([event()]);
    assert_eq!(
        show::render_client(&client, NOW, Width::Narrow).unwrap(),
        "\
client      0123456789ab
duid        00:03:00:01:02
name        host-1
link        br0
link-layer  02:00:5e:10:00:01
first seen  2023-11-14T22:13:10.000Z (10s ago)
last seen   2023-11-14T22:13:15.000Z (5s ago)

ADDRESS    PREFIX  LINK  CLIENT        DUID            IAID  SOURCE    STATE   LEFT
fd39::1:7  -       br0   0123456789ab  00:03:00:01:02  7     listener  active  1h59m

instance   3f9a2c01d2e4
phase      ready
address    fd39::2:7
link       br0
template   default
image      orchestrator/client
plugin     docker
reference  c0ffee
created    2023-11-14T22:10:08.000Z (3m12s ago)
ready      2023-11-14T22:10:09.000Z (3m11s ago)

2023-11-14T22:10:09.000Z  instance-ready      br0  client 0123456789ab  instance 3f9a2c01d2e4  fd39::2:7"
    );
}

#[test]
fn what_a_reload_did_is_told_a_line_each() {
    use orchestrator_api_types::{Change, Effect};
    let change = |key: &str, effect| Change {
        key: key.to_owned(),
        effect,
    };
    let changes = [
        change("log.format", Effect::NeedsRestart),
        change("link.br0.pool", Effect::Changed),
        change("link.br1", Effect::Added),
    ];
    let told = "link.br0.pool: changed\nlink.br1: added\nlog.format: stays as it is until the daemon is restarted";
    assert_eq!(reload::render(&changes), told);
    assert_eq!(reload::render(&[]), "nothing is written otherwise than it runs");
}

#[test]
fn settings_in_force_as_people_read_them() {
    use orchestrator_api_types::{ReloadOutcome, SettingsView};
    let mut view = SettingsView {
        file: "/etc/orchestrator/settings.toml".to_owned(),
        loaded: Timestamp(NOW.0 - 60_000),
        last_reload: None,
        pending: Vec::new(),
        faults: Vec::new(),
    };
    assert_eq!(
        settings::render(&view, NOW),
        "\
file     /etc/orchestrator/settings.toml
loaded   2023-11-14T22:12:20.000Z (1m ago)
written  as it runs"
    );
    view.last_reload = Some(ReloadOutcome {
        at: NOW,
        ok: false,
        faults: vec!["log.level: \"loud\" is not known here".to_owned()],
    });
    view.faults = vec!["log.level: \"loud\" is not known here".to_owned()];
    assert_eq!(
        settings::render(&view, NOW),
        "\
file         /etc/orchestrator/settings.toml
loaded       2023-11-14T22:12:20.000Z (1m ago)
last reload  2023-11-14T22:13:20.000Z (0s ago): refused, nothing was changed
written      wrong, and would be refused:
log.level: \"loud\" is not known here"
    );
}

fn task(name: &str, reason: Option<&str>) -> Value {
    json!({
        "name": name, "purpose": "serves the clients of a link", "state": if reason.is_some() { "failing" } else { "running" },
        "since": "2023-11-14T22:10:20Z", "last_start": "2023-11-14T22:13:19Z", "last_duration_ms": 3,
        "last_result": if reason.is_some() { "failed" } else { "ok" }, "reason": reason,
        "failures": if reason.is_some() { 12 } else { 0 },
        "next_try": reason.map(|_| "2023-11-14T22:13:22Z"), "detail": null
    })
}

#[test]
fn tasks_as_a_table() {
    let items = [task("link br0", None), task("link br1", Some("bridge br1 is missing"))];
    assert_eq!(
        tasks::render(&items, NOW, Width::Narrow).unwrap(),
        "\
TASK      STATE    SINCE  STARTED  TOOK  RESULT      NEXT   REASON
link br0  running  3m     1s       3 ms  ok          -      -
link br1  failing  3m     1s       3 ms  failed x12  in 2s  bridge br1 is missing"
    );
    let wide = tasks::render(&items, NOW, Width::Wide).unwrap();
    assert!(
        wide.contains("PURPOSE") && wide.contains("serves the clients of a link"),
        "{wide}"
    );
}
