//! What the packet filter allows somebody, as the API answers it.

use orchestrator::model::{
    BindingState, Learnt, MacAddress, Owner, PolicyBinding, PolicyDecision, PolicyDirection, PolicyDrop, PolicyLink,
    PolicyRule, PolicySubject, PolicyTarget, PolicyView, Ports, Timestamp, Verdict,
};
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{ask, get};

/// A policy in which everything occurs. The decision is about what was asked.
pub(crate) fn view(subject: PolicySubject, to: Option<(PolicyTarget, Option<Ports>)>) -> PolicyView {
    let decision = to.map(|(to, ports)| PolicyDecision {
        to: format!("{to:?}"),
        address: match to {
            PolicyTarget::Address(address) => Some(address),
            PolicyTarget::Client(_) | PolicyTarget::Instance(_) => None,
        },
        ports,
        verdict: Verdict::WouldBeDropped,
        cause: Some("pair"),
        why: "no rule".to_owned(),
    });
    PolicyView {
        subject,
        fault: Some("no nft".to_owned()),
        links: vec![PolicyLink {
            link: "br0".to_owned(),
            isolation: true,
            enforce: false,
        }],
        bindings: vec![PolicyBinding {
            link: "br0".to_owned(),
            prefix: "fd39::1:1/128".parse().unwrap(),
            link_layer: MacAddress([2, 0, 0x5e, 0x10, 0, 1]),
            port: Some("tap1".to_owned()),
            learnt: Learnt::DelegatedPrefix,
            why: "delegated".to_owned(),
            since: Timestamp(0),
            state: BindingState::HeldBy(Owner::Pool("warm".to_owned())),
        }],
        rules: vec![PolicyRule {
            direction: PolicyDirection::Both,
            with: "everybody".to_owned(),
            instance: None,
            prefix: None,
            ports: Some("tcp/80".parse().unwrap()),
            allowed: true,
            why: "so".to_owned(),
        }],
        drops: vec![PolicyDrop {
            cause: "source",
            meaning: "a source",
            packets: 3,
            bytes: 200,
        }],
        uncounted: None,
        decision,
    }
}

#[tokio::test]
async fn a_policy_of_a_client_and_of_an_instance() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    let client = instance.client().unwrap();
    let policy = get(&daemon.tcp, &format!("/v1/clients/{client}/policy")).await;
    assert_eq!((&policy["client"], &policy["instance"]), (&json!(client), &Value::Null));
    assert_eq!(policy["fault"], "no nft");
    assert_eq!(
        policy["links"][0],
        json!({"link": "br0", "isolation": true, "enforce": false})
    );
    let binding = &policy["bindings"][0];
    assert_eq!(
        (&binding["learnt"], &binding["state"]),
        (&json!("delegated-prefix"), &json!("held"))
    );
    assert_eq!(binding["held_by"], json!({"kind": "pool", "name": "warm"}));
    assert_eq!(binding["link_layer"], "02:00:5e:10:00:01");
    assert_eq!(policy["rules"][0]["ports"], "tcp/80");
    assert_eq!(policy["drops"][0]["packets"], 3);
    assert_eq!(policy["decision"], Value::Null);
    // The beginning of an id is enough, as elsewhere.
    let policy = get(&daemon.tcp, "/v1/instances/0101/policy").await;
    assert_eq!(
        (&policy["client"], &policy["instance"]),
        (&Value::Null, &json!("010101010101"))
    );
}

#[tokio::test]
async fn whom_somebody_reaches_is_asked_by_address_or_by_id() {
    let daemon = Daemon::start().await;
    let instance = daemon.instance(1, [1; 6]).await;
    let client = instance.client().unwrap();
    let asked =
        async |to: &str| get(&daemon.unix, &format!("/v1/clients/{client}/policy?to={to}")).await["decision"].clone();
    let decision = asked("2001:db8::1&ports=tcp/443").await;
    assert_eq!(
        (&decision["address"], &decision["ports"]),
        (&json!("2001:db8::1"), &json!("tcp/443"))
    );
    assert_eq!(
        (&decision["verdict"], &decision["cause"]),
        (&json!("would-be-dropped"), &json!("pair"))
    );
    assert!(
        asked(&client.to_string()).await["to"]
            .as_str()
            .unwrap()
            .starts_with("Client(")
    );
    assert!(asked("0101").await["to"].as_str().unwrap().starts_with("Instance("));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    for (path, status, code) in [
        ("/v1/clients/010101010101/policy", 404, "no-such-client"),
        ("/v1/instances/09/policy", 404, "no-such-instance"),
        ("/v1/instances/01/policy?to=nobody", 404, "no-such-instance"),
        ("/v1/instances/01/policy?ports=tcp/80", 400, "bad-parameter"),
        ("/v1/instances/01/policy?to=fd39::1&ports=80", 400, "bad-parameter"),
        ("/v1/instances/01/policy?whom=fd39::1", 400, "bad-parameter"),
    ] {
        assert_eq!(
            ask(&daemon.unix, "GET", path).await.problem(),
            (status, code.to_owned()),
            "{path}"
        );
    }
}
