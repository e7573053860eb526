//! Every documented key, overridden by the environment.

use std::collections::BTreeSet;

use config::ValueKind;

use super::*;

/// For every documented key, a value that differs from the documented one, as text of a variable.
pub(super) const OTHER: &[(&str, &str)] = &[
    ("STORE__URL", "postgres://me@db/other"),
    ("STORE__IDENTITY", "/other"),
    ("STORE__HISTORY", "31d"),
    ("SECRETS__KEY_FILE", "/other"),
    ("VOLUMES__DIRECTORY", "/other"),
    ("LIMITS__INSTANCES", "9"),
    ("LIMITS__MEMORY", "8GiB"),
    ("LIMITS__CPUS", "1.5"),
    ("LIMITS__PIDS", "9"),
    ("LIMITS__DISK", "64GiB"),
    ("LIMITS__CLIENT_INSTANCES", "9"),
    ("LIMITS__CLIENT_CREATIONS", "none"),
    ("LIMITS__PORT_SHARE", "0.5"),
    ("LIMITS__QUEUE", "9"),
    ("IMAGES__UNUSED", "31d"),
    ("IMAGES__KEEP", "2"),
    ("API__LISTEN", "unix:/run/other.sock, 127.0.0.1:1"),
    ("API__GROUP", "staff"),
    ("API__TLS__NAMES", "one.example,two.example"),
    ("LOG__LEVEL", "debug"),
    ("LOG__FORMAT", "json"),
    ("ENGINE__DOCKER__KIND", "other"),
    ("ENGINE__DOCKER__HOST", "unix:///run/other.sock"),
    ("ENGINE__DOCKER__TIMEOUT", "31s"),
    ("ENGINE__DOCKER__STARTS", "9"),
    ("ENGINE__DOCKER__LOG_SIZE", "2MiB"),
    ("ENGINE__DOCKER__LOG_FILES", "3"),
    ("SOURCE__LISTENER__RELAYS", "eth0,eth1"),
    ("SOURCE__LISTENER__RELAY_OPTIONS", "65,23"),
    ("SOURCE__DNSMASQ__SPOOL", "/other"),
    ("METADATA__ADDRESS", "fd12::1"),
    ("DNS__ZONE", "lan.example"),
    ("DNS__ALIASES", "service.consul"),
    ("DNS__TTL", "7s"),
    ("DNS__RATE", "7"),
    ("DNS__FORWARD", "9.9.9.9,2620:fe::fe"),
    ("DNS__LISTEN", "[::1]:5354"),
    ("HOST__NAME", "edge"),
    ("HOST__ROLES", "public,batch"),
    ("OPTIONS__DNS_SERVERS", "fd39::53"),
    ("OPTIONS__DOMAIN_SEARCH", "example.org"),
    ("OPTIONS__NTP_SERVERS", "fd39::7b,ntp.example.org"),
    ("OPTIONS__SNTP_SERVERS", "fd39::7b"),
    ("OPTIONS__CAPTIVE_PORTAL", "https://portal.example.org/api"),
    ("OPTIONS__BOOT_FILE_URL", "http://boot.example.org/a"),
    ("OPTIONS__BOOT_FILE_PARAMETERS", "a,b"),
    ("OPTIONS__SOLICIT_MAX_RT", "2h"),
    ("OPTIONS__INFORMATION_MAX_RT", "2h"),
    ("OPTIONS__INFORMATION_REFRESH_TIME", "2h"),
    ("OPTIONS__OPTION__0__CODE", "41"),
    ("OPTIONS__OPTION__0__TYPE", "u8"),
    ("OPTIONS__OPTION__0__VALUE", "7"),
    ("OPTIONS__VENDOR_OPTION__0__ENTERPRISE", "9"),
    ("OPTIONS__VENDOR_OPTION__0__CODE", "2"),
    ("OPTIONS__VENDOR_OPTION__0__TYPE", "hex"),
    ("OPTIONS__VENDOR_OPTION__0__VALUE", "00ff"),
    ("LINK__0__PREFERENCE", "9"),
    ("LINK__0__QUARANTINE", "2h"),
    ("LINK__0__CAPTIVE_PORTAL", "https://portal.example.org/api"),
    ("LINK__0__OPTION__0__CODE", "41"),
    ("CLASS__0__NAME", "c"),
    ("CLASS__0__TEMPLATE", "default"),
    ("CLASS__0__BOOT_FILE_URL", "http://boot.example.org/a"),
    ("CLASS__0__MATCH__VENDOR_ENTERPRISE", "9"),
    ("CLASS__0__MATCH__VENDOR_CLASS", "a*"),
    ("CLASS__0__MATCH__USER_CLASS", "a*"),
    ("CLASS__0__MATCH__ARCHITECTURE", "7,9"),
    ("CLASS__0__MATCH__LINK_LAYER_ADDRESS", "02:00:5e"),
    ("CLASS__0__MATCH__REMOTE_ENTERPRISE", "9"),
    ("CLASS__0__MATCH__REMOTE_ID", "0x00*"),
    ("CLASS__0__MATCH__INTERFACE_ID", "a"),
    ("CLASS__0__MATCH__SUBSCRIBER_ID", "a"),
    ("LINK__0__RESERVATION__0__DUID", "00:03:00:01:02"),
    ("LINK__0__RESERVATION__0__LINK_LAYER_ADDRESS", "02:00:5e:10:00:01"),
    ("LINK__0__RESERVATION__0__REMOTE_ID", "port-7"),
    ("LINK__0__RESERVATION__0__INTERFACE_ID", "0x0007"),
    ("LINK__0__CLASS_POOL__0__CLASS", "a"),
    ("LINK__0__CLASS_POOL__0__POOL", "fd39:9706:2786:6333::7:0/112"),
    ("LINK__0__DELEGATION__0__CLASS", "a"),
    ("LINK__0__BRIDGE", "br7"),
    ("LINK__0__CREATE", "false"),
    ("LINK__0__ADDRESS", "fd39:9706:2786:6333::2/64"),
    ("LINK__0__SOURCE", "dnsmasq"),
    ("LINK__0__POOL", "fd39:9706:2786:6333::3:0/112"),
    ("LINK__0__ALLOCATION", "sequential"),
    ("LINK__0__INSTANCES", "fd39:9706:2786:6333::4:0/112"),
    ("LINK__0__PREFERRED_LIFETIME", "61m"),
    ("LINK__0__VALID_LIFETIME", "3h"),
    ("LINK__0__CLIENT_RATE", "7"),
    ("LINK__0__LINK_RATE", "7"),
    ("LINK__0__RAPID_COMMIT", "false"),
    ("LINK__0__REGISTRATION", "false"),
    ("LINK__0__RECONFIGURE", "false"),
    ("LINK__0__LEARN_PORTS", "false"),
    ("LINK__0__LIMITS__INSTANCES", "9"),
    ("LINK__0__LIMITS__CLIENT_INSTANCES", "9"),
    ("LINK__0__LIMITS__PORT_INSTANCES", "9"),
    ("LINK__0__LIMITS__CREATIONS", "9"),
    ("LINK__0__LIMITS__IDENTITIES", "9"),
    ("LINK__0__NEIGHBORS", "true"),
    ("LINK__0__NEIGHBOR_LIFETIME", "11m"),
    ("LINK__0__NEIGHBOR_LIMIT", "7"),
    ("LINK__0__ROUTER_ADVERTISEMENTS", "false"),
    ("LINK__0__DNS", "false"),
    ("LINK__0__DNS_SERVERS", "fd39::53,fd39::54"),
    ("LINK__0__DNS_SERVERS__0", "fd39::53"),
    ("LINK__0__DOMAIN_SEARCH", "example.org"),
    ("LINK__0__TEMPLATE", "other"),
    ("LINK__0__ISOLATION", "true"),
    ("LINK__0__ENFORCE", "false"),
    ("LINK__0__ISOLATE_CLIENTS", "true"),
    ("LINK__0__BIND_PORTS", "true"),
    ("LINK__0__IPV4", "false"),
    ("LINK__0__TRUSTED_PORTS", "eth1,eth2"),
    ("LINK__0__ROUTER_PORTS", "eth3"),
    ("LINK__0__RELAY_PORTS", "eth4"),
    ("LINK__0__FRONT_DOOR", "fd39:9706:2786:6333::d0"),
    ("LINK__0__PORTAL", "fd39:9706:2786:6333::d1"),
    ("LINK__0__ADVERTISEMENT__MANAGED", "false"),
    ("LINK__0__ADVERTISEMENT__OTHER", "false"),
    ("LINK__0__ADVERTISEMENT__ROUTER_LIFETIME", "31m"),
    ("LINK__0__ADVERTISEMENT__PREFERENCE", "high"),
    ("LINK__0__ADVERTISEMENT__MAX_INTERVAL", "9m"),
    ("LINK__0__ADVERTISEMENT__MIN_INTERVAL", "3m"),
    ("LINK__0__ADVERTISEMENT__HOP_LIMIT", "63"),
    ("LINK__0__ADVERTISEMENT__MTU", "1400"),
    ("LINK__0__ADVERTISEMENT__REACHABLE_TIME", "30s"),
    ("LINK__0__ADVERTISEMENT__RETRANSMISSION_TIME", "1s"),
    ("LINK__0__ADVERTISEMENT__DNS_LIFETIME", "31m"),
    ("LINK__0__ADVERTISEMENT__NAT64_PREFIX", "64:ff9b::/96"),
    ("LINK__0__ADVERTISEMENT__NAT64_LIFETIME", "31m"),
    ("LINK__0__ADVERTISEMENT__PREFIX__0__PREFIX", "fd39::/64"),
    ("LINK__0__ADVERTISEMENT__PREFIX__0__ON_LINK", "false"),
    ("LINK__0__ADVERTISEMENT__PREFIX__0__AUTONOMOUS", "true"),
    ("LINK__0__ADVERTISEMENT__PREFIX__0__DELEGATION_PREFERRED", "false"),
    ("LINK__0__ADVERTISEMENT__PREFIX__0__VALID_LIFETIME", "3h"),
    ("LINK__0__ADVERTISEMENT__PREFIX__0__PREFERRED_LIFETIME", "90m"),
    ("LINK__0__DELEGATION__0__POOL", "fd39:9706:2788::/48"),
    ("LINK__0__DELEGATION__0__LENGTH", "60"),
    ("LINK__0__DELEGATION__0__EXCLUDE", "::/72"),
    ("TEMPLATE__DEFAULT__ENGINE", "other"),
    ("TEMPLATE__DEFAULT__IMAGE", "other"),
    ("TEMPLATE__DEFAULT__COMMAND", "sleep, 10"),
    ("TEMPLATE__DEFAULT__ENVIRONMENT__TZ", "UTC"),
    ("TEMPLATE__DEFAULT__VALUES__A", "b"),
    ("TEMPLATE__DEFAULT__CLIENT_MAY", "restart,extend"),
    ("TEMPLATE__DEFAULT__CAPABILITIES", "NET_RAW"),
    ("TEMPLATE__DEFAULT__MEMORY", "none"),
    ("TEMPLATE__DEFAULT__CPUS", "1.5"),
    ("TEMPLATE__DEFAULT__PIDS", "129"),
    ("TEMPLATE__DEFAULT__READY__TCP", "81"),
    ("TEMPLATE__DEFAULT__READY__WITHIN", "11s"),
    ("TEMPLATE__DEFAULT__READY__EVERY", "0s"),
    ("TEMPLATE__DEFAULT__READY__FAILURES", "4"),
    ("TEMPLATE__DEFAULT__READY__RESTARTS", "0"),
    ("TEMPLATE__DEFAULT__GRACE", "0s"),
    ("TEMPLATE__DEFAULT__KEEP", "1d"),
    ("TEMPLATE__DEFAULT__LIFETIME", "2h"),
    ("TEMPLATE__DEFAULT__IDLE", "30m"),
    ("TEMPLATE__DEFAULT__WARN", "10m"),
    ("TEMPLATE__DEFAULT__AGAIN", "10m"),
    ("TEMPLATE__DEFAULT__EXTEND_BY", "10m"),
    ("TEMPLATE__DEFAULT__EXTEND_TIMES", "5"),
    ("TEMPLATE__DEFAULT__ISOLATED", "false"),
    ("TEMPLATE__DEFAULT__NETWORKS", "storage"),
    ("TEMPLATE__DEFAULT__EGRESS", "2000::/3 tcp/443,64:ff9b::/96"),
    ("TEMPLATE__DEFAULT__NAT", "true"),
    ("TEMPLATE__DEFAULT__OPEN", "tcp/80,udp/5000-5010"),
    ("TEMPLATE__DEFAULT__PEERS", "other"),
    ("TEMPLATE__DEFAULT__FRONT_DOOR_PORTS", "tcp/80"),
    ("TEMPLATE__DEFAULT__PACKET_RATE", "7"),
    ("TEMPLATE__DEFAULT__BYTE_RATE", "1MiB"),
    ("TEMPLATE__DEFAULT__INSTANCES", "9"),
    ("TEMPLATE__OTHER__IMAGE", "other"),
    ("NETWORK__0__NAME", "other"),
    ("NETWORK__0__BRIDGE", "br9"),
    ("NETWORK__0__CREATE", "false"),
    ("NETWORK__0__ADDRESS", "fd39:9706:2786:7000::1/64"),
    ("NETWORK__0__PREFIX", "fd39:9706:2786:7000::/64"),
    ("NETWORK__0__INSTANCES", "fd39:9706:2786:7000::1:0/112"),
    ("NETWORK__0__ISOLATED", "true"),
    ("NETWORK__0__MTU", "9000"),
    ("ACME__TERMS_AGREED", "true"),
    ("ACME__DIRECTORY", "https://ca.example/directory"),
    ("ACME__EMAIL", "admin@example.org"),
    ("ACME__TRUST", "/other"),
    ("LINK__1__BRIDGE", "br1"),
    ("LINK__1__NAME", "dorm"),
];

