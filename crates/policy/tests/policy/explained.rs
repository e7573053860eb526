//! What somebody is allowed, in words, and whom he reaches.

use orchestrator_model::{Access, BindingState, Learnt, LeaseSource, PolicyDecision, PolicyRule, Ports, Verdict};
use orchestrator_policy::{Asked, Explanation, Links, OwnerFacts, Party, Policy, Target, decide, explain};

use crate::fixture::{address, client, facts, instance, links};

/// The access of a template with these keys.
fn access(keys: &str) -> Access {
    let text = format!("[template.a]\nimage = \"a\"\n{keys}");
    let settings = orchestrator_settings::parse(&text, std::iter::empty()).unwrap();
    settings.templates["a"].access.clone()
}

/// Two clients: the first with the instances `web` and `db`, the second with `web`.
struct Site {
    links: Links,
    one: OwnerFacts,
    two: OwnerFacts,
    applied: Policy,
}

impl Site {
    fn new(link: &str, web: &str) -> Self {
        let links = links(link);
        let of_one = vec![
            instance(1, "web", "fd39::2:1", access(web)),
            instance(1, "db", "fd39::2:2", Access::default()),
        ];
        let one = facts(1, &["fd39::1:1", "fd77:7::/64"], of_one);
        let of_two = vec![instance(2, "web", "fd39::2:3", access("open = [\"tcp/80\"]"))];
        let two = facts(2, &["fd39::1:2"], of_two);
        let mut applied = Policy::new(links.clone());
        applied.set_owner(&one);
        applied.set_owner(&two);
        Self {
            links,
            one,
            two,
            applied,
        }
    }

    fn explain(&self, party: Party<'_>) -> Explanation {
        explain(party, &self.links, &self.applied)
    }

    fn decide(&self, from: Party<'_>, to: Target<'_>, ports: &str) -> PolicyDecision {
        let ports: Option<Ports> = (!ports.is_empty()).then(|| ports.parse().unwrap());
        decide(&Asked { from, to, ports }, &self.links, &self.applied)
    }

    fn web(&self) -> Party<'_> {
        Party::Instance(&self.one, &self.one.instances[0])
    }

    fn db(&self) -> Party<'_> {
        Party::Instance(&self.one, &self.one.instances[1])
    }

    fn web_of_two(&self) -> Party<'_> {
        Party::Instance(&self.two, &self.two.instances[0])
    }
}

fn shown(rules: &[PolicyRule]) -> Vec<String> {
    let show = |rule: &PolicyRule| {
        let of = rule.prefix.map(|prefix| format!(" {prefix}")).unwrap_or_default();
        let ports = rule.ports.map(|ports| format!(" {ports}")).unwrap_or_default();
        let not = if rule.allowed { "" } else { "not " };
        format!("{not}{} {}{of}{ports}: {}", rule.direction, rule.with, rule.why)
    };
    rules.iter().map(show).collect()
}

fn said(decision: &PolicyDecision) -> String {
    let cause = decision.cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    format!("{}{cause}: {}", decision.verdict, decision.why)
}

#[test]
fn each_binding_says_how_it_was_learnt() {
    let site = Site::new("bind_ports = true", "");
    let bindings = site.explain(Party::Client(&site.one)).bindings;
    let shown: Vec<_> = bindings
        .iter()
        .map(|one| (one.prefix.to_string(), one.learnt, one.port.as_deref(), &one.state))
        .collect();
    assert_eq!(
        shown,
        [
            (
                "fd39::1:1/128".to_owned(),
                Learnt::Lease,
                Some("tap1"),
                &BindingState::InForce
            ),
            (
                "fe80::1/128".to_owned(),
                Learnt::LinkLocal,
                Some("tap1"),
                &BindingState::InForce
            ),
            (
                "fd77:7::/64".to_owned(),
                Learnt::DelegatedPrefix,
                Some("tap1"),
                &BindingState::InForce
            ),
        ]
    );
    let mut registered = site.one.clone();
    registered.leases[0].source = LeaseSource::Registration;
    assert_eq!(
        site.explain(Party::Client(&registered)).bindings[0].learnt,
        Learnt::Registration
    );
    let of_instance = site.explain(site.web()).bindings;
    let learnt: Vec<_> = of_instance.iter().map(|one| one.learnt).collect();
    assert_eq!(learnt, [Learnt::Instance, Learnt::LinkLocal]);
}

