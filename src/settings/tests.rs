//! The settings as a whole: the documented file, what people read when something is wrong, overriding.

use std::collections::BTreeSet;

use config::ValueKind;
use proptest::prelude::*;

use super::*;
use crate::model::LeaseSource;

const DOCUMENTED: &str = include_str!("../../settings.toml");

const LINK: &str = r#"
    [[link]]
    bridge = "br0"
    address = "fd39::1/64"
    pool = "fd39::1:0/112"
"#;

fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Settings, Faults> {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    read(tree::from_toml(text).unwrap(), env)
}

/// What people read, line by line.
fn faults_of(text: &str) -> Vec<String> {
    load_text(text, &[])
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_documented_file_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("settings.toml");
    let settings = load(&path, std::iter::empty()).unwrap();
    assert_eq!(settings, load_text(DOCUMENTED, &[]).unwrap());
    let link = &settings.links[0];
    assert_eq!((link.bridge.as_str(), link.source), ("br0", LeaseSource::Listener));
    assert_eq!(link.prefix().to_string(), "fd39:9706:2786:6333::/64");
    let ready = settings.templates["default"].ready.unwrap();
    assert_eq!(
        ready,
        Readiness {
            tcp: 80,
            within: std::time::Duration::from_secs(10)
        }
    );
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let documented = load_text(DOCUMENTED, &[]).unwrap();
    let least = load_text(
        r#"
        [[link]]
        bridge = "br0"
        create = true
        address = "fd39:9706:2786:6333::1/64"
        pool = "fd39:9706:2786:6333::1:0/112"
        instances = "fd39:9706:2786:6333::2:0/112"
        template = "default"
        [template.default]
        image = "orchestrator/client"
        capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT"]
        ready = { tcp = 80 }
        "#,
        &[],
    );
    assert_eq!(least.unwrap(), documented);
}

#[test]
fn nothing_is_enough() {
    let settings = load_text("", &[]).unwrap();
    assert!(settings.links.is_empty() && settings.templates.is_empty());
}