/// Variables that need further ones to take effect; an asterisk stands for any ending.
const BESIDES: &[(&str, &[&str])] = &[
    ("LINK__0__NEIGHBOR_LIFETIME", &["LINK__0__NEIGHBORS=true"]),
    ("LINK__0__NEIGHBOR_LIMIT", &["LINK__0__NEIGHBORS=true"]),
    ("LINK__0__SOURCE", &["LINK__0__BRIDGE=br7"]),
    ("LINK__0__ENFORCE", &ISOLATED),
    ("LINK__0__ISOLATE_CLIENTS", &ISOLATED),
    ("LINK__0__BIND_PORTS", &ISOLATED),
    ("LINK__0__IPV4", &ISOLATED),
    ("LINK__0__TRUSTED_PORTS", &ISOLATED),
    ("LINK__0__ROUTER_PORTS", &ISOLATED),
    ("LINK__0__RELAY_PORTS", &ISOLATED),
    ("LINK__0__FRONT_DOOR", &ISOLATED),
    ("LINK__0__PORTAL", &ISOLATED),
    ("TEMPLATE__DEFAULT__NAT", &["TEMPLATE__DEFAULT__EGRESS=2000::/3"]),
    ("LINK__0__TEMPLATE", &["TEMPLATE__OTHER__IMAGE=other"]),
    (
        "LINK__1__BRIDGE",
        &["LINK__1__ADDRESS=fd40::1/64", "LINK__1__POOL=fd40::1:0/112"],
    ),
    (
        "LINK__1__NAME",
        &[
            "SOURCE__LISTENER__RELAYS=eth0",
            "LINK__1__PREFIX=fd40::/64",
            "LINK__1__POOL=fd40::1:0/112",
        ],
    ),
    (
        "LINK__0__OPTION__0__CODE",
        &["LINK__0__OPTION__0__TYPE=string", "LINK__0__OPTION__0__VALUE=a"],
    ),
    (
        "OPTIONS__OPTION__0__CODE",
        &["OPTIONS__OPTION__0__TYPE=string", "OPTIONS__OPTION__0__VALUE=a"],
    ),
    (
        "OPTIONS__OPTION__0__TYPE",
        &["OPTIONS__OPTION__0__CODE=41", "OPTIONS__OPTION__0__VALUE=7"],
    ),
    (
        "OPTIONS__OPTION__0__VALUE",
        &["OPTIONS__OPTION__0__CODE=41", "OPTIONS__OPTION__0__TYPE=u16"],
    ),
    ("OPTIONS__VENDOR_OPTION__0*", &VENDOR_OPTION),
    ("CLASS__0*", &CLASS),
    (
        "LINK__0__RESERVATION__0__REMOTE_ID",
        &["LINK__0__RESERVATION__0__REMOTE_ENTERPRISE=9"],
    ),
    (
        "LINK__0__RESERVATION__0*",
        &[
            "LINK__0__RESERVATION__0__ADDRESS=fd39:9706:2786:6333::7",
            "LINK__0__RESERVATION__0__PREFIX=fd60::/56",
        ],
    ),
    ("LINK__0__DELEGATION__0__CLASS", &CLASS),
    ("TEMPLATE__DEFAULT__NETWORKS", &NETWORK),
    (
        "NETWORK__0__PREFIX",
        &[
            "NETWORK__0__NAME=storage",
            "NETWORK__0__INSTANCES=fd39:9706:2786:7000::1:0/112",
        ],
    ),
    ("ACME__*", &["ACME__TERMS_AGREED=true"]),
    ("NETWORK__0__NAME", &NETWORK),
    ("NETWORK__0__BRIDGE", &NETWORK),
    ("NETWORK__0__CREATE", &NETWORK),
    ("NETWORK__0__ADDRESS", &NETWORK),
    ("NETWORK__0__INSTANCES", &NETWORK),
    ("NETWORK__0__ISOLATED", &NETWORK),
    ("NETWORK__0__MTU", &NETWORK),
    ("LINK__0__CLASS_POOL__0*", &CLASS_POOL),
];

