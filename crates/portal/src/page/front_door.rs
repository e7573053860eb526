//! What a client sees at the front door while its instance is not behind it.

use std::net::Ipv6Addr;
use std::time::Duration;

use hyper::StatusCode;
use orchestrator_model::Phase;

use super::document::{document, escape, html};
use super::words::{lack, state};
use crate::facts::{ClientPage, Lack};
use crate::{Request, Response};

/// How soon a browser asks again.
const AGAIN: Duration = Duration::from_secs(2);

/// The state of the client's instance, on a page that goes on by itself. `portal` is where the client's own page is.
pub(crate) fn front_door(request: &Request, page: &ClientPage, portal: Option<Ipv6Addr>) -> Response {
    let (sentence, goes_on) = match (page.instances.first(), &page.lack) {
        (Some(card), _) if card.phase == Phase::Ready => {
            ("Your machine is ready. You are taken there.".to_owned(), true)
        }
        (Some(card), _) => {
            let said = state(card).sentence;
            (format!("Your machine is not ready yet. {said}"), true)
        }
        (None, Some(why)) => (lack(why), !matches!(why, Lack::NoTemplate)),
        (None, None) => (lack(&Lack::Soon), true),
    };
    let again = goes_on.then_some(AGAIN);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let answer = match request.wants_html() {
        true => html(
            status,
            document("Your machine", again, &body(&sentence, goes_on, portal)),
        ),
        false => Response::text(status, format!("{sentence}\n")),
    };
    match again {
        Some(again) => answer.with("Retry-After", again.as_secs().to_string()),
        None => answer,
    }
}

fn body(sentence: &str, goes_on: bool, portal: Option<Ipv6Addr>) -> String {
    let mut body = format!(
        "<div class=\"card\" role=\"status\"><p class=\"state\">{}</p>\n",
        escape(sentence)
    );
    if goes_on {
        body += "<p class=\"soft\">This page goes on by itself.</p>\n";
    }
    if let Some(portal) = portal {
        body += &format!("<p><a class=\"button\" href=\"http://[{portal}]/\">Details</a></p>\n");
    }
    body + "</div>\n"
}
