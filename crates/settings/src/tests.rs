//! The settings as a whole: the documented file, and the messages about faults.

mod engines;
mod overriding;
mod properties;
mod reloading;

use super::*;
use orchestrator_model::{LeaseSource, ValueSource};

const DOCUMENTED: &str = include_str!("../../../settings.toml");

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
    parse(text, env)
}

/// The messages about faults, line by line.
fn faults_of(text: &str) -> Vec<String> {
    load_text(text, &[])
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_documented_file_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../settings.toml");
    let settings = load(&path, std::iter::empty()).unwrap();
    assert_eq!(settings, load_text(DOCUMENTED, &[]).unwrap());
    let link = &settings.links[0];
    assert_eq!((link.name.as_str(), link.source), ("br0", LeaseSource::Listener));
    assert_eq!(link.prefix().to_string(), "fd39:9706:2786:6333::/64");
    let ready = settings.templates["default"].ready.unwrap();
    assert_eq!(
        ready,
        Readiness {
            tcp: 80,
            within: std::time::Duration::from_secs(10),
            every: std::time::Duration::from_secs(10),
            failures: 3,
            restarts: 5,
        }
    );
}

#[test]
fn checks_of_ready_instances_are_switched_off_by_zero_and_bounded_else() {
    let template = |ready: &str| format!("[template.a]\nimage = \"a\"\nready = {{ tcp = 80, {ready} }}");
    let off = load_text(&template("every = \"0s\", restarts = 0"), &[]).unwrap();
    let ready = off.templates["a"].ready.unwrap();
    assert_eq!(
        (ready.every, ready.failures, ready.restarts),
        (std::time::Duration::ZERO, 3, 0)
    );
    for (wrong, fault) in [
        (
            "every = \"999ms\"",
            "template.a.ready.every: 999ms is too short; take at least 1s",
        ),
        (
            "failures = 0",
            "template.a.ready.failures: 0 is out of bounds; take 1 to 100",
        ),
        (
            "restarts = 101",
            "template.a.ready.restarts: 101 is out of bounds; take 0 to 100",
        ),
    ] {
        assert_eq!(faults_of(&template(wrong)), [fault]);
    }
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
        [[link.delegation]]
        pool = "fd39:9706:2787::/48"
        [template.default]
        image = "orchestrator/client"
        capabilities = []
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
        engine = "dokcer"
        memory = "1MiB"
        cpus = 0
        ready = { tcp = 80, within = "0s" }
        "#,
    );
    let expected = [
        "store.url: is not a URL; write it like \"sqlite:///var/lib/orchestrator/orchestrator.db\" or \"postgres://user@host/database\"",
        "api.listen[0]: 0.0.0.0:8998 can be reached from other machines, and without TLS the API does not identify callers \
         there; write \"https://0.0.0.0:8998\"; write it like \"unix:/run/orchestrator/api.sock\", \"https://[::]:8999\" or \
         \"[::1]:8998\"",
        "link[0].bridge: is missing; name the bridge that the clients are on, like \"br0\"; or, for a network that only \
         relay agents reach, give it a `name`",
        "link[0].create: is text, not true or false without quotes; write true or false without quotes",
        "link[0].pool: fd40::/112 is not inside the link's prefix fd39::/64; take a range inside fd39::/64",
        "link[0].instances: is missing, and the template's instances need addresses; \
         name a range inside the link's prefix, like \"fd39:9706:2786:6333::2:0/112\"",
        "link[0].brige: is not a key that is known here; did you mean \"bridge\"?",
        "template.default.engine: \"dokcer\" is not known here; did you mean \"docker\"?",
        "template.default.image: is missing; name an image that the engine has, like \"orchestrator/client\"",
        "template.default.memory: 1MiB is out of bounds; take \"6MiB\" to \"16TiB\", or \"none\"",
        "template.default.cpus: 0 is out of bounds; take 0.01 to 1024",
        "template.default.ready.within: 0s is too short; take at least 1ms",
        "link[0].template: there is no template \"defualt\"; did you mean \"default\"?",
        "colour: is not a key that is known here; remove it, or use \"store\", \"secrets\", \"volumes\", \"limits\", \"images\", \"api\", \"log\", \"engine\", \"source\", \"metadata\", \"portal\", \"dns\", \"host\", \"options\", \"class\", \"link\", \"network\", \"template\", \"balancer\" or \"acme\"",
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
fn a_link_without_a_bridge_is_reached_through_relay_agents() {
    let dorm = "[[link]]\nname = \"dorm\"\nprefix = \"fd40::/64\"\npool = \"fd40::1:0/112\"\n";
    let settings = load_text(&format!("[source.listener]\nrelays = [\"eth0\"]\n{dorm}"), &[]).unwrap();
    let link = settings.link("dorm").unwrap();
    assert!(link.remote && link.advertisement.is_none());
    assert_eq!(link.prefix(), "fd40::/64".parse().unwrap());
    assert_eq!(
        faults_of(&format!("{dorm}create = true\n")),
        [
            "link[0].create: has no effect, because the link has no bridge here; remove it; a link that has a `name` and \
             no `bridge` only gives leases, through relay agents",
            "source.listener.relays: names no interface, and link[0] is reached through relay agents alone; name the \
             interfaces where relay agents are trusted, like [\"eth0\"]",
        ]
    );
    let hooked = "[source.listener]\nrelays = [\"br0\"]\n[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\n\
                  source = \"dnsmasq\"\n";
    assert_eq!(
        faults_of(hooked),
        [
            "source.listener.relays[0]: br0 is link[0], where dnsmasq listens; have relay agents send to another interface"
        ]
    );
}

#[test]
fn a_variable_s_value_may_come_from_elsewhere() {
    let text = "[template.web]\nimage = \"a\"\n\
                environment = { TZ = \"UTC\", TOKEN = { file = \"/etc/token\" }, KEY = { credential = \"key\" } }";
    let read = load_text(
        text,
        &[("ORCHESTRATOR__TEMPLATE__WEB__ENVIRONMENT__Mixed__FILE", "/run/mixed")],
    )
    .unwrap();
    let template = &read.templates["web"];
    assert_eq!(
        template.main.environment,
        BTreeMap::from([("TZ".to_owned(), "UTC".to_owned())])
    );
    let sources = [
        ("KEY", ValueSource::Credential("key".to_owned())),
        ("Mixed", ValueSource::File("/run/mixed".into())),
        ("TOKEN", ValueSource::File("/etc/token".into())),
    ];
    let sources: BTreeMap<_, _> = sources.map(|(name, source)| (name.to_owned(), source)).into();
    assert_eq!(template.main.environment_from, sources);
}

#[test]
fn a_source_of_a_value_that_cannot_be_is_refused() {
    let fault = |source: &str| {
        let faults = faults_of(&format!(
            "[template.web]\nimage = \"a\"\nenvironment = {{ TOKEN = {source} }}"
        ));
        faults.join("; ")
    };
    for (source, expected) in [
        ("{ file = \"token\" }", "not the absolute path of a file"),
        ("{ file = \"/etc/../token\" }", "not the absolute path of a file"),
        ("{ credential = \"a/b\" }", "cannot be the name of a credential"),
        ("{ credential = \"\" }", "cannot be the name of a credential"),
        ("{}", "name the file that holds the value, or a credential"),
        ("{ file = \"/a\", credential = \"a\" }", "conflicts with `credential`"),
        ("{ fil = \"/a\" }", "did you mean \"file\"?"),
    ] {
        assert!(fault(source).contains(expected), "{source}: {}", fault(source));
    }
}

#[test]
fn relay_agents_supply_what_is_no_option_of_the_protocol() {
    let options = |lines: &str| {
        load_text(&format!("[source.listener]\n{lines}"), &[])
            .unwrap()
            .source
            .listener
            .relay_options
    };
    assert_eq!((options(""), options("relay_options = []")), (vec![65], vec![]));
    assert_eq!(options("relay_options = [23, 65, 1000]"), [23, 65, 1000]);
    assert_eq!(
        faults_of("[source.listener]\nrelay_options = [65, 3, 82]\n"),
        [
            "source.listener.relay_options: option 3 is not for relay agents to supply; remove it",
            "source.listener.relay_options: option 82 is not for relay agents to supply; remove it",
        ]
    );
}

#[test]
fn links_are_apart() {
    let twice = format!("{LINK}{}", LINK.replace("fd39::1/64", "fd39::2/48"));
    assert_eq!(
        faults_of(&twice),
        [
            "link[1].bridge: is the name of link[0] already; describe each link once",
            "link[1].address: fd39::/48 overlaps fd39::/64 of link[0]; give each link a prefix of its own",
        ]
    );
}

#[test]
fn lifetimes_are_in_order() {
    assert_eq!(
        faults_of(&format!("{LINK}preferred_lifetime = \"3h\"\nvalid_lifetime = \"2h\"")),
        [
            "link[0].preferred_lifetime: 10800s is longer than valid_lifetime, 7200s; shorten it, or lengthen valid_lifetime",
        ]
    );
    assert_eq!(
        faults_of(&format!(
            "{LINK}valid_lifetime = \"3s\"\npreferred_lifetime = \"2500ms\""
        )),
        [
            "link[0].preferred_lifetime: has parts of a second, which cannot be said on the wire; take whole seconds",
            "link[0].valid_lifetime: 3s is too short; take at least 4s",
        ]
    );
    let short = load_text(&format!("{LINK}valid_lifetime = \"4s\""), &[]).unwrap().links[0].lifetimes;
    assert_eq!(short.preferred.as_secs(), 2);
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
    assert_eq!(settings.links[0].advertisement, None);
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
    let resources = load_text(template, &[]).unwrap().templates["a"].main.resources.clone();
    assert_eq!(resources, orchestrator_model::Resources::default());
}

#[test]
fn the_disk_has_no_limit_until_one_is_written() {
    let disk = |line: &str| {
        let read = load_text(&format!("[template.a]\nimage = \"a\"\n{line}"), &[])?;
        Ok::<_, crate::Faults>(read.templates["a"].main.resources.disk)
    };
    assert_eq!((disk("").unwrap(), disk("disk = \"none\"").unwrap()), (None, None));
    assert_eq!(disk("disk = \"2GiB\"").unwrap(), Some(2 << 30));
    for wrong in ["disk = \"1KiB\"", "disk = \"17TiB\"", "disk = 5"] {
        assert!(
            disk(wrong).unwrap_err().to_string().starts_with("template.a.disk: "),
            "{wrong}"
        );
    }
}

#[test]
fn a_fault_across_keys_names_its_variable() {
    let faults = load_text(LINK, &[("ORCHESTRATOR__LINK__0__POOL", "fd40::/112")]).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "link[0].pool (ORCHESTRATOR__LINK__0__POOL): fd40::/112 is not inside the link's prefix fd39::/64; \
         take a range inside fd39::/64"
    );
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
