use std::time::Duration;

use orchestrator_settings::{HIDDEN, Hidden, parse_toml};
use serde_json::json;

use super::*;

fn settings() -> Settings {
    let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                instances = \"fd39::2:0/112\"\ntemplate = \"default\"\n\
                [[class]]\nname = \"laptops\"\nmatch = { user_class = \"laptop\" }\n\
                [template.default]\nimage = \"orchestrator/client\"\n";
    orchestrator_settings::parse(text, std::iter::empty()).unwrap()
}

fn read(text: &str) -> Result<ServiceSpec, String> {
    let keys = parse_toml("", text).unwrap();
    ServiceSpec::read(&keys, &settings()).map_err(|faults| faults.to_string())
}

const EVERYTHING: &str = r#"
name = "web"
instances = 2
network = "br0"
image = "web:1"
command = ["serve", "8080"]
environment = { TOKEN = "secret", PASSWORD = { file = "/etc/password" } }
memory = "64MiB"
ports = { http = 8080, dns = { number = 53, transport = "udp" } }
health = { http = "/health?deep=1", every = "5s", timeout = "500ms", failures = 4, successes = 2 }
strategy = { order = "stop-first", surge = 2, pause = "1s", drain = "10s", within = "90s", failures = 5, steady = "20s" }
placement = { role = "public", host = "one", spread = false }
sticky = true
proxy_protocol = true
[[file]]
target = "/etc/web.conf"
text = "secret"
[[route]]
host = "Web.Example"
path = "/api"
tls = { certificate = "/etc/web.pem", key = "/etc/web.key" }
[[route]]
host = "other.example"
port = "http"
tls = "acme"
[[listen]]
address = "[fd39::aa]:80"
port = "http"
[[listen]]
address = "[fd39::aa]:53"
port = "dns"
"#;

#[test]
fn every_key_is_read() {
    let spec = read(EVERYTHING).unwrap();
    assert_eq!((spec.name.as_str(), spec.count()), ("web", Some(2)));
    assert_eq!(spec.template.main.command, ["serve", "8080"]);
    assert_eq!(spec.ports["dns"].number, 53);
    let open: Vec<String> = spec.template.access.open.iter().map(ToString::to_string).collect();
    assert_eq!(open, ["udp/53", "tcp/8080"], "clients reach the ports of a service");
    let health = spec.health.unwrap();
    let path = "/health?deep=1".to_owned();
    assert_eq!(
        health.probe,
        Probe::Http {
            path,
            port: "http".to_owned()
        }
    );
    assert_eq!((health.timeout, health.failures), (Duration::from_millis(500), 4));
    assert_eq!((spec.strategy.order, spec.strategy.surge), (RollOrder::StopFirst, 2));
    assert_eq!(spec.strategy.promised(3), 1);
    assert_eq!(spec.strategy.steady.as_secs(), 20);
    assert_eq!(spec.placement.role.as_deref(), Some("public"));
    assert_eq!(
        (spec.routes[0].host.as_str(), spec.routes[0].port.as_str()),
        ("web.example", "http")
    );
    assert_eq!(spec.routes[1].path, "/");
    assert_eq!((spec.listen[1].number, spec.listen[1].port.as_str()), (53, "dns"));
}

