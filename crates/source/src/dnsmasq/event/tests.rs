//! Events as dnsmasq 2.90 sends them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// When the hook ran.
const AT: Timestamp = Timestamp(1_700_000_000_000);

const DUID: &str = "00:03:00:01:02:00:5e:10:00:01";

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn variables(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        pair.split_once('=')
            .map(|(name, value)| (format!("DNSMASQ_{name}"), value.to_owned()))
    };
    text.split_whitespace().filter_map(pair).collect()
}

fn read(args: &str, env: &str) -> Result<HookCall, EventError> {
    DnsmasqEvent::read(&words(args), &variables(env), AT)
}

fn event(args: &str, env: &str) -> DnsmasqEvent {
    match read(args, env) {
        Ok(HookCall::Event(event)) => *event,
        other => panic!("{other:?}"),
    }
}

fn added() -> DnsmasqEvent {
    event(
        &format!("add {DUID} fd39::1:7 host-1.example.org"),
        "IAID=12345 SERVER_DUID=00:01:00:01 INTERFACE=br0 LEASE_EXPIRES=1700007200 TIME_REMAINING=7200 \
         MAC=02:00:5e:10:00:01 TAGS=dhcpv6",
    )
}

fn deleted(expires: i64) -> DnsmasqEvent {
    event(
        &format!("del {DUID} fd39::1:7"),
        &format!("IAID=12345 SERVER_DUID=00:01 INTERFACE=br0 LEASE_EXPIRES={expires} DATA_MISSING=1"),
    )
}

#[test]
fn an_added_lease_is_held_from_now_on() {
    let change = added().change(Handed::Live, AT.plus(Duration::from_millis(3)), 0);
    assert_eq!((change.verb, change.replayed), (LeaseVerb::Hold, false));
    assert_eq!(
        (change.link.as_str(), change.iaid, change.source),
        ("br0", Iaid(12345), LeaseSource::Dnsmasq)
    );
    assert_eq!(change.duid.to_string(), DUID);
    assert_eq!(change.leased.to_string(), "fd39::1:7");
    assert_eq!(change.hostname.as_deref(), Some("host-1.example.org"));
    assert_eq!(change.link_layer.unwrap().to_string(), "02:00:5e:10:00:01");
    assert_eq!(
        (change.at, change.valid_until),
        (AT, AT.plus(Duration::from_secs(7200)))
    );
    assert_eq!(change.preferred_until, change.valid_until);
}

#[test]
fn old_and_spooled_events_are_replayed() {
    let old = event(
        &format!("old {DUID} fd39::1:7"),
        "IAID=1 SERVER_DUID=00 INTERFACE=br0 LEASE_EXPIRES=1700007200 TIME_REMAINING=7200 DATA_MISSING=1",
    );
    let change = old.change(Handed::Live, AT, 0);
    assert_eq!((change.verb, change.replayed), (LeaseVerb::Hold, true));
    assert!(added().change(Handed::Spooled, AT, 0).replayed);
    assert!(deleted(1_700_000_900).change(Handed::Spooled, AT, 0).replayed);
}

#[test]
fn a_deletion_at_the_end_of_the_lease_is_an_expiry() {
    for (expires, verb) in [
        (1_699_999_990, LeaseVerb::Expire),
        (1_700_000_000, LeaseVerb::Expire),
        (1_700_000_001, LeaseVerb::Expire),
        (1_700_000_002, LeaseVerb::Release),
        (0, LeaseVerb::Release),
    ] {
        let change = deleted(expires).change(Handed::Live, AT, 0);
        assert_eq!(
            (change.verb, change.valid_until, change.replayed),
            (verb, AT, false),
            "{expires}"
        );
    }
}

#[test]
fn a_lease_without_end_has_none() {
    let endless = event(
        &format!("add {DUID} fd39::1:7"),
        "IAID=1 SERVER_DUID=00 INTERFACE=br0 LEASE_EXPIRES=0",
    );
    assert_eq!(endless.change(Handed::Live, AT, 0).valid_until.to_string(), "never");
}

