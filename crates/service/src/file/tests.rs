//! Service files in all their forms.

use serde_json::json;

use super::{Changes, FileError, Form, LARGEST, read};

/// The keys of the one service of a file.
fn one(name: &str, content: &str) -> serde_json::Value {
    let all = read(name, None, content.as_bytes()).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].warnings.is_empty(), "{all:?}");
    all[0].keys.clone()
}

#[test]
fn the_same_service_is_read_from_toml_json_and_yaml() {
    let expected = json!({"name": "web", "instances": 2, "ports": {"http": 80}});
    let toml = "name = \"web\"\ninstances = 2\nports = { http = 80 }\n";
    let json = r#"{"name": "web", "instances": 2, "ports": {"http": 80}}"#;
    let yaml = "name: web\ninstances: 2\nports:\n  http: 80\n";
    for (name, text) in [
        ("a.toml", toml),
        ("a.json", json),
        ("a.yaml", yaml),
        ("a.yml", yaml),
        // Without a known ending, the content decides.
        ("a", toml),
        ("a", json),
        ("a", yaml),
    ] {
        assert_eq!(one(name, text), expected, "{name}");
    }
}

#[test]
fn a_form_that_is_given_counts_and_not_the_ending_or_the_content() {
    let form = |text: &str| text.parse::<Form>();
    let read_as = |name: &str, of: &str, text: &str| read(name, Some(form(of).unwrap()), text.as_bytes());
    let yaml = "name: web\n";
    assert_eq!(
        read_as("a.toml", "YAML", yaml).unwrap(),
        read("a.yml", None, yaml.as_bytes()).unwrap()
    );
    // This is YAML, too, and is not read as such.
    for (of, text) in [("json", yaml), ("toml", r#"{"name": "web"}"#)] {
        let fault = read_as("-", of, text).unwrap_err();
        assert!(
            matches!(fault, FileError::Syntax { form, .. } if Ok(form) == of.parse()),
            "{fault}"
        );
    }
    let fault = form("xml").unwrap_err().to_string();
    assert!(fault.contains("xml") && fault.contains("toml, json or yaml"), "{fault}");
}

#[test]
fn a_file_has_several_services() {
    let names = |name: &str, text: &str| -> Vec<String> {
        let all = read(name, None, text.as_bytes()).unwrap().into_iter();
        all.map(|one| one.keys["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names("a.toml", "[[service]]\nname = \"a\"\n[[service]]\nname = \"b\"\n"),
        ["a", "b"]
    );
    assert_eq!(names("a.json", r#"[{"name": "a"}, {"name": "b"}]"#), ["a", "b"]);
    assert_eq!(names("a.yaml", "name: a\n---\nname: b\n"), ["a", "b"]);
}

#[test]
fn what_is_no_service_file_says_why() {
    let fault = |name: &str, content: &[u8]| read(name, None, content).unwrap_err();
    assert_eq!(fault("a.toml", b""), FileError::Empty);
    assert_eq!(fault("a.toml", &[0xff]), FileError::NotText);
    assert!(matches!(fault("a.toml", b"name = "), FileError::Syntax { .. }));
    assert!(matches!(fault("a.json", b"[1]"), FileError::NoService { .. }));
    assert!(matches!(
        fault("a.json", br#"{"service": [], "name": "a"}"#),
        FileError::Beside { .. }
    ));
    let large = vec![b' '; LARGEST + 1];
    assert!(matches!(fault("a.toml", &large), FileError::TooLarge { .. }));
}

#[test]
fn options_of_the_line_change_what_the_file_says() {
    let mut keys = json!({"name": "web", "instances": 2, "image": "web:1"});
    let changes = Changes {
        overrides: vec!["image=\"web:2\"".to_owned(), "environment.MODE=test".to_owned()],
        namespace: Some("shop".to_owned()),
        suffix: Some("blue".to_owned()),
        replicas: Some(3),
    };
    changes.apply(&mut keys).unwrap();
    let expected = json!({
        "name": "shop-web-blue",
        "instances": 3,
        "image": "web:2",
        "environment": {"MODE": "test"},
    });
    assert_eq!(keys, expected);
}

#[test]
fn an_application_of_marathon_is_converted_and_nothing_of_it_is_dropped_silently() {
    let text = include_str!("../../../../examples/services/deploy1_marathon.json");
    let all = read("deploy1_marathon.json", None, text.as_bytes()).unwrap();
    let expected = json!({
        "name": "python1",
        "instances": 2,
        "cpus": 0.1,
        "memory": "64MiB",
        "image": "python-web:1",
        "environment": {"TEXT": "one"},
        "ports": {"http": 8080},
        "health": {"http": "/", "port": "http", "every": "2s", "timeout": "1s", "failures": 3},
        "strategy": {"within": "30s", "order": "start-first", "surge": 1},
        "route": [{"host": "python1.service.consul", "port": "http"}],
        "values": {"HAPROXY_GROUP": "external"},
    });
    assert_eq!(all[0].keys, expected);
    let warnings = all[0].warnings.join("\n");
    assert_eq!(all[0].warnings.len(), 2, "{warnings}");
    assert!(
        warnings.contains("container.docker.portMappings[0].servicePort"),
        "{warnings}"
    );
    assert!(
        warnings.contains("acceptedResourceRoles: has no counterpart here"),
        "{warnings}"
    );
}

/// The same application is reached under the same name, whichever file it is deployed from.
#[test]
fn the_examples_of_marathon_have_the_routes_of_their_services() {
    for (marathon, service) in [
        (
            include_str!("../../../../examples/services/deploy1_marathon.json"),
            include_str!("../../../../examples/services/python1.toml"),
        ),
        (
            include_str!("../../../../examples/services/deploy2_marathon.json"),
            include_str!("../../../../examples/services/python2.toml"),
        ),
    ] {
        let mut converted = read("web.json", None, marathon.as_bytes()).unwrap()[0].keys.clone();
        converted["network"] = json!("br0");
        let settings = orchestrator_settings::parse(
            "[[network]]\nname = \"br0\"\nprefix = \"fd39::/64\"\ninstances = \"fd39::1:0/112\"\n",
            std::iter::empty(),
        )
        .unwrap();
        let read = |keys: &serde_json::Value| {
            crate::ServiceSpec::read(keys, &settings).unwrap_or_else(|faults| panic!("{faults}"))
        };
        let (converted, written) = (read(&converted), read(&one("web.toml", service)));
        assert_eq!(converted.routes, written.routes);
        assert_eq!(converted.routes.len(), 1);
        assert_eq!(converted.ports, written.ports);
    }
}

#[test]
fn the_examples_are_services() {
    for (name, text, instances) in [
        (
            "python1.toml",
            include_str!("../../../../examples/services/python1.toml"),
            2,
        ),
        (
            "python2.toml",
            include_str!("../../../../examples/services/python2.toml"),
            2,
        ),
    ] {
        let keys = one(name, text);
        assert_eq!(keys["instances"], instances);
        assert_eq!(format!("{}.toml", keys["name"].as_str().unwrap()), name);
    }
}

#[test]
fn a_command_of_marathon_takes_precedence_over_its_arguments_with_one_warning() {
    let text = br#"{"id": "web", "cmd": "serve", "args": ["-v"]}"#;
    let all = read("web.json", None, text).unwrap();
    assert_eq!(all[0].keys["command"], json!(["/bin/sh", "-c", "serve"]));
    assert_eq!(all[0].warnings, ["args: stands beside cmd, and is left out"]);
}
