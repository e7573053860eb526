//! `orchestrator policy`: shows what the packet filter allows a client or an instance, why, and what it dropped.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde_json::Value;

use super::ages::age;
use super::api::Api;
use super::choose::CLIENT;
use super::failure::Failure;
use super::glob;
use super::page::{self, read};
use super::resolve::{Kind, resolve};
use super::select::{self, Each, Numbers, Selected};
use super::session::Session;
use super::table::{self, Column, Width};
use orchestrator_api_types::{
    BindingState, Owner, PolicyBinding, PolicyDecision, PolicyDrop, PolicyLink, PolicyRule, PolicyView, Verdict,
};
use orchestrator_model::Timestamp;

/// The width limit of a reason.
const REASON: usize = 100;

/// Arguments of `policy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// ID, host name, DUID or address of a client or an instance, or the beginning of one; also SERVICE-SLOT, a service, or
    /// a pattern like 'web-*', which means instances, and where none has such a name, clients
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    which: Numbers,
    /// Whether it reaches this one, and by which rule: an address, or a client or an instance as above
    #[arg(long, value_name = "WHOM")]
    to: Option<String>,
    /// The ports to reach, such as tcp/443 or udp/5000-5010; without it, all
    #[arg(long, value_name = "PORTS", requires = "to")]
    ports: Option<String>,
}

/// Clients and instances that a name is looked for among.
const AMONG: [(Kind, &page::Query<'_>); 2] = [(Kind::Instance, &[]), (Kind::Client, &[])];

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let to = match &args.to {
        Some(to) => Some(target(to, session).await?),
        None => None,
    };
    let mut meant = Vec::new();
    for word in &args.ids {
        meant.extend(match args.which.instances.is_empty() {
            true => of_word(word, session).await?,
            false => paths(&select::select(std::slice::from_ref(word), &args.which, session).await?),
        });
    }
    let mut all = Each::new(meant.len());
    let mut items: Vec<Value> = Vec::new();
    for (name, path) in &meant {
        match one(path, to.as_deref(), args.ports.as_deref(), session.api).await {
            Ok(item) if session.output.is_data() => items.push(item),
            Ok(item) => {
                let view: PolicyView = read(&item, "a policy")?;
                let text = render(&view, session.now, session.output.width());
                match (meant.len(), &to) {
                    (1, _) => session.print(&text)?,
                    (_, Some(_)) => session.print(&format!("{name}: {text}"))?,
                    (_, None) => session.print(&format!("{name}:\n{text}\n"))?,
                }
            }
            Err(failure) => all.failed(name, failure, session),
        }
    }
    match items.as_slice() {
        [] => {}
        [item] => session.print_json(item)?,
        several => session.print_json(&several)?,
    }
    all.end()
}

/// The clients and instances that a word means: the name of each, and its path.
async fn of_word(word: &str, session: &Session<'_>) -> Result<Vec<(String, String)>, Failure> {
    let words = [word.to_owned()];
    let api = session.api;
    if glob::is_pattern(word) {
        match select::named(&words, session).await {
            Err(Failure::NoneMatches { .. }) => {
                let ids = CLIENT.meant(&words, api).await?;
                let path = |id: String| (format!("client {id}"), format!("{}/{id}", CLIENT.path));
                return Ok(ids.into_iter().map(path).collect());
            }
            found => return Ok(paths(&found?)),
        }
    }
    if select::is_of_service(word, session).await? {
        return Ok(paths(&select::named(&words, session).await?));
    }
    match resolve(word, &AMONG, api).await {
        Ok((kind, id)) => Ok(vec![(word.to_owned(), format!("{}/{id}", kind.path()))]),
        Err(failure) => Err(failure),
    }
}

fn paths(found: &[Selected]) -> Vec<(String, String)> {
    found.iter().map(|one| (one.name.clone(), one.path())).collect()
}

async fn one(path: &str, to: Option<&str>, ports: Option<&str>, api: &dyn Api) -> Result<Value, Failure> {
    let to = to.map(|to| ("to", to));
    let ports = ports.map(|ports| ("ports", ports));
    let query: Vec<_> = to.into_iter().chain(ports).collect();
    let path = page::with_query(&format!("{path}/policy"), &query);
    page::parse(&api.get(&path).await?, "a policy")
}

/// The id that a name identifies, or the address.
async fn target(text: &str, session: &Session<'_>) -> Result<String, Failure> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    match of_word(text, session).await?.as_slice() {
        [(_, path)] => Ok(path.rsplit('/').next().unwrap_or(path).to_owned()),
        several => Err(Failure::Usage {
            what: format!("{text} means {} instances; --to takes one", several.len()),
        }),
    }
}