#[test]
fn a_dnsmasq_without_a_clock_tells_spans() {
    let event = |verb: &str, variables: &str| {
        let env = format!("IAID=1 SERVER_DUID=00 INTERFACE=br0 {variables}");
        event(&format!("{verb} {DUID} fd39::1:7"), &env)
    };
    for (variables, seconds) in [
        ("LEASE_LENGTH=7200 TIME_REMAINING=1800", Some(1800)),
        ("LEASE_LENGTH=7200", Some(7200)),
        ("LEASE_LENGTH=0", None),
        ("LEASE_LENGTH=4294967295", None),
        // dnsmasq sends one of the two. The date takes precedence over the length.
        ("LEASE_LENGTH=7200 LEASE_EXPIRES=1700000060", Some(60)),
    ] {
        let until = seconds.map_or(Timestamp(i64::MAX), |seconds| AT.plus(Duration::from_secs(seconds)));
        // This holds even if the event is read an hour after its hook ran.
        for now in [AT, AT.plus(Duration::from_secs(3600))] {
            let change = event("old", variables).change(Handed::Spooled, now, 0);
            assert_eq!((change.at, change.valid_until), (AT, until), "{variables}");
        }
    }
    let end = event("del", "LEASE_LENGTH=7200");
    assert!(end.is_end_of_unknown_kind());
    assert!(!event("del", "LEASE_EXPIRES=0").is_end_of_unknown_kind());
    assert_eq!(end.change(Handed::Live, AT, 0).verb, LeaseVerb::Release);
}

#[test]
fn an_interface_is_needed_where_a_lease_begins() {
    let without = "IAID=1 SERVER_DUID=00 LEASE_EXPIRES=1";
    let old = event(&format!("old {DUID} fd39::1:7"), without);
    assert!(old.is_premature() && old.link().is_none());
    let del = event(&format!("del {DUID} fd39::1:7"), without);
    assert!(!del.is_premature());
    assert_eq!(del.on_link("br1").link(), Some("br1"));
    // This holds for the sent and stored format, too.
    let json = serde_json::to_string(&added()).unwrap().replace("\"br0\"", "\"\"");
    assert!(serde_json::from_str::<DnsmasqEvent>(&json).is_err());
    let json = json.replace("\"add\"", "\"del\"");
    assert!(serde_json::from_str::<DnsmasqEvent>(&json).is_ok());
}

#[test]
fn a_clock_that_was_set_moves_neither_event_nor_lease() {
    // The wall clock was set an hour forward after the daemon started.
    let hour = 3_600_000;
    let now = Timestamp(AT.0 - hour);
    let change = added().change(Handed::Live, now, hour);
    assert_eq!(
        (change.at, change.valid_until),
        (now, now.plus(Duration::from_secs(7200)))
    );
    // An event from the future happened now at the latest.
    let change = added().change(Handed::Live, now, 0);
    assert_eq!(change.at, now);
}

#[test]
fn what_is_no_business_of_ours_is_ignored_with_a_reason() {
    for (args, env, reason) in [
        ("init", "", "dnsmasq starts"),
        (
            "add 02:00:5e:10:00:01 192.0.2.7 host",
            "INTERFACE=br0 LEASE_EXPIRES=1",
            "a DHCPv4 lease",
        ),
        ("del 06-02:00:5e:10:00:01 192.0.2.7", "", "a DHCPv4 lease"),
        (
            "add 00:03:00:01 fd39::1:7",
            "IAID=T12345 SERVER_DUID=00",
            "a temporary address",
        ),
        ("tftp 516 192.0.2.7 /file", "", "\"tftp\" is no event of a lease"),
        (
            "arp-add 02:00:5e:10:00:01 fd39::9",
            "",
            "\"arp-add\" is no event of a lease",
        ),
    ] {
        match read(args, env) {
            Ok(HookCall::Ignored(ignored)) => assert_eq!(ignored.to_string(), reason),
            other => panic!("{args}: {other:?}"),
        }
    }
}

#[test]
fn what_is_missing_or_unreadable_is_named() {
    let good = "IAID=1 SERVER_DUID=00 INTERFACE=br0 LEASE_EXPIRES=1";
    let add = format!("add {DUID} fd39::1:7");
    for (args, env, fault) in [
        (
            "",
            good,
            "dnsmasq gave no verb; run this as its dhcp-script and not by hand",
        ),
        (
            "add",
            good,
            "dnsmasq gave no DUID; run this as its dhcp-script and not by hand",
        ),
        (
            "add zz fd39::1",
            good,
            "dnsmasq gave \"zz\" as the client's DUID, which is not valid; is this dnsmasq newer than this program?",
        ),
        (
            &add,
            "SERVER_DUID=00",
            "dnsmasq gave no DNSMASQ_IAID; run this as its dhcp-script and not by hand",
        ),
        (
            &add,
            "IAID=1 INTERFACE=br0",
            "dnsmasq gave no DNSMASQ_LEASE_EXPIRES; run this as its dhcp-script and not by hand",
        ),
        (
            &add,
            "IAID=1 LEASE_EXPIRES=1",
            "dnsmasq gave no DNSMASQ_INTERFACE; run this as its dhcp-script and not by hand",
        ),
        (
            &format!("add {DUID} fd40::/56"),
            good,
            "dnsmasq gave \"fd40::/56\" as the leased address, which is not valid; is this dnsmasq newer than this program?",
        ),
        (
            &format!("add {DUID} ff02::1"),
            good,
            "dnsmasq gave \"ff02::1\" as the leased address, which is not valid; is this dnsmasq newer than this program?",
        ),
    ] {
        assert_eq!(read(args, env).unwrap_err().to_string(), fault);
    }
}