/// A link whose packets are checked.
const ISOLATED: [&str; 1] = ["LINK__0__ISOLATION=true"];

/// A network.
const NETWORK: [&str; 3] = [
    "NETWORK__0__NAME=storage",
    "NETWORK__0__ADDRESS=fd39:9706:2786:7000::1/64",
    "NETWORK__0__INSTANCES=fd39:9706:2786:7000::1:0/112",
];

/// A class.
const CLASS: [&str; 2] = ["CLASS__0__NAME=a", "CLASS__0__MATCH__USER_CLASS=b"];

/// A class and its pool.
const CLASS_POOL: [&str; 4] = [
    "CLASS__0__NAME=a",
    "CLASS__0__MATCH__USER_CLASS=b",
    "LINK__0__CLASS_POOL__0__CLASS=a",
    "LINK__0__CLASS_POOL__0__POOL=fd39:9706:2786:6333::8:0/112",
];

/// A vendor option that lacks only the key that is overridden.
const VENDOR_OPTION: [&str; 4] = [
    "OPTIONS__VENDOR_OPTION__0__ENTERPRISE=311",
    "OPTIONS__VENDOR_OPTION__0__CODE=1",
    "OPTIONS__VENDOR_OPTION__0__TYPE=string",
    "OPTIONS__VENDOR_OPTION__0__VALUE=00",
];