#[test]
fn what_is_written_is_read_back() {
    for text in [
        EVERYTHING,
        "name = \"a\"\nimage = \"a\"",
        "name = \"a\"\nimage = \"a\"\ninstances = \"per-client\"\nlink = \"br0\"\ngrace = \"1m\"\nclient_may = [\"restart\"]",
        "name = \"a\"\nimage = \"a\"\ninstances = \"per-client\"\nclass = \"laptops\"",
        "name = \"a\"\nimage = \"a\"\nports = { web = 80 }\nhealth = { tcp = \"web\" }\nroute = [{ host = \"a\", tls = \"own-ca\" }]",
        "name = \"a\"\nimage = \"a\"\nhealth = { exec = [\"/bin/true\"] }\ninstances = 0",
    ] {
        let spec = read(text).unwrap();
        let written = spec.written(Hidden::Nothing);
        assert_eq!(ServiceSpec::read(&written, &settings()).unwrap(), spec);
        assert_eq!(
            ServiceSpec::reread(&written, &settings())
                .unwrap()
                .written(Hidden::Nothing),
            written
        );
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let spec = read("name = \"a\"\nimage = \"a\"").unwrap();
    assert_eq!((spec.count(), spec.network.as_deref()), (Some(1), Some("br0")));
    assert_eq!(
        spec.written(Hidden::Nothing)["strategy"],
        json!({"order": "start-first", "surge": 1, "pause": "0s", "drain": "30s", "within": "1m", "failures": 3, "steady": "30s"})
    );
    let checked = read("name = \"a\"\nimage = \"a\"\nports = { http = 80 }\nhealth = { http = \"/\" }").unwrap();
    assert_eq!(
        checked.written(Hidden::Nothing)["health"],
        json!({"http": "/", "port": "http", "every": "2s", "timeout": "1s", "failures": 3, "successes": 1})
    );
}

#[test]
fn values_are_hidden_and_kept_when_they_are_passed_back() {
    let spec = read(EVERYTHING).unwrap();
    let shown = spec.written(Hidden::Values);
    assert!(!shown.to_string().contains("\"secret\""), "{shown}");
    assert_eq!(shown["environment"]["TOKEN"], HIDDEN);
    let mut back = ServiceSpec::read(&shown, &settings()).unwrap();
    assert_eq!(back.clone().keep_hidden(None), Err("environment.TOKEN".to_owned()));
    back.keep_hidden(Some(&spec)).unwrap();
    assert_eq!(back, spec);
}

/// Each line is a service file, and what its only fault says.
#[test]
fn each_fault_names_the_key_and_the_remedy() {
    let cases = [
        ("instances = -1", "web.instances: -1 is out of bounds; take 0 to 10000"),
        (
            "instances = \"all\"",
            "web.instances: is text; write a whole number without quotes, or \"per-client\"",
        ),
        (
            "instances = \"per-client\"",
            "web.instances: does not say which clients; name a link",
        ),
        (
            "instances = \"per-client\"\nlink = \"br9\"",
            "web.link: there is no link \"br9\"; did you mean \"br0\"?",
        ),
        (
            "link = \"br0\"",
            "web.link: belongs to instances = \"per-client\"; write that, or write network = instead of link =",
        ),
        (
            "network = \"br1\"",
            "web.network: there is no link or network with addresses for instances \"br1\"; did you mean \"br0\"?",
        ),
        (
            "networks = [\"storage\"]",
            "web.networks[0]: there is no network \"storage\"",
        ),
        ("grace = \"1m\"", "web.grace: is about the client of an instance"),
        (
            "ports = { \"80\" = 80 }",
            "web.ports.80: \"80\" cannot be the name of a port",
        ),
        ("ports = { a = 0 }", "web.ports.a: 0 is out of bounds; take 1 to 65535"),
        (
            "ports = { a = { number = 1, transport = \"sctp\" } }",
            "web.ports.a.transport: \"sctp\" is not known here",
        ),
        (
            "health = { http = \"/\" }",
            "web.health.port: is missing; name a port under `ports`",
        ),
        (
            "ports = { a = 1, b = 2 }\nhealth = { http = \"/\" }",
            "web.health.port: is missing; write \"a\" or \"b\"",
        ),
        (
            "ports = { web = 1 }\nhealth = { tcp = \"webb\" }",
            "web.health.tcp: there is no port \"webb\"; did you mean \"web\"?",
        ),
        (
            "ports = { a = { number = 1, transport = \"udp\" } }\nhealth = { tcp = \"a\" }",
            "web.health.tcp: \"a\" is no port of TCP",
        ),
        (
            "ports = { a = 1 }\nhealth = { tcp = \"a\", exec = [\"a\"] }",
            "web.health.http: stands beside another kind of check",
        ),
        ("health = {}", "web.health.http: is missing, and so are tcp and exec"),
        ("health = { exec = [] }", "web.health.exec: names no program"),
        (
            "ports = { a = 1 }\nhealth = { http = \"/a b\" }",
            "web.health.http: \"/a b\" is no path",
        ),
        (
            "ports = { a = 1 }\nhealth = { tcp = \"a\", every = \"1ms\" }",
            "web.health.every: 1ms is too short; take at least 100ms",
        ),
        (
            "strategy = { order = \"start\" }",
            "web.strategy.order: \"start\" is not known here; did you mean \"start-first\"?",
        ),
        (
            "strategy = { surge = 0 }",
            "web.strategy.surge: 0 is out of bounds; take 1 to 100",
        ),
        (
            "strategy = { steady = \"0s\" }",
            "web.strategy.steady: 0s is too short; take at least 1s",
        ),
        (
            "strategy = { sruge = 1 }",
            "web.strategy.sruge: is not a key that is known here; did you mean \"surge\"?",
        ),
        (
            "placement = { role = \"a b\" }",
            "web.placement.role: \"a b\" cannot be the name of a role",
        ),
        (
            "ports = { a = 1 }\nroute = [{ host = \"a_b\" }]",
            "web.route[0].host: \"a_b\" is no host name",
        ),
        (
            "ports = { a = 1 }\nroute = [{ host = \"a\" }, { host = \"A\" }]",
            "web.route: has a/ twice",
        ),
        (
            "ports = { a = 1 }\nroute = [{ host = \"a\", tls = \"yes\" }]",
            "web.route[0].tls: \"yes\" is not known here; write \"own-ca\" or \"acme\"",
        ),
        (
            "ports = { a = 1 }\nroute = [{ host = \"*.a\", tls = \"acme\" }]",
            "web.route[0].tls: is \"acme\", which gives no certificate for a wildcard",
        ),
        (
            "ports = { a = 1 }\nroute = [{ host = \"a\", tls = { certificate = \"a\", key = \"/b\" } }]",
            "web.route[0].tls.certificate: \"a\" is no absolute path",
        ),
        (
            "ports = { a = 1 }\nlisten = [{ address = \"[ff02::1]:80\" }]",
            "web.listen[0].address: \"[ff02::1]:80\" cannot be the address of a service",
        ),
        (
            "ports = { a = 1 }\nlisten = [{ address = \"[fd00::1]\" }]",
            "web.listen[0].address: \"[fd00::1]\" is no address with a port",
        ),
        (
            "ports = { a = 1 }\nlisten = [{ address = \"[fd00::1]:0\" }]",
            "web.listen[0].address: \"[fd00::1]:0\" has the port 0",
        ),
        (
            "imgae = \"b\"",
            "web.imgae: is not a key that is known here; did you mean \"image\"?",
        ),
        (
            "prots = { a = 1 }",
            "web.prots: is not a key that is known here; did you mean \"ports\"?",
        ),
    ];
    for (keys, expected) in cases {
        let fault = read(&format!("name = \"web\"\nimage = \"web\"\n{keys}")).unwrap_err();
        assert!(fault.starts_with(expected) && !fault.contains('\n'), "{keys}: {fault}");
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let faults = read("name = \"Web\"\ninstances = 1.5\npids = \"many\"\nports = { a = 0 }\nsticky = 1").unwrap_err();
    let keys: Vec<&str> = faults.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(
        keys,
        [
            "service.name",
            "service.instances",
            "service.ports.a",
            "service.sticky",
            "service.image",
            "service.pids"
        ]
    );
}

#[test]
fn what_only_counts_for_numbered_slots_is_refused_for_clients() {
    for key in [
        "network = \"br0\"",
        "strategy = {}",
        "placement = {}",
        "health = { exec = [\"true\"] }",
        "sticky = true",
        "proxy_protocol = true",
        "route = [{ host = \"a.example\", port = \"a\" }]",
        "listen = [{ address = \"[fd39::aa]:80\", port = \"a\" }]",
    ] {
        let text = format!("name = \"web\"\nimage = \"a\"\ninstances = \"per-client\"\nlink = \"br0\"\n{key}");
        let fault = read(&text).unwrap_err();
        assert!(
            fault.contains("has no effect with instances = \"per-client\""),
            "{fault}"
        );
    }
}

#[test]
fn a_name_is_one_label() {
    for name in ["a", "web-2", &format!("a{}", "b".repeat(39))] {
        assert!(is_service_name(name), "{name}");
    }
    for name in ["", "2a", "Web", "a-", "-a", "a.b", "a_b", "wéb", &"a".repeat(41)] {
        assert!(!is_service_name(name), "{name}");
    }
}

#[test]
fn a_recorded_service_is_read_without_its_networks() {
    let spec = read("name = \"a\"\nimage = \"a\"").unwrap();
    let mut written = spec.written(Hidden::Nothing);
    written["network"] = json!("gone");
    written["networks"] = json!(["gone"]);
    assert_eq!(
        ServiceSpec::reread(&written, &settings()).unwrap().network.as_deref(),
        Some("gone")
    );
    assert!(ServiceSpec::read(&written, &settings()).is_err());
}
