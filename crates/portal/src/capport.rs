//! The API of a captive portal (RFC 8908). Nobody is captive here: clients use it to show the page, and the time left.

use hyper::StatusCode;
use orchestrator_model::{ClientAction, Timestamp};
use serde_json::json;

use crate::Response;
use crate::facts::ClientPage;

/// The path of the API.
pub(crate) const PATH: &str = "/api";

/// The answer for a client whose page is at `page_url`.
pub(crate) fn answer(page: &ClientPage, page_url: &str, now: Timestamp) -> Response {
    let ends = page.instances.iter().filter_map(|card| card.end);
    let first = ends.map(|end| end.at.since(now).as_secs()).min();
    let may_extend = page
        .instances
        .iter()
        .any(|card| card.may.contains(&ClientAction::Extend));
    let mut body = json!({
        "captive": false,
        "user-portal-url": page_url,
        "venue-info-url": page_url,
        "can-extend-session": may_extend,
    });
    if let Some(seconds) = first {
        body["seconds-remaining"] = json!(seconds);
    }
    Response::new(StatusCode::OK, "application/captive+json", body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{NOW, page};

    #[test]
    fn a_client_is_told_of_its_page_and_the_time_left() {
        let answered = answer(&page(), "https://portal.example.org/", NOW);
        assert_eq!(answered.content_type, "application/captive+json");
        let body: serde_json::Value = serde_json::from_str(&answered.body).unwrap();
        assert_eq!(
            body,
            json!({
                "captive": false, "user-portal-url": "https://portal.example.org/",
                "venue-info-url": "https://portal.example.org/", "can-extend-session": true, "seconds-remaining": 3900,
            })
        );
        let mut plain = page();
        plain.instances.clear();
        let body: serde_json::Value = serde_json::from_str(&answer(&plain, "http://[fd39::d1]/", NOW).body).unwrap();
        assert_eq!(body.get("seconds-remaining"), None);
        assert_eq!(body["can-extend-session"], false);
    }
}