#[test]
fn an_address_that_another_claimed_first_is_shown_with_its_holder() {
    let site = Site::new("", "");
    // The third client asks from the link-local address of the first, and later.
    let mut three = facts(3, &["fd39::1:3"], Vec::new());
    three.leases[0].granted_to.link_local = Some(address("fe80::1"));
    let mut site = site;
    site.applied.set_owner(&three);
    let bindings = site.explain(Party::Client(&three)).bindings;
    assert_eq!(bindings[0].state, BindingState::InForce);
    assert_eq!(bindings[1].state, BindingState::HeldBy(client(1)));
    // What was recorded, but is not applied yet.
    let four = facts(4, &["fd39::1:4"], Vec::new());
    assert_eq!(
        site.explain(Party::Client(&four)).bindings[0].state,
        BindingState::Pending
    );
    let refused = site.decide(Party::Client(&four), Target::Party(site.web()), "");
    assert_eq!(refused.cause, Some("source"), "{refused:?}");
}

#[test]
fn the_rules_of_a_client_name_the_key_or_the_instance_that_decides() {
    let site = Site::new(
        "front_door = \"fd39::d0\"\nisolate_clients = true",
        "front_door_ports = [\"tcp/80\"]",
    );
    let rules = shown(&site.explain(Party::Client(&site.one)).rules);
    for expected in [
        "both instance 070000000031 (web) fd39::2:1/128: its own instance 070000000031 (web)",
        "both instance 070000000032 (db) fd39::2:2/128: its own instance 070000000032 (db)",
        "out front door fd39::d0 to instance 070000000031 (web) fd39::d0/128 tcp/80: instance 070000000031 (web) is ready, \
         for fd39::1:1/128",
        "not both other clients of link br0: isolate_clients = true of link br0",
        "not out instances of other clients of link br0: nothing but the ports in `open` of their templates",
        "both IPv4 and ARP on link br0: ipv4 = true of link br0",
    ] {
        assert!(rules.iter().any(|rule| rule == expected), "{expected}\n{rules:#?}");
    }
}

#[test]
fn the_rules_of_an_instance_name_the_key_of_its_template() {
    let keys =
        "egress = [\"2000::/3 tcp/443\"]\nnat = true\nopen = [\"tcp/80\"]\npeers = [\"db tcp/5432\"]\npacket_rate = 9";
    let site = Site::new("", keys);
    let rules = shown(&site.explain(site.web()).rules);
    for expected in [
        "both its own client 000000000101: its own instance 070000000031 (web)",
        "in clients of its link tcp/80: open of template web",
        "out the world 2000::/3 tcp/443: egress of template web, with an address of this machine (nat)",
        "out instance 070000000032 (db) fd39::2:2/128 tcp/5432: peers of template web",
        "out everybody, at most 9 packets a second: packet_rate and byte_rate of template web",
        "out this machine fd39::1/128 udp/53: every instance may use it",
        "not both everybody else: no rule allows it; answers to what is allowed pass",
    ] {
        assert!(rules.iter().any(|rule| rule == expected), "{expected}\n{rules:#?}");
    }
    let of_db = shown(&site.explain(site.db()).rules);
    let named = "in instance 070000000031 (web) fd39::2:1/128 tcp/5432: peers of template web";
    assert!(of_db.iter().any(|rule| rule == named), "{of_db:#?}");
}

