//! Who sees a page, and which forms do something.

use std::sync::Mutex;

use crate::facts::InstanceFacts;
use crate::page::testing;

use super::*;

/// One client at one address, which may do everything but as `may` says.
struct One {
    may: Vec<ClientAction>,
}

#[async_trait]
impl Facts for One {
    async fn instance(&self, _: &str, _: Ipv6Addr) -> Result<Option<InstanceFacts>, Unavailable> {
        Ok(None)
    }

    async fn client(&self, link: &str, address: Ipv6Addr) -> Result<Option<ClientPage>, Unavailable> {
        if link == "away" {
            return Err(Unavailable("secret".to_owned()));
        }
        let mut page = testing::page();
        page.instances[0].may.clone_from(&self.may);
        Ok((address == "fd39::1:1".parse::<Ipv6Addr>().unwrap()).then_some(page))
    }
}

/// Writes down what it is to do, and refuses to extend.
#[derive(Default)]
struct Written(Mutex<Vec<String>>);

impl Written {
    fn add(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Actions for Written {
    async fn restart(&self, _: &Source, instance: InstanceId) -> Result<(), Refusal> {
        self.add(format!("restart {instance}"));
        Ok(())
    }

    async fn extend(&self, _: &Source, _: InstanceId) -> Result<(), Refusal> {
        Err(Refusal("It was put off too often".to_owned()))
    }

    async fn set_keys(&self, _: &Source, keys: Vec<String>) -> Result<(), Refusal> {
        self.add(format!("keys {keys:?}"));
        Ok(())
    }
}

struct Site {
    portal: Portal,
    written: Arc<Written>,
    metrics: Metrics,
}

fn site(may: &[ClientAction]) -> Site {
    let (written, metrics) = (Arc::new(Written::default()), Metrics::default());
    let portal = Portal::new(PortalParts {
        facts: Arc::new(One { may: may.to_vec() }),
        actions: written.clone(),
        key: TokenKey::new([1; 16]),
        clock: Clock::given(|| testing::NOW),
        metrics: metrics.clone(),
        address: "fd39::d1".parse().unwrap(),
        host: None,
        is_secure: false,
    });
    Site {
        portal,
        written,
        metrics,
    }
}

const ALL: [ClientAction; 3] = [ClientAction::Restart, ClientAction::Extend, ClientAction::Keys];

fn source() -> Source {
    Source {
        link: "br0".to_owned(),
        address: "fd39::1:1".parse().unwrap(),
    }
}

fn get(path: &str) -> Request {
    Request {
        host: Some("[fd39::d1]".to_owned()),
        ..Request::get(path)
    }
}

fn post(site: &Site, path: &str, fields: &str) -> Request {
    let token = site.portal.parts.key.token(&source());
    Request {
        method: Method::POST,
        origin: Some("http://[fd39::d1]".to_owned()),
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        body: format!("token={token}&{fields}").into(),
        ..get(path)
    }
}

const INSTANCE: &str = "instance=3f9a2c01d2e4";

fn refusals(site: &Site, reason: &str) -> bool {
    let counted = format!("orchestrator_portal_refusals_total{{reason=\"{reason}\"}} 1");
    site.metrics.render().unwrap().contains(&counted)
}

#[tokio::test]
async fn a_client_sees_its_page_and_uses_its_forms() {
    let site = site(&ALL);
    let shown = site.portal.answer(&source(), &get("/")).await;
    assert_eq!(shown.status, StatusCode::OK);
    let token = site.portal.parts.key.token(&source());
    assert!(shown.body.contains(&token), "the form's token is on the page");
    for (path, fields, written) in [
        ("/restart", INSTANCE, "restart 3f9a2c01d2e4"),
        (
            "/keys",
            "keys=ssh-a+b%0D%0A%0D%0A+ssh-c",
            "keys [\"ssh-a b\", \"ssh-c\"]",
        ),
    ] {
        let done = site.portal.answer(&source(), &post(&site, path, fields)).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
        assert_eq!(site.written.0.lock().unwrap().pop().unwrap(), written);
    }
    let refused = site.portal.answer(&source(), &post(&site, "/extend", INSTANCE)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("It was put off too often"));
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let site = site(&ALL);
    let own = post(&site, "/restart", INSTANCE);
    let elsewhere = Request {
        origin: Some("http://evil.example".to_owned()),
        ..own.clone()
    };
    let without = Request {
        body: INSTANCE.into(),
        ..own.clone()
    };
    let as_text = Request {
        content_type: Some("text/plain".to_owned()),
        ..own
    };
    for forged in [elsewhere, without, as_text] {
        let refused = site.portal.answer(&source(), &forged).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    assert!(site.written.0.lock().unwrap().is_empty());
    assert!(
        site.metrics
            .render()
            .unwrap()
            .contains("orchestrator_portal_refusals_total{reason=\"forged\"} 3")
    );
}

#[tokio::test]
async fn a_name_that_somebody_made_lead_here_shows_nothing() {
    let site = site(&ALL);
    for host in [Some("evil.example".to_owned()), None, Some("[fd39::d2]".to_owned())] {
        let request = Request {
            host,
            ..Request::get("/")
        };
        let led = site.portal.answer(&source(), &request).await;
        assert_eq!(led.status, StatusCode::FOUND);
        assert_eq!(led.headers, [("Location", "http://[fd39::d1]/".to_owned())]);
        assert_eq!(led.body, "");
    }
}

#[tokio::test]
async fn a_client_may_do_only_what_the_template_says_and_only_with_its_own_instance() {
    let strict = site(&[]);
    for (path, fields) in [("/restart", INSTANCE), ("/extend", INSTANCE)] {
        let refused = strict.portal.answer(&source(), &post(&strict, path, fields)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = strict.portal.answer(&source(), &post(&strict, "/keys", "keys=a")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let open = site(&ALL);
    let refused = open
        .portal
        .answer(&source(), &post(&open, "/restart", "instance=000000000001"))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refusals(&open, "not-allowed"));
    assert!(open.written.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_stranger_and_a_store_that_is_away_are_answered_without_facts() {
    let site = site(&ALL);
    let stranger = Source {
        address: "fd39::1:2".parse().unwrap(),
        ..source()
    };
    let refused = site.portal.answer(&stranger, &get("/")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("This device is not known here") && !refused.body.contains("phone"));
    assert!(refusals(&site, "unknown-source"));
    let away = Source {
        link: "away".to_owned(),
        ..source()
    };
    let refused = site.portal.answer(&away, &get("/")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!refused.body.contains("secret"));
}

#[tokio::test]
async fn the_api_of_the_captive_portal_is_beside_the_page() {
    let site = site(&ALL);
    let answered = site.portal.answer(&source(), &get("/api")).await;
    assert_eq!(answered.content_type, "application/captive+json");
    assert!(
        answered.body.contains("\"user-portal-url\":\"http://[fd39::d1]/\""),
        "{}",
        answered.body
    );
    assert_eq!(
        site.portal.answer(&source(), &get("/else")).await.status,
        StatusCode::NOT_FOUND
    );
}
