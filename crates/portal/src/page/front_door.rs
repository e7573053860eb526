//! What a client sees at the front door while its instance is not behind it.

use std::net::Ipv6Addr;
use std::time::Duration;

use hyper::StatusCode;
use orchestrator_model::Phase;

use super::document::{document, escape, html};
use super::words::{lack, state};
use crate::facts::{ClientPage, InstanceCard, Lack};
use crate::{Request, Response};

/// How soon a browser asks again.
const AGAIN: Duration = Duration::from_secs(2);

/// The state of the client's instance, on a page that goes on by itself. `portal` is where the client's own page is.
pub(crate) fn front_door(request: &Request, page: &ClientPage, portal: Option<Ipv6Addr>) -> Response {
    let (sentence, class, goes_on) = match (page.instances.first(), &page.lack) {
        (Some(card), _) => (instance(card), state(card).class, true),
        (None, Some(why @ (Lack::Soon | Lack::Waiting))) => (lack(why), "busy", true),
        (None, Some(why)) => (lack(why), "", !matches!(why, Lack::NoTemplate)),
        (None, None) => (lack(&Lack::Soon), "busy", true),
    };
    let again = goes_on.then_some(AGAIN);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let answer = match request.wants_html() {
        true => html(
            status,
            document("Your machine", again, &body(&sentence, class, goes_on, portal)),
        ),
        false => Response::text(status, format!("{sentence}\n")),
    };
    match again {
        Some(again) => answer.with("Retry-After", again.as_secs().to_string()),
        None => answer,
    }
}

/// What is said of an instance that is not behind the front door now.
fn instance(card: &InstanceCard) -> String {
    let said = state(card).sentence;
    match card.phase {
        Phase::Ready => "Your machine is ready. You are taken there.".to_owned(),
        Phase::Pending | Phase::Starting => format!("Your machine is not ready yet. {said}"),
        _ => format!("Your machine does not run now. {said}"),
    }
}

fn body(sentence: &str, class: &str, goes_on: bool, portal: Option<Ipv6Addr>) -> String {
    let mut body = format!(
        "<div class=\"card\"><p class=\"state {class}\" role=\"status\">{}</p>\n",
        escape(sentence)
    );
    if goes_on {
        body += "<p class=\"soft\">This page goes on by itself.</p>\n";
    }
    if let Some(portal) = portal {
        body += &format!("<p><a class=\"button quiet\" href=\"http://[{portal}]/\">Details</a></p>\n");
    }
    body + "</div>\n"
}