#[test]
fn a_client_reaches_its_own_instances_and_open_ports_of_others() {
    let site = Site::new("", "");
    let one = Party::Client(&site.one);
    let own = site.decide(one, Target::Party(site.db()), "tcp/22");
    assert_eq!(said(&own), "allowed: its own instance 070000000032 (db)");
    let other = |ports| said(&site.decide(one, Target::Party(site.web_of_two()), ports));
    assert_eq!(other("tcp/80"), "allowed: open of template web");
    assert_eq!(other(""), "partly: only tcp/80 (open of template web)");
    assert_eq!(
        other("tcp/22"),
        "dropped (pair): instance 070000000033 (web) belongs to client 000000000102, and its template opens no such port; \
         only tcp/80 (open of template web)"
    );
    let two = Party::Client(&site.two);
    let web = said(&site.decide(two, Target::Party(site.web()), "tcp/80"));
    assert!(
        web.starts_with("dropped (pair): instance 070000000031 (web) belongs to client 000000000101"),
        "{web}"
    );
}

#[test]
fn clients_reach_each_other_unless_their_link_keeps_them_apart() {
    let together = Site::new("", "");
    let apart = Site::new("isolate_clients = true", "");
    let said = |site: &Site| said(&site.decide(Party::Client(&site.one), Target::Party(Party::Client(&site.two)), ""));
    assert_eq!(said(&together), "allowed: isolate_clients = false of link br0");
    assert_eq!(said(&apart), "dropped (clients): isolate_clients = true of link br0");
}

#[test]
fn an_instance_reaches_what_its_template_says_and_nothing_else() {
    let site = Site::new(
        "",
        "egress = [\"2000::/3 tcp/443\", \"64:ff9b::/96\"]\npeers = [\"db tcp/5432\"]",
    );
    let from_web = |to, ports| said(&site.decide(site.web(), to, ports));
    let at = |text| Target::Address(address(text));
    assert_eq!(
        from_web(Target::Party(Party::Client(&site.one)), ""),
        "allowed: its own instance 070000000031 (web)"
    );
    assert!(from_web(Target::Party(Party::Client(&site.two)), "").starts_with("dropped (pair): client 000000000102"));
    assert_eq!(
        from_web(Target::Party(site.db()), "tcp/5432"),
        "allowed: peers of template web"
    );
    assert!(from_web(Target::Party(site.db()), "udp/1").starts_with("dropped (pair): template web does not name db"));
    assert!(from_web(Target::Party(site.web_of_two()), "tcp/80").starts_with("dropped (pair): instance 070000000033"));
    assert_eq!(
        from_web(at("2001:db8::1"), "tcp/443"),
        "allowed: egress of template web: 2000::/3"
    );
    assert_eq!(
        from_web(at("64:ff9b::1"), ""),
        "allowed: egress of template web: 64:ff9b::/96"
    );
    assert_eq!(
        from_web(at("2001:db8::1"), "tcp/80"),
        "dropped (egress): no egress of its template holds this address, which is outside of link br0; only tcp/443 (egress of \
         template web: 2000::/3)"
    );
    assert_eq!(from_web(at("fd39::1"), "udp/53"), "allowed: every instance may use it");
    assert!(
        from_web(at("fd39::1"), "tcp/22").starts_with("dropped (host): an instance reaches nothing of this machine")
    );
    assert!(from_web(at("fd39::7:7"), "").starts_with("dropped (pair): nobody has this address of link br0"));
}

#[test]
fn a_link_that_does_not_enforce_says_that_packets_would_be_dropped() {
    let site = Site::new("enforce = false", "");
    let from = Party::Client(&site.two);
    let decision = site.decide(from, Target::Party(site.web()), "tcp/80");
    assert_eq!(
        (decision.verdict, decision.cause),
        (Verdict::WouldBeDropped, Some("pair"))
    );
    assert!(!site.explain(from).links[0].enforce);
}