/// The further variables that a variable needs.
pub(super) fn besides(variable: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_meant = move |of: &str| of == variable || of.strip_suffix('*').is_some_and(|of| variable.starts_with(of));
    let meant = BESIDES.iter().filter(move |(of, _)| is_meant(of));
    let pairs = meant.flat_map(|(_, besides)| besides.iter().filter_map(|pair| pair.split_once('=')));
    pairs.filter(move |(name, _)| *name != variable)
}

#[test]
fn every_documented_key_can_be_overridden_by_the_environment() {
    let documented = load_text(DOCUMENTED, &[]).unwrap();
    // A link of dnsmasq takes fewer keys.
    let for_dnsmasq: String = DOCUMENTED
        .lines()
        .filter(|line| {
            ![
                "preferred_",
                "valid_",
                "rapid_",
                "registration",
                "reconfigure",
                "learn_ports",
                "client_rate",
                "link_rate",
                "allocation",
                "isolation",
                "enforce",
                "isolate_clients",
                "bind_ports",
                "ipv4",
                "trusted_ports",
                "router_ports",
                "relay_ports",
                "preference = 255",
                "quarantine",
            ]
            .iter()
            .any(|key| line.starts_with(key))
        })
        .filter(|line| {
            let of_pool = ["[[link.delegation]]", "pool = \"fd39:9706:2787", "length"];
            !of_pool.iter().any(|key| line.starts_with(key))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for (variable, value) in OTHER.iter().copied() {
        let mut env = vec![(format!("{PREFIX}{variable}"), value.to_owned())];
        env.extend(besides(variable).map(|(name, value)| (format!("{PREFIX}{name}"), value.to_owned())));
        let text = if variable.ends_with("SOURCE") {
            &for_dnsmasq
        } else {
            DOCUMENTED
        };
        match read(tree::from_toml(text).unwrap(), env.into_iter(), KINDS) {
            Ok(settings) => assert_ne!(settings, documented, "{variable}"),
            // There is no other engine and no such kind: that the variable was read shows by its being refused.
            Err(faults) if variable == "ENGINE__DOCKER__KIND" => assert_eq!(
                faults.to_string(),
                "engine.docker.kind (ORCHESTRATOR__ENGINE__DOCKER__KIND): \"other\" is not known here; write \"docker\", \"podman\", \"oci\" or \"exec\""
            ),
            Err(faults) => assert_eq!(
                faults.to_string(),
                "template.default.engine (ORCHESTRATOR__TEMPLATE__DEFAULT__ENGINE): \"other\" is not known here; write \"docker\""
            ),
        }
    }
}

#[test]
fn the_list_of_documented_keys_is_complete() {
    let mut documented = BTreeSet::new();
    keys(
        &tree::from_toml(DOCUMENTED).unwrap().kind,
        String::new(),
        &mut documented,
    );
    let overridden: BTreeSet<&str> = OTHER.iter().map(|(variable, _)| *variable).collect();
    for key in documented {
        assert!(overridden.contains(key.as_str()), "{key}");
    }
}

fn keys(kind: &ValueKind, path: String, found: &mut BTreeSet<String>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_uppercase()
        } else {
            format!("{path}__{}", key.to_uppercase())
        }
    };
    match kind {
        ValueKind::Table(table) if path.ends_with("ENVIRONMENT") || path.ends_with("VALUES") => {
            assert!(table.is_empty())
        }
        ValueKind::Table(table) => table
            .iter()
            .for_each(|(key, value)| keys(&value.kind, below(key), found)),
        ValueKind::Array(list)
            if list
                .first()
                .is_some_and(|first| matches!(first.kind, ValueKind::Table(_))) =>
        {
            keys(&list[0].kind, below("0"), found)
        }
        _ => {
            found.insert(path);
        }
    }
}
