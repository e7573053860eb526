//! What the pages show.

use hyper::StatusCode;
use orchestrator_model::{ClientExtension, Phase};

use super::document::escape;
use super::testing::{NOW, page};
use super::{front_door, home};
use crate::facts::{ClientPage, End, EndReason, Lack};
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
fn what_is_left_of_extensions_is_shown_and_a_stopped_instance_is_started_by_one() {
    let mut page = page();
    let shown = at_home(&page);
    for part in [
        "<dt>Time left</dt><dd>1 h 5 min</dd>",
        "Keep it 1 h longer",
        "This is possible 2 more times.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    page.instances[0].phase = Phase::Stopped;
    page.instances[0].extension = page.instances[0]
        .extension
        .map(|one| ClientExtension { times: 1, ..one });
    page.instances[0].end = page.instances[0].end.map(|end| End {
        reason: EndReason::Kept,
        ..end
    });
    let shown = at_home(&page);
    for part in [
        "It is stopped, and its files are kept.",
        "<dt>Removed in</dt><dd>1 h 5 min</dd>",
        "<button>Start it again</button>",
        "This is possible once more.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        !shown.contains("http-equiv=\"refresh\""),
        "nothing happens by itself: {shown}"
    );
    // Nothing is left, and nothing is offered.
    page.instances[0].extension = None;
    assert!(!at_home(&page).contains("/extend"));
}

#[test]
fn the_buttons_of_several_instances_are_told_apart_by_their_words() {
    let mut page = page();
    page.instances.push(page.instances[0].clone());
    page.instances[1].slot = "shell".to_owned();
    let shown = at_home(&page);
    for slot in ["web", "shell"] {
        let button = format!("Keep it 1 h longer <span class=\"hidden\">({slot})</span></button>");
        assert!(shown.contains(&button), "{shown}");
    }
}

#[test]
fn at_the_front_door_of_a_stopped_instance_its_client_reads_that() {
    let stopped = at_the_door(|page| page.instances[0].phase = Phase::Stopped);
    let said = "Your machine does not run now. It is stopped, and its files are kept.";
    assert!(stopped.body.contains(said), "{}", stopped.body);
}

#[test]
fn keys_of_a_reservation_are_shown_and_not_in_the_form() {
    let mut page = page();
    page.reserved_keys = vec!["ssh-ed25519 AAAA root@<office>".to_owned()];
    let shown = at_home(&page);
    assert!(shown.contains("<li><code>root@&lt;office&gt; (SHA256:"), "{shown}");
    assert!(shown.contains("ssh-ed25519 AAAA me</textarea>"), "{shown}");
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
        (Lack::Waiting, "waits for its turn", true),
        (
            Lack::TimeOver(Some(std::time::Duration::from_secs(300))),
            "another one by itself in 5 min",
            true,
        ),
        (Lack::TimeOver(None), "comes back after it left this network", true),
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