#[test]
fn what_is_not_checked_is_not_called_allowed() {
    let site = Site::new("", "");
    let settings =
        "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\nisolation = false\n";
    let open = Links::of(
        &orchestrator_settings::parse(settings, std::iter::empty()).unwrap(),
        None,
    );
    let asked = |from| Asked {
        from,
        to: Target::Party(site.web_of_two()),
        ports: None,
    };
    for from in [Party::Client(&site.one), site.web()] {
        let decision = decide(&asked(from), &open, &Policy::new(open.clone()));
        assert_eq!(decision.verdict, Verdict::NotChecked, "{decision:?}");
        let explained = explain(from, &open, &Policy::new(open.clone()));
        assert!(!explained.links[0].isolation);
        assert!(
            shown(&explained.rules)[0].contains("has isolation = false"),
            "{explained:?}"
        );
    }
    let world = site.decide(Party::Client(&site.one), Target::Address(address("2001:db8::1")), "");
    assert_eq!(world.verdict, Verdict::NotChecked);
}

#[test]
fn an_address_is_found_with_its_owner() {
    let site = Site::new("", "");
    let owner = |text| site.applied.owner_of(address(text)).cloned();
    assert_eq!(owner("fd39::1:2"), Some(client(2)));
    assert_eq!(owner("fd77:7::99"), Some(client(1)), "inside of a delegated prefix");
    assert_eq!(owner("fd39::2:3"), Some(client(2)), "of an instance");
    assert_eq!(owner("fd39::9"), None);
}

/// A site whose first client came by a relay agent at the port `tap1`.
fn relayed(link: &str) -> Site {
    let mut site = Site::new(link, "");
    for lease in &mut site.one.leases {
        lease.granted_to.relay = Some(address("fd39::3"));
        lease.granted_to.link_layer = None;
    }
    site.applied.set_owner(&site.one);
    site
}

#[test]
fn a_client_to_whom_nothing_is_bound_is_not_told_that_it_is_allowed() {
    let site = relayed("front_door = \"fd39::d0\"");
    let from = Party::Client(&site.one);
    let explained = site.explain(from);
    let why = "nothing is bound to the client: its lease came by the relay agent fd39::3 at port tap1, which is not in \
               relay_ports of link br0";
    assert_eq!(explained.unbound.as_deref(), Some(why));
    assert!(explained.bindings.is_empty());
    assert!(
        explained.rules.iter().all(|rule| !rule.allowed),
        "{:#?}",
        explained.rules
    );
    assert!(
        explained
            .rules
            .iter()
            .any(|rule| rule.instance == Some(site.one.instances[0].id))
    );
    for to in [Target::Party(site.web()), Target::Address(address("fd39::1"))] {
        assert_eq!(said(&site.decide(from, to, "")), format!("dropped (source): {why}"));
    }
    let back = site.decide(site.web(), Target::Party(from), "");
    assert_eq!(said(&back), format!("dropped (pair): {why}"));
    let of_instance = site.explain(site.web()).rules;
    assert!(
        shown(&of_instance)[0].starts_with("not both its own client"),
        "{:?}",
        shown(&of_instance)
    );
}

#[test]
fn a_client_to_whom_nothing_is_bound_and_whose_source_is_not_checked_reaches_all_but_its_instance() {
    for link in ["neighbors = true", "router_ports = [\"tap1\"]"] {
        let site = relayed(link);
        let from = Party::Client(&site.one);
        let own = site.decide(from, Target::Party(site.web()), "");
        assert_eq!((own.verdict, own.cause), (Verdict::Dropped, Some("pair")), "{link}");
        let host = site.decide(from, Target::Address(address("fd39::1")), "");
        assert_eq!(host.verdict, Verdict::NotChecked, "{link}");
        let rules = site.explain(from).rules;
        assert!(!rules[0].allowed && rules.iter().any(|rule| rule.allowed), "{rules:#?}");
    }
}

#[test]
fn a_client_behind_a_trusted_relay_agent_reaches_its_own_instance() {
    let site = relayed("relay_ports = [\"tap1\"]");
    let from = Party::Client(&site.one);
    assert_eq!(site.explain(from).unbound, None);
    let own = site.decide(from, Target::Party(site.web()), "");
    assert_eq!(own.verdict, Verdict::Allowed);
    assert_eq!(
        site.decide(site.web(), Target::Party(from), "").verdict,
        Verdict::Allowed
    );
}
