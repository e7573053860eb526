//! Services through the API: what is asked of the daemon, what is shown, and how long an answer waits.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use orchestrator::api::{Deployed, NewImage, ServiceControl, ServiceError, ServiceListed};
use orchestrator::model::{
    Endpoints, Id, Operation, OperationId, OperationKind, OperationState, Page, RecordedService, ServiceEndpoints,
    ServiceSlot, ServiceState, ServiceVersion, Timestamp,
};
use orchestrator::store::{OperationFilter, ServiceSituation, StoreError};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::daemon::Daemon;
use crate::http::{ask, ask_with};

/// The operation of the fake. It has ended.
pub(crate) const OPERATION: &str = "0a0b0c0d0e0f";

const JSON: &str = "Content-Type: application/json\r\n";

/// A daemon with one service, `web`. It notes what it is asked for, and changes nothing.
pub(crate) struct FakeServices {
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) endpoints: watch::Sender<Arc<Endpoints>>,
}

/// The endpoints of the fake.
pub(crate) fn endpoints(index: u64) -> Arc<Endpoints> {
    let web = ServiceEndpoints {
        index,
        ..ServiceEndpoints::default()
    };
    Arc::new(Endpoints {
        index,
        services: [("web".to_owned(), Arc::new(web))].into(),
    })
}

fn operation(kind: OperationKind) -> Operation {
    Operation {
        id: OPERATION.parse().expect("an id"),
        kind,
        service: "web".to_owned(),
        version: 1,
        generation: 2,
        state: OperationState::Done,
        detail: None,
        created: Timestamp(1),
        ended: Some(Timestamp(2)),
        by: Some("user alice".to_owned()),
    }
}

fn listed() -> ServiceListed {
    let service = RecordedService {
        name: "web".to_owned(),
        generation: 1,
        version: 1,
        good_version: Some(1),
        instances: Some(1),
        oldest_first: false,
        state: ServiceState::Active,
        paused: None,
        reason: None,
        failures: 0,
        failed_at: None,
        given_up: None,
        created: Timestamp(1),
        changed: Timestamp(1),
        by: Some("user alice".to_owned()),
    };
    let version = ServiceVersion {
        service: "web".to_owned(),
        version: 1,
        spec: "{}".to_owned(),
        template_version: 1,
        created: Timestamp(1),
        by: None,
    };
    let spec: Map<String, Value> = [("name".to_owned(), json!("web")), ("image".to_owned(), json!("web"))]
        .into_iter()
        .collect();
    ServiceListed {
        situation: ServiceSituation {
            service,
            slots: vec![ServiceSlot::open(0, 1, Timestamp(1))],
            versions: vec![version],
            operation: None,
            instances: Vec::new(),
        },
        spec,
    }
}

impl FakeServices {
    fn change(&self, by: &str, name: &str, what: String, kind: OperationKind) -> Result<Deployed, ServiceError> {
        self.known(name)?;
        self.asked.lock().unwrap().push(format!("{by}: {what}"));
        Ok(Deployed {
            name: name.to_owned(),
            generation: 2,
            changes: vec![("instances".to_owned(), Some(json!(1)), Some(json!(2)))],
            warnings: Vec::new(),
            replaces: false,
            operation: Some(operation(kind)),
        })
    }

    fn known(&self, name: &str) -> Result<(), ServiceError> {
        match name {
            "web" => Ok(()),
            name => Err(StoreError::NoSuchService(name.to_owned()).into()),
        }
    }
}

#[async_trait]
impl ServiceControl for FakeServices {
    fn endpoints(&self) -> watch::Receiver<Arc<Endpoints>> {
        self.endpoints.subscribe()
    }

    async fn list(&self) -> Result<Vec<ServiceListed>, ServiceError> {
        Ok(vec![listed()])
    }

    async fn show(&self, name: &str) -> Result<ServiceListed, ServiceError> {
        self.known(name).map(|()| listed())
    }

    async fn deploy(&self, by: &str, keys: Value, expect: Option<u64>, plan: bool) -> Result<Deployed, ServiceError> {
        let what = format!("deploy {keys} expect {expect:?} plan {plan}");
        self.change(by, "web", what, OperationKind::Deploy)
    }

    async fn scale(
        &self,
        by: &str,
        name: &str,
        to: &str,
        oldest_first: bool,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        let what = format!("scale {name} {to} {oldest_first} expect {expect:?}");
        self.change(by, name, what, OperationKind::Scale)
    }