#[test]
fn all_faults_are_told_together() {
    let faults = faults_of(
        r#"
        colour = "blue"
        [store]
        url = "orchestrator.db"
        [api]
        listen = ["0.0.0.0:8998"]
        [[link]]
        brige = "br0"
        address = "fd39::1/64"
        pool = "fd40::/112"
        template = "defualt"
        create = "yes"
        [template.default]
        plugin = "dokcer"
        memory = "1MiB"
        cpus = 0
        ready = { tcp = 80, within = "0s" }
        "#,
    );
    let expected = [
        "store.url: is not a URL; write it like \"sqlite:///var/lib/orchestrator/orchestrator.db\" or \"postgres://user@host/database\"",
        "api.listen[0]: 0.0.0.0:8998 can be reached from elsewhere, and the API asks nobody who they are; \
         write it like \"unix:/run/orchestrator/api.sock\" or \"[::1]:8998\"",
        "link[0].bridge: is missing; name the bridge that the clients are on, like \"br0\"",
        "link[0].create: is text, not true or false without quotes; write true or false without quotes",
        "link[0].pool: fd40::/112 is not inside the link's prefix fd39::/64; take a range inside fd39::/64",
        "link[0].instances: is missing, and the template's instances need addresses; \
         name a range inside the link's prefix, like \"fd39:9706:2786:6333::2:0/112\"",
        "link[0].brige: is not a key that is known here; did you mean \"bridge\"?",
        "template.default.plugin: \"dokcer\" is not known here; did you mean \"docker\"?",
        "template.default.image: is missing; name an image that the engine has, like \"orchestrator/client\"",
        "template.default.memory: 1MiB is out of bounds; take \"6MiB\" to \"16TiB\", or \"none\"",
        "template.default.cpus: 0 is out of bounds; take 0.01 to 1024",
        "template.default.ready.within: 0s is too short; take at least 1ms",
        "link[0].template: there is no template \"defualt\"; did you mean \"default\"?",
        "colour: is not a key that is known here; remove it, or use \"store\", \"api\", \"log\", \"plugin\", \"source\", \"link\" or \"template\"",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn ranges_lie_where_they_can() {
    let link = |more: &str| format!("[[link]]\nbridge = \"br0\"\naddress = \"fd39::1:1/64\"\n{more}");
    assert_eq!(
        faults_of(&link("pool = \"fd39::1:0/112\"\ninstances = \"fd39::/64\"")),
        [
            "link[0].pool: fd39::1:0/112 holds the link's own address fd39::1:1; take a range inside fd39::/64 without it",
            "link[0].instances: fd39::/64 holds the link's own address fd39::1:1; take a range inside fd39::/64 without it",
            "link[0].instances: fd39::/64 overlaps the pool fd39::1:0/112; \
             take a range for instances that clients are not given",
        ]
    );
    assert_eq!(
        faults_of(&link("pool = \"fd39::/112\"")),
        [
            "link[0].pool: fd39::/112 holds fd39::, which every router answers to (RFC 4291, section 2.6.1); \
          take a range inside fd39::/64 without it"
        ]
    );
    assert_eq!(
        faults_of(&link("")),
        ["link[0].pool: is missing, and the listener leases addresses from it; \
          name a range inside the link's prefix, like \"fd39:9706:2786:6333::1:0/112\""]
    );
}

#[test]
fn links_are_apart() {
    let twice = format!("{LINK}{}", LINK.replace("fd39::1/64", "fd39::2/48"));
    assert_eq!(
        faults_of(&twice),
        [
            "link[1].bridge: names the same bridge as link[0]; describe each bridge once",
            "link[1].address: fd39::/48 overlaps fd39::/64 of link[0]; give each link a prefix of its own",
        ]
    );
}

#[test]
fn lifetimes_are_in_order() {
    assert_eq!(
        faults_of(&format!(
            "{LINK}preferred_lifetime = \"3h\"\nvalid_lifetime = \"2h\"\nt1 = \"200m\"\nt2 = \"190m\""
        )),
        [
            "link[0].preferred_lifetime: 10800s is longer than valid_lifetime, 7200s; shorten it, or lengthen valid_lifetime",
            "link[0].t2: 11400s is longer than preferred_lifetime, 10800s; shorten it, or lengthen preferred_lifetime",
            "link[0].t1: 12000s is longer than t2, 11400s; shorten it, or lengthen t2",
        ]
    );
    assert_eq!(
        faults_of(&format!(
            "{LINK}valid_lifetime = \"3s\"\npreferred_lifetime = \"2500ms\""
        )),
        [
            "link[0].preferred_lifetime: has parts of a second, which DHCPv6 cannot say; take whole seconds",
            "link[0].valid_lifetime: 3s is too short; take at least 4s",
        ]
    );
    let short = load_text(&format!("{LINK}valid_lifetime = \"4s\""), &[]).unwrap().links[0].lifetimes;
    assert_eq!(
        [short.t1, short.t2, short.preferred].map(|span| span.as_secs()),
        [1, 1, 2]
    );
    let long = load_text(&format!("{LINK}preferred_lifetime = \"3h\""), &[])
        .unwrap()
        .links[0]
        .lifetimes;
    assert_eq!(long.valid.as_secs(), 6 * 3600);
}

#[test]
fn what_dnsmasq_decides_is_not_set_here() {
    let link = LINK.replace("pool = \"fd39::1:0/112\"", "source = \"dnsmasq\"");
    let settings = load_text(&link, &[]).unwrap();
    assert!(!settings.links[0].router_advertisements);
    assert_eq!(
        faults_of(&format!("{link}valid_lifetime = \"1h\"\n[api]\nlisten = [\"[::1]:1\"]")),
        [
            "link[0].valid_lifetime: has no effect, because dnsmasq answers the clients of this link; \
             remove it here and set it in dnsmasq's configuration",
            "api.listen: names no unix socket, and dnsmasq's hook for link[0] needs one; add \"unix:/run/orchestrator/api.sock\"",
        ]
    );
}

#[test]
fn a_limit_can_be_lifted() {
    let template = "[template.a]\nimage = \"a\"\nmemory = \"none\"\ncpus = \"none\"\npids = \"none\"";
    let resources = load_text(template, &[]).unwrap().templates["a"].resources.clone();
    assert_eq!(resources, crate::model::Resources::default());
}

#[test]
fn a_fault_from_the_environment_names_its_variable() {
    let faults = load_text(
        LINK,
        &[("ORCHESTRATOR__LINK__0__POOL", "x"), ("ORCHESTRATOR__STOER__URL", "y")],
    );
    assert_eq!(
        faults.unwrap_err().to_string(),
        "link[0].pool (ORCHESTRATOR__LINK__0__POOL): \"x\" is not an IPv6 prefix; write it like \"fd39:9706:2786:6333::1:0/112\"\n\
         stoer (ORCHESTRATOR__STOER__URL): is not a key that is known here; did you mean \"store\"?"
    );
}

/// A value other than the documented one for every documented key, as a variable says it.
const OTHER: [(&str, &str); 39] = [
    ("STORE__URL", "postgres://me@db/other"),
    ("STORE__HISTORY", "31d"),
    ("API__LISTEN", "unix:/run/other.sock, 127.0.0.1:1"),
    ("LOG__LEVEL", "debug"),
    ("LOG__FORMAT", "json"),
    ("PLUGIN__DOCKER__HOST", "unix:///run/other.sock"),
    ("PLUGIN__DOCKER__TIMEOUT", "31s"),
    ("PLUGIN__DOCKER__STARTS", "9"),
    ("SOURCE__DNSMASQ__SPOOL", "/other"),
    ("LINK__0__BRIDGE", "br7"),
    ("LINK__0__CREATE", "false"),
    ("LINK__0__ADDRESS", "fd39:9706:2786:6333::2/64"),
    ("LINK__0__SOURCE", "dnsmasq"),
    ("LINK__0__POOL", "fd39:9706:2786:6333::3:0/112"),
    ("LINK__0__INSTANCES", "fd39:9706:2786:6333::4:0/112"),
    ("LINK__0__PREFERRED_LIFETIME", "61m"),
    ("LINK__0__VALID_LIFETIME", "3h"),
    ("LINK__0__T1", "10m"),
    ("LINK__0__T2", "50m"),
    ("LINK__0__RAPID_COMMIT", "false"),
    ("LINK__0__ROUTER_ADVERTISEMENTS", "false"),
    ("LINK__0__DNS_SERVERS", "fd39::53,fd39::54"),
    ("LINK__0__DNS_SERVERS__0", "fd39::53"),
    ("LINK__0__DOMAIN_SEARCH", "example.org"),
    ("LINK__0__TEMPLATE", "other"),
    ("TEMPLATE__DEFAULT__PLUGIN", "other"),
    ("TEMPLATE__DEFAULT__IMAGE", "other"),
    ("TEMPLATE__DEFAULT__COMMAND", "sleep, 10"),
    ("TEMPLATE__DEFAULT__ENVIRONMENT__TZ", "UTC"),
    ("TEMPLATE__DEFAULT__CAPABILITIES", ""),
    ("TEMPLATE__DEFAULT__MEMORY", "none"),
    ("TEMPLATE__DEFAULT__CPUS", "1.5"),
    ("TEMPLATE__DEFAULT__PIDS", "129"),
    ("TEMPLATE__DEFAULT__READY__TCP", "81"),
    ("TEMPLATE__DEFAULT__READY__WITHIN", "11s"),
    ("TEMPLATE__DEFAULT__GRACE", "0s"),
    ("TEMPLATE__DEFAULT__ISOLATED", "false"),
    ("TEMPLATE__OTHER__IMAGE", "other"),
    ("LINK__1__BRIDGE", "br1"),
];

/// What a variable cannot change alone, with what it takes besides.
const BESIDES: [(&str, &str); 4] = [
    ("LINK__0__SOURCE", "LINK__0__BRIDGE=br7"),
    ("LINK__0__TEMPLATE", "TEMPLATE__OTHER__IMAGE=other"),
    ("LINK__1__BRIDGE", "LINK__1__ADDRESS=fd40::1/64"),
    ("LINK__1__BRIDGE", "LINK__1__POOL=fd40::1:0/112"),
];

#[test]
fn every_documented_key_can_be_overridden_by_the_environment() {
    let documented = load_text(DOCUMENTED, &[]).unwrap();
    // A link of dnsmasq takes fewer keys.
    let for_dnsmasq: String = DOCUMENTED
        .lines()
        .filter(|line| {
            !["preferred_", "valid_", "t1", "t2", "rapid_"]
                .iter()
                .any(|key| line.starts_with(key))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for (variable, value) in OTHER {
        let mut env = vec![(format!("{PREFIX}{variable}"), value.to_owned())];
        for (_, besides) in BESIDES.iter().filter(|(of, _)| *of == variable) {
            let (name, value) = besides.split_once('=').unwrap();
            env.push((format!("{PREFIX}{name}"), value.to_owned()));
        }
        let text = if variable.ends_with("SOURCE") {
            &for_dnsmasq
        } else {
            DOCUMENTED
        };
        match read(tree::from_toml(text).unwrap(), env.into_iter()) {
            Ok(settings) => assert_ne!(settings, documented, "{variable}"),
            // There is no other plugin: that the variable was read shows by its being refused.
            Err(faults) => assert_eq!(
                faults.to_string(),
                "template.default.plugin (ORCHESTRATOR__TEMPLATE__DEFAULT__PLUGIN): \"other\" is not known here; write \"docker\""
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
        ValueKind::Table(table) if path.ends_with("ENVIRONMENT") => assert!(table.is_empty()),
        ValueKind::Table(table) => table
            .iter()
            .for_each(|(key, value)| keys(&value.kind, below(key), found)),
        ValueKind::Array(list) if path == "LINK" => keys(&list[0].kind, below("0"), found),
        _ => {
            found.insert(path);
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("fd39::1/64".to_owned()),
        Just("none".to_owned()),
        Just("1h".to_owned()),
        Just("dnsmasq".to_owned()),
        "\\PC{0,12}"
    ];
    let leaf = prop_oneof![
        Just(ValueKind::Nil),
        any::<bool>().prop_map(ValueKind::Boolean),
        any::<i64>().prop_map(ValueKind::I64),
        any::<f64>().prop_map(ValueKind::Float),
        word.prop_map(ValueKind::String),
    ];
    let leaf = leaf.prop_map(|kind| Value::new(None, kind));
    leaf.prop_recursive(5, 64, 8, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(ValueKind::Array);
        let table = prop::collection::hash_map(any_key(), inner, 0..8);
        let table = table.prop_map(|entries| ValueKind::Table(entries.into_iter().collect()));
        prop_oneof![list, table].prop_map(|kind| Value::new(None, kind))
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known: Vec<String> = OTHER
        .iter()
        .flat_map(|(variable, _)| variable.split("__"))
        .map(str::to_lowercase)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    prop_oneof![4 => prop::sample::select(known), 1 => "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn no_tree_makes_it_panic(
        entries in prop::collection::hash_map(any_key(), any_value(), 0..8),
        variables in prop::collection::vec((prop::collection::vec(any_key(), 0..6), "\\PC{0,12}"), 0..4),
    ) {
        let root = Value::new(None, ValueKind::Table(entries.into_iter().collect()));
        let variables = variables.into_iter().map(|(path, value)| (format!("{PREFIX}{}", path.join("__")), value));
        // Refused or not, it says so with at least one fault.
        if let Err(faults) = read(root, variables) {
            prop_assert!(faults.iter().count() > 0);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]a-z0-9=\"'{}.,\n ]{0,200}") {
        if let Ok(root) = tree::from_toml(&text)
            && let Err(faults) = read(root, std::iter::empty())
        {
            prop_assert!(faults.iter().count() > 0);
        }
    }
}