#[test]
fn a_strange_name_is_left_out() {
    let mut args = words(&format!("add {DUID} fd39::1:7"));
    args.push("<script>".to_owned());
    let env = variables("IAID=1 SERVER_DUID=00 INTERFACE=br0 LEASE_EXPIRES=1 MAC=xyz");
    match DnsmasqEvent::read(&args, &env, AT) {
        Ok(HookCall::Event(event)) => assert_eq!((event.hostname, event.link_layer), (None, None)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn written_and_read_back() {
    let json = serde_json::to_string(&added()).unwrap();
    assert_eq!(
        json,
        r#"{"version":1,"verb":"add","duid":"00:03:00:01:02:00:5e:10:00:01","iaid":12345,"address":"fd39::1:7","#
            .to_owned()
            + r#""interface":"br0","expires":"2023-11-15T00:13:20.000Z","remaining":7200,"link_layer":"02:00:5e:10:00:01","#
            + r#""hostname":"host-1.example.org","at":"2023-11-14T22:13:20.000Z"}"#
    );
    assert_eq!(serde_json::from_str::<DnsmasqEvent>(&json).unwrap(), added());
}

#[test]
fn what_was_written_otherwise_is_refused() {
    let json = serde_json::to_string(&added()).unwrap();
    for (from, to, fault) in [
        (
            "\"version\":1",
            "\"version\":2",
            "the event has form 2, and form 1 is the only one known here; update the daemon",
        ),
        (
            "\"br0\"",
            "\"a-name-too-long-for-a-link\"",
            "dnsmasq gave \"a-name-too-long-for-a-link\" as the interface",
        ),
        ("host-1.example.org", "a b", "dnsmasq gave \"a b\" as the host name"),
        ("fd39::1:7", "::", "dnsmasq gave \"::\" as the leased address"),
    ] {
        let error = serde_json::from_str::<DnsmasqEvent>(&json.replace(from, to))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(fault), "{error}");
    }
}

/// Usually a text that dnsmasq sends, sometimes one that it never would.
fn mostly(pattern: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![9 => pattern, 1 => "\\PC{0,20}"]
}

prop_compose! {
    fn any_environment()(
        iaid in mostly("T?[0-9]{1,9}"),
        expires in mostly("[0-9]{0,15}"),
        remaining in mostly("[0-9]{0,10}"),
        length in mostly("[0-9]{0,10}"),
        mac in mostly("([0-9a-f]{2}-)?[0-9a-f]{2}(:[0-9a-f]{2}){0,22}"),
        interface in mostly("[a-z0-9]{0,16}"),
        left_out in prop::sample::select(vec![
            "", "IAID", "LEASE_EXPIRES", "LEASE_LENGTH", "TIME_REMAINING", "MAC", "INTERFACE",
        ]),
    ) -> BTreeMap<String, String> {
        let all = [
            ("IAID", iaid), ("LEASE_EXPIRES", expires), ("TIME_REMAINING", remaining), ("LEASE_LENGTH", length), ("MAC", mac),
            ("INTERFACE", interface),
        ];
        let given = all.into_iter().filter(|(name, _)| *name != left_out);
        given.map(|(name, value)| (format!("DNSMASQ_{name}"), value)).collect()
    }
}

proptest! {
    #[test]
    fn nothing_dnsmasq_could_say_makes_it_panic(
        args in (mostly("add|old|del"), mostly("[0-9a-f]{2}(:[0-9a-f]{2}){1,131}"), mostly("fd39::[0-9a-f]{1,4}"), mostly("[a-z.]{0,260}")),
        count in 0usize..=4,
        env in any_environment(),
        wall_offset in any::<i64>(),
        now in any::<i64>(),
    ) {
        let args: Vec<String> = [args.0, args.1, args.2, args.3].into_iter().take(count.max(1)).collect();
        if let Ok(HookCall::Event(event)) = DnsmasqEvent::read(&args, &env, AT) {
            let json = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(&serde_json::from_str::<DnsmasqEvent>(&json).unwrap(), &*event);
            prop_assert!(json.len() <= super::super::spool::LARGEST);
            let change = event.change(Handed::Live, Timestamp(now), wall_offset);
            prop_assert!(change.at <= Timestamp(now));
        }
    }
}
