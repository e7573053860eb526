//! The page of a client at the portal.

use std::time::Duration;

use hyper::StatusCode;
use orchestrator_model::{ClientAction, Phase, Timestamp, fingerprint};

use super::document::{document, escape, html};
use super::span::spoken;
use super::words::{lack, state};
use crate::Response;
use crate::facts::{ClientPage, EndReason, InstanceCard};

/// How soon the page is asked for again while something is under way.
const AGAIN: Duration = Duration::from_secs(3);

/// The page of a client. `token` goes with each form, and says that the form is ours.
pub(crate) fn home(page: &ClientPage, token: &str, now: Timestamp) -> Response {
    let title = match page.instances.len() {
        0 | 1 => "Your machine",
        _ => "Your machines",
    };
    let mut body = String::new();
    if let Some(why) = page.lack.as_ref().filter(|_| page.instances.is_empty()) {
        body += &format!(
            "<div class=\"card\"><p class=\"state\" role=\"status\">{}</p></div>\n",
            escape(&lack(why))
        );
    }
    for card in &page.instances {
        body += &instance(card, page.instances.len() > 1, token, now);
    }
    if page.instances.iter().any(|card| card.may.contains(&ClientAction::Keys)) {
        body += &keys(page, token);
    }
    body += &device(page, now);
    // What changes by itself within seconds is asked for again. A page on which somebody fills in a form is not.
    let changes = |card: &InstanceCard| !matches!(card.phase, Phase::Ready | Phase::Stopped);
    let is_settled = !page.instances.iter().any(changes);
    let again = (!is_settled).then_some(AGAIN);
    html(StatusCode::OK, document(title, again, &body))
}

fn instance(card: &InstanceCard, is_one_of_many: bool, token: &str, now: Timestamp) -> String {
    let said = state(card);
    let mut body = String::from("<section class=\"card\">\n");
    if is_one_of_many {
        body += &format!("<h2>{}</h2>\n", escape(&card.slot));
    }
    body += &format!(
        "<p class=\"state {}\" role=\"status\">{}</p>\n<dl>\n",
        said.class, said.sentence
    );
    if let Some(address) = card.address {
        body += &format!("<dt>Address</dt><dd><code>{address}</code></dd>\n");
    }
    if let Some(end) = card.end {
        let (name, more) = match end.reason {
            EndReason::Lease => ("Lease", ", renewed by your device"),
            EndReason::Lifetime => ("Time left", ""),
            EndReason::Idle => ("Stops in", ", unless you use it"),
            EndReason::Grace => ("Kept for", ""),
            EndReason::Kept => ("Removed in", ""),
        };
        body += &format!("<dt>{name}</dt><dd>{}{more}</dd>\n", spoken(end.at.since(now)));
    }
    body + "</dl>\n" + &actions(card, is_one_of_many, token) + "</section>\n"
}

/// The forms for what a client may do with its instance.
fn actions(card: &InstanceCard, is_one_of_many: bool, token: &str) -> String {
    let mut body = String::new();
    let (id, slot) = (card.id.to_string(), escape(&card.slot));
    // A screen reader does not show the place of a button, so buttons of several instances need different words.
    let which = match is_one_of_many {
        true => format!(" <span class=\"hidden\">({slot})</span>"),
        false => String::new(),
    };
    if let Some(extension) = card.extension.filter(|_| card.may.contains(&ClientAction::Extend)) {
        let says = match card.phase {
            Phase::Stopped => "Start it again".to_owned(),
            _ => format!("Keep it {} longer", spoken(extension.by)),
        };
        let yet = match extension.times {
            1 => "This is possible once more.".to_owned(),
            times => format!("This is possible {times} more times."),
        };
        let inner = format!("<button>{says}{which}</button><p class=\"soft\">{yet}</p>");
        body += &form("/extend", token, &id, &inner);
    }
    if card.may.contains(&ClientAction::Restart) {
        let ask = format!(
            "<p>It is removed and made again. What it does not keep on a volume is lost.</p>\
             <button class=\"danger\">Remove it and start anew{which}</button>"
        );
        let form = form("/restart", token, &id, &ask);
        body += &format!("<details><summary>Start anew{which}</summary>{form}</details>\n");
    }
    body
}

fn form(action: &str, token: &str, instance: &str, inner: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"token\" value=\"{}\">\
         <input type=\"hidden\" name=\"instance\" value=\"{}\">{inner}</form>\n",
        escape(token),
        escape(instance),
    )
}

fn keys(page: &ClientPage, token: &str) -> String {
    let listed = escape(&page.authorized_keys.join("\n"));
    let mut body = format!(
        "<section class=\"card\">\n<h2><label for=\"keys\">SSH keys</label></h2>\n\
         <p class=\"soft\" id=\"about-keys\">Who may log in: public keys, one a line.</p>\n\
         <form method=\"post\" action=\"/keys\"><input type=\"hidden\" name=\"token\" value=\"{}\">\
         <textarea id=\"keys\" name=\"keys\" spellcheck=\"false\" autocapitalize=\"off\" autocomplete=\"off\" \
         aria-describedby=\"about-keys\">{listed}</textarea>\
         <button>Save</button></form>\n",
        escape(token),
    );
    if !page.reserved_keys.is_empty() {
        body += "<p class=\"soft\">This network lets these log in, too:</p>\n<ul>\n";
        for key in &page.reserved_keys {
            body += &format!("<li><code>{}</code></li>\n", escape(&shown_key(key)));
        }
        body += "</ul>\n";
    }
    body + "</section>\n"
}

/// A key by its comment and its fingerprint.
fn shown_key(key: &str) -> String {
    let comment: Vec<&str> = key.split_whitespace().skip(2).collect();
    match comment.is_empty() {
        true => fingerprint(key),
        false => format!("{} ({})", comment.join(" "), fingerprint(key)),
    }
}

fn device(page: &ClientPage, now: Timestamp) -> String {
    let mut body = String::from("<section class=\"card\">\n<h2>Your device</h2>\n<dl>\n");
    if let Some(name) = &page.client.name {
        body += &format!("<dt>Name</dt><dd>{}</dd>\n", escape(name));
    }
    for address in &page.client.addresses {
        body += &format!("<dt>Address</dt><dd><code>{address}</code></dd>\n");
    }
    for prefix in &page.client.prefixes {
        body += &format!("<dt>Prefix</dt><dd><code>{prefix}</code></dd>\n");
    }
    if let Some(until) = page.client.lease_until.filter(|until| *until < Timestamp(i64::MAX)) {
        body += &format!(
            "<dt>Lease</dt><dd>{}, renewed by your device</dd>\n",
            spoken(until.since(now))
        );
    }
    body + "</dl>\n</section>\n"
}