/// The answer for people. Where somebody was to be reached, the decision alone.
pub(super) fn render(view: &PolicyView, now: Timestamp, width: Width) -> String {
    let fault = view.fault.as_ref().map(|fault| {
        format!("the packet filter is not as it should be, and may do something else than is shown here: {fault}")
    });
    if let Some(decision) = &view.decision {
        let lines = fault.into_iter().chain([decided(decision)]);
        return lines.collect::<Vec<_>>().join("\n");
    }
    let is_enforced = view.links.iter().all(|link| link.enforce || !link.isolation);
    let parts = [
        fault,
        Some(view.links.iter().map(link).collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty()),
        (!view.bindings.is_empty()).then(|| bindings(&view.bindings, now, width)),
        (!view.rules.is_empty()).then(|| rules(&view.rules, is_enforced, width)),
        Some(drops(view, is_enforced, width)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn decided(decision: &PolicyDecision) -> String {
    let ports = decision.ports.as_deref().unwrap_or("everything");
    let verdict = match decision.verdict {
        Verdict::Allowed => "allowed",
        Verdict::Partly => "allowed in part",
        Verdict::Dropped => "dropped",
        Verdict::WouldBeDropped => "would be dropped, but the link has enforce = false",
        Verdict::NotChecked => "not checked",
    };
    let cause = decision.cause.as_ref().map(|cause| format!(" (counted as {cause})"));
    format!(
        "to {}, {ports}: {verdict}{}: {}",
        decision.to,
        cause.unwrap_or_default(),
        decision.why
    )
}

fn link(link: &PolicyLink) -> String {
    let how = match (link.isolation, link.enforce) {
        (false, _) => "isolation = false: its packets are not checked",
        (true, true) => "isolation = true: what no rule allows is dropped",
        (true, false) => "isolation = true, enforce = false: what no rule allows is counted, and passes",
    };
    format!("link {}: {how}", link.link)
}

/// An address without the length of its prefix, or a prefix.
fn shown(prefix: Ipv6Net) -> String {
    match prefix.prefix_len() {
        128 => prefix.addr().to_string(),
        _ => prefix.to_string(),
    }
}

fn bindings(bindings: &[PolicyBinding], now: Timestamp, width: Width) -> String {
    let row = |binding: &PolicyBinding| {
        let state = match (binding.state, &binding.held_by) {
            (BindingState::InForce, _) => "in force".to_owned(),
            (BindingState::Pending, _) => "pending".to_owned(),
            (BindingState::Held, None) => "held by another".to_owned(),
            (BindingState::Held, Some(owner)) => format!("held by {}", held_by(owner)),
        };
        vec![
            shown(binding.prefix),
            binding.link.clone(),
            binding.link_layer.clone(),
            binding.port.clone().unwrap_or_else(|| "any".to_owned()),
            binding.learnt.to_string(),
            age(binding.since, now),
            state,
            binding.why.clone(),
        ]
    };
    let header = [
        Column::new("MAY SPEAK FROM"),
        Column::new("LINK"),
        Column::new("LINK-LAYER"),
        Column::new("PORT"),
        Column::new("LEARNT BY"),
        Column::new("FOR"),
        Column::new("STATE"),
        Column::new("WHY").at_most(REASON),
    ];
    table::columns(&header, bindings.iter().map(row), width)
}

fn held_by(owner: &Owner) -> String {
    match owner {
        Owner::Client(id) => format!("client {id}"),
        Owner::Service(name) => format!("service {name}"),
        Owner::Pool(name) => format!("pool {name}"),
        Owner::Operator(name) => format!("operator {name}"),
    }
}

fn rules(rules: &[PolicyRule], is_enforced: bool, width: Width) -> String {
    let row = |rule: &PolicyRule| {
        let verdict = match (rule.allowed, is_enforced) {
            (true, _) => "allowed",
            (false, true) => "dropped",
            (false, false) => "would be dropped",
        };
        vec![
            rule.direction.to_string(),
            rule.with.clone(),
            rule.prefix.map(shown).unwrap_or_default(),
            rule.ports.clone().unwrap_or_else(|| "everything".to_owned()),
            verdict.to_owned(),
            rule.why.clone(),
        ]
    };
    let header = [
        Column::new("WAY"),
        Column::new("WITH").at_most(REASON),
        Column::new("ADDRESS"),
        Column::new("PORTS"),
        Column::new("IS"),
        Column::new("WHY").at_most(REASON),
    ];
    table::columns(&header, rules.iter().map(row), width)
}

fn drops(view: &PolicyView, is_enforced: bool, width: Width) -> String {
    if let Some(reason) = &view.uncounted {
        return format!("it is not known what was dropped: {reason}");
    }
    let name = if is_enforced { "DROPPED" } else { "WOULD BE DROPPED" };
    if view.drops.is_empty() {
        return format!(
            "nothing {}",
            if is_enforced {
                "was dropped"
            } else {
                "would have been dropped"
            }
        );
    }
    let row = |drop: &PolicyDrop| {
        vec![
            drop.cause.clone(),
            drop.packets.to_string(),
            drop.bytes.to_string(),
            drop.meaning.clone(),
        ]
    };
    let header = [
        Column::new(name),
        Column::new("PACKETS"),
        Column::new("BYTES"),
        Column::new("MEANING").at_most(REASON),
    ];
    table::columns(&header, view.drops.iter().map(row), width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(enforce: bool) -> PolicyView {
        serde_json::from_value(json!({
            "client": "3f9a2c01d2e4",
            "instance": null,
            "fault": null,
            "links": [{"link": "br0", "isolation": true, "enforce": enforce}],
            "bindings": [{
                "link": "br0", "prefix": "fd39::1:7/128", "link_layer": "52:54:00:00:00:01", "port": null,
                "learnt": "lease", "why": "leased by listener", "since": "2026-01-01T00:00:00.000Z", "state": "held",
                "held_by": {"kind": "client", "name": "000000000007"}
            }],
            "rules": [
                {"direction": "both", "with": "instance 00000000000a (web)", "instance": "00000000000a",
                    "prefix": "fd39::2:1/128", "ports": null, "allowed": true, "why": "its own instance"},
                {"direction": "both", "with": "other clients of link br0", "instance": null, "prefix": null,
                    "ports": null, "allowed": false, "why": "isolate_clients = true of link br0"}
            ],
            "drops": [{"cause": "pair", "meaning": "traffic with others", "packets": 3, "bytes": 200}],
            "uncounted": null,
            "decision": null
        }))
        .unwrap()
    }

    fn now() -> Timestamp {
        serde_json::from_value(json!("2026-01-01T00:01:00.000Z")).unwrap()
    }

    #[test]
    fn bindings_rules_and_drops_as_tables() {
        assert_eq!(
            render(&view(true), now(), Width::Narrow),
            "\
link br0: isolation = true: what no rule allows is dropped

MAY SPEAK FROM  LINK  LINK-LAYER         PORT  LEARNT BY  FOR  STATE                        WHY
fd39::1:7       br0   52:54:00:00:00:01  any   lease      1m   held by client 000000000007  leased by listener

WAY   WITH                         ADDRESS    PORTS       IS       WHY
both  instance 00000000000a (web)  fd39::2:1  everything  allowed  its own instance
both  other clients of link br0    -          everything  dropped  isolate_clients = true of link br0

DROPPED  PACKETS  BYTES  MEANING
pair     3        200    traffic with others"
        );
    }

    #[test]
    fn a_link_that_does_not_enforce_is_said_to_drop_nothing() {
        let text = render(&view(false), now(), Width::Narrow);
        assert!(
            text.contains("enforce = false: what no rule allows is counted, and passes"),
            "{text}"
        );
        assert!(
            text.contains("would be dropped  isolate_clients = true") && text.contains("WOULD BE DROPPED"),
            "{text}"
        );
        assert!(
            !text.contains(" dropped  isolate_clients = true of link br0\n\nDROPPED"),
            "{text}"
        );
        let nothing = PolicyView {
            drops: Vec::new(),
            ..view(false)
        };
        assert!(render(&nothing, now(), Width::Narrow).ends_with("nothing would have been dropped"));
    }

    #[test]
    fn a_decision_is_one_line_and_a_fault_goes_before_it() {
        let decision: PolicyDecision = serde_json::from_value(json!({
            "to": "instance 00000000000b (web)", "address": null, "ports": "tcp/22", "verdict": "dropped", "cause": "pair",
            "why": "its template opens no such port"
        }))
        .unwrap();
        let asked = PolicyView {
            decision: Some(decision),
            fault: Some("no nft".to_owned()),
            ..view(true)
        };
        assert_eq!(
            render(&asked, now(), Width::Narrow),
            "the packet filter is not as it should be, and may do something else than is shown here: no nft\n\
             to instance 00000000000b (web), tcp/22: dropped (counted as pair): its template opens no such port"
        );
    }

    #[test]
    fn what_was_not_counted_is_said() {
        let uncounted = PolicyView {
            uncounted: Some("no answer".to_owned()),
            ..view(true)
        };
        assert!(render(&uncounted, now(), Width::Narrow).ends_with("it is not known what was dropped: no answer"));
    }
}
