//! What the pages show.

use hyper::StatusCode;
use orchestrator_model::Phase;

use super::document::escape;
use super::testing::{NOW, page};
use super::{front_door, home};
use crate::facts::{ClientPage, Lack};
use crate::{Request, Response};

fn at_home(page: &ClientPage) -> String {
    home(page, "t0ken", NOW).body
}

fn html() -> Request {
    Request {
        accept: "text/html".to_owned(),
        ..Request::get("/any/path")
    }
}

fn at_the_door(change: impl FnOnce(&mut ClientPage)) -> Response {
    let mut page = page();
    change(&mut page);
    front_door(&html(), &page, Some("fd39::d1".parse().unwrap()))
}

#[test]
fn a_ready_instance_is_shown_with_what_the_client_may_do() {
    let shown = at_home(&page());
    for part in [
        "It is ready.",
        "fd39::2:1",
        "1 h 5 min",
        "action=\"/restart\"",
        "action=\"/extend\"",
        "action=\"/keys\"",
        "name=\"token\" value=\"t0ken\"",
        "name=\"instance\" value=\"3f9a2c01d2e4\"",
        "ssh-ed25519 AAAA me</textarea>",
        "<html lang=\"en\">",
        "name=\"viewport\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("http-equiv=\"refresh\""), "it stays as it is");
    assert!(!shown.contains("<script"));
}

#[test]
fn what_the_template_does_not_allow_is_not_offered() {
    let mut page = page();
    page.instances[0].may.clear();
    assert!(!at_home(&page).contains("<form"), "{}", at_home(&page));
}

#[test]
fn a_page_goes_on_by_itself_while_something_is_under_way() {
    let mut page = page();
    page.instances[0].phase = Phase::Starting;
    let shown = at_home(&page);
    assert!(shown.contains("http-equiv=\"refresh\" content=\"3\""), "{shown}");
    assert!(shown.contains("It is starting."), "{shown}");
    page.instances[0].is_tried_again = true;
    assert!(at_home(&page).contains("It is tried again."));
}

#[test]
fn what_strangers_chose_is_never_markup() {
    let mut page = page();
    page.client.name = Some("<script>alert(1)</script>".to_owned());
    page.instances[0].slot = "\"><img>".to_owned();
    page.authorized_keys = vec!["</textarea><script>".to_owned()];
    page.instances.push(page.instances[0].clone());
    let shown = at_home(&page);
    assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
    assert_eq!(
        escape("<a href='x' b=\"y\">&"),
        "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;"
    );
}

#[test]
fn at_the_front_door_a_client_sees_the_state_until_its_instance_is_there() {
    let starting = at_the_door(|page| page.instances[0].phase = Phase::Starting);
    assert_eq!(starting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(starting.headers, [("Retry-After", "2".to_owned())]);
    assert!(
        starting.body.contains("http-equiv=\"refresh\" content=\"2\""),
        "{}",
        starting.body
    );
    assert!(starting.body.contains("Your machine is not ready yet. It is starting."));
    assert!(starting.body.contains("href=\"http://[fd39::d1]/\""));
    assert!(at_the_door(|_| {}).body.contains("You are taken there."));
}

#[test]
fn a_client_without_an_instance_is_told_why() {
    for (lack, said, goes_on) in [
        (Lack::NoTemplate, "no machine of its own", false),
        (Lack::Removed, "switch its network off and on", true),
        (
            Lack::Refused("no <address> left".to_owned()),
            "no &lt;address&gt; left",
            true,
        ),
        (Lack::Soon, "about to be made", true),
    ] {
        let shown = at_the_door(|page| {
            page.instances.clear();
            page.lack = Some(lack.clone());
        });
        assert!(shown.body.contains(said), "{}", shown.body);
        assert_eq!(shown.body.contains("http-equiv=\"refresh\""), goes_on, "{lack:?}");
        let mut page = page();
        page.instances.clear();
        page.lack = Some(lack);
        assert!(at_home(&page).contains(said));
    }
}

#[test]
fn a_program_at_the_front_door_is_told_in_plain_text() {
    let mut page = page();
    page.instances[0].phase = Phase::Pending;
    let told = front_door(&Request::get("/"), &page, None);
    assert_eq!(told.content_type, "text/plain; charset=utf-8");
    assert_eq!(
        told.body,
        "Your machine is not ready yet. It is waiting to be started.\n"
    );
}