    async fn bump(
        &self,
        by: &str,
        name: &str,
        image: Option<NewImage>,
        expect: Option<u64>,
        plan: bool,
    ) -> Result<Deployed, ServiceError> {
        let what = format!("bump {name} {image:?} expect {expect:?} plan {plan}");
        self.change(by, name, what, OperationKind::Bump)
    }

    async fn rollback(
        &self,
        by: &str,
        name: &str,
        version: Option<u64>,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        let what = format!("rollback {name} {version:?} expect {expect:?}");
        self.change(by, name, what, OperationKind::Rollback)
    }

    async fn pause(&self, by: &str, name: &str, paused: bool, expect: Option<u64>) -> Result<Deployed, ServiceError> {
        let what = format!("pause {name} {paused} expect {expect:?}");
        self.change(by, name, what, OperationKind::Deploy)
    }

    async fn remove(&self, by: &str, name: &str, expect: Option<u64>) -> Result<Deployed, ServiceError> {
        let what = format!("remove {name} expect {expect:?}");
        self.change(by, name, what, OperationKind::Remove)
    }

    async fn operations(&self, _: OperationFilter) -> Result<Page<Operation>, ServiceError> {
        Ok(Page {
            items: vec![operation(OperationKind::Deploy)],
            next: None,
        })
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, ServiceError> {
        let is_it = OPERATION.parse::<Id>().is_ok_and(|own| own == id);
        Ok(is_it.then(|| operation(OperationKind::Deploy)))
    }

    async fn ended(&self, id: OperationId) -> Result<Option<Operation>, ServiceError> {
        self.operation(id).await
    }
}

#[tokio::test]
async fn a_service_is_deployed_under_the_name_of_its_path_alone() {
    let daemon = Daemon::start().await;
    let path = "/v1/services/web?expect=1&plan=true";
    let answer = ask_with(&daemon.unix, "PUT", path, JSON, br#"{"image":"web"}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = daemon.asked().join("\n");
    assert!(
        asked.contains(r#"deploy {"image":"web","name":"web"} expect Some(1) plan true"#),
        "{asked}"
    );
    let other = ask_with(&daemon.unix, "PUT", "/v1/services/web", JSON, br#"{"name":"mail"}"#).await;
    assert_eq!(other.problem(), (400, "bad-parameter".to_owned()));
}

#[tokio::test]
async fn a_service_is_bumped_with_the_image_that_the_body_names() {
    let daemon = Daemon::start().await;
    for (query, body, asked) in [
        ("", "", "bump web None expect None plan false"),
        ("?expect=4", "{}", "bump web None expect Some(4) plan false"),
        (
            "?plan=true",
            r#"{"tag":"1.2"}"#,
            r#"bump web Some(Tag("1.2")) expect None plan true"#,
        ),
        (
            "",
            r#"{"image":"some/web:2"}"#,
            r#"bump web Some(Whole("some/web:2")) expect None plan false"#,
        ),
    ] {
        let path = format!("/v1/services/web/bump{query}");
        let answer = ask_with(&daemon.unix, "POST", &path, JSON, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["operation"]["kind"], "bump");
        let last = daemon.asked().pop().unwrap_or_default();
        assert!(last.ends_with(asked), "{last}");
    }
    for body in [&br#"{"tag":"1","image":"web:1"}"#[..], br#"{"version":"1"}"#, b"1.2"] {
        let refused = ask_with(&daemon.unix, "POST", "/v1/services/web/bump", JSON, body).await;
        assert_eq!(refused.problem(), (400, "bad-body".to_owned()));
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_of_its_own() {
    let daemon = Daemon::start().await;
    let missing = ask(&daemon.unix, "GET", "/v1/services/mail").await;
    assert_eq!(missing.problem(), (404, "no-such-service".to_owned()));
    for id in ["010101010101", "x"] {
        let missing = ask(&daemon.unix, "GET", &format!("/v1/operations/{id}")).await;
        assert_eq!(missing.problem(), (404, "no-such-operation".to_owned()));
    }
}

#[tokio::test]
async fn an_answer_waits_for_another_snapshot() {
    let daemon = Daemon::start().await;
    let first = ask(&daemon.unix, "GET", "/v1/endpoints").await.json();
    assert_eq!(first["index"], 7);
    let unix = daemon.unix.clone();
    let waiting = tokio::spawn(async move { ask(&unix, "GET", "/v1/endpoints?index=7&wait=5m").await.json() });
    // Whether it already waits or not: the next snapshot is its answer.
    daemon.endpoints.send_replace(endpoints(8));
    assert_eq!(waiting.await.unwrap()["index"], 8);
}
