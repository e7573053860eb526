//! The findings, from facts.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_model::HostId;
use orchestrator_plugin::{Capabilities, Capability, EngineError, ImageFacts};

use super::engines::{cannot, found_image, found_pin, images, needs, pins_of, templates_of, unlimited_disks};
use super::*;

fn settings(text: &str) -> Settings {
    orchestrator_settings::parse(text, std::iter::empty()).unwrap()
}

fn declared(settings: Settings) -> Declared {
    Declared::new(std::sync::Arc::new(settings), Vec::new())
}

#[test]
fn privileges_are_read_and_missing_ones_named() {
    let settings = settings(include_str!("../../../../settings.toml"));
    let all = effective("Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n");
    assert!(lacking(&settings, all).is_empty());
    assert_eq!(
        lacking(&settings, all & !(1 << 13) & !(1 << 21)),
        ["CAP_NET_RAW", "CAP_SYS_ADMIN"]
    );
    assert_eq!(effective("nonsense"), 0);
}

#[test]
fn an_image_s_health_check_is_told_not_to_be_run() {
    let facts = |has_health_check| ImageFacts {
        id: "sha256:0a1b".to_owned(),
        has_health_check,
    };
    let finding = found_image("web", "docker", &["web"], Ok(facts(true)), true);
    assert!(
        finding.ok && finding.detail.contains("HEALTHCHECK is not run"),
        "{finding:?}"
    );
    assert_eq!(
        found_image("web", "docker", &["web"], Ok(facts(false)), true),
        Finding::there("image web", "")
    );
}

#[test]
fn a_missing_image_names_the_templates_that_need_it_and_the_engine() {
    let missing = EngineError::ImageMissing {
        image: "web:1".to_owned(),
    };
    let found = found_image("web:1", "docker", &["web", "shop"], Err(missing), true);
    let expected = "template web, shop needs it on engine docker: image \"web:1\" is not on the engine";
    assert!(!found.ok && found.detail.starts_with(expected), "{found:?}");
    let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\ninstances = \"fd39::2:0/112\"\ntemplate = \"web\"\n\
                [template.web]\nimage = \"web:1\"\n[template.unused]\nimage = \"web:1\"\n";
    let declared = declared(settings(text));
    assert_eq!(templates_of(&declared, "docker", "web:1"), ["web"]);
    assert!(templates_of(&declared, "podman", "web:1").is_empty());
}

#[test]
fn a_pinned_image_that_is_gone_is_said_of_its_template() {
    let pin = ImagePin {
        template: "web".to_owned(),
        version: 0,
        host: HostId::local(),
        engine: "docker".to_owned(),
        image: "web:1".to_owned(),
        digest: "sha256:0a".to_owned(),
        pinned: orchestrator_model::Timestamp(0),
    };
    let missing = || EngineError::ImageMissing {
        image: "sha256:0a".to_owned(),
    };
    let gone = found_pin(&pin, Err(missing())).unwrap();
    assert!(
        !gone.ok && gone.detail.contains("orchestrator template update web") && gone.detail.contains("sha256:0a"),
        "{gone:?}"
    );
    // A name that means nothing any more is no fault then.
    assert!(found_image("web:1", "docker", &["web"], Err(missing()), false).ok);
    let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\ninstances = \"fd39::2:0/112\"\ntemplate = \"web\"\n\
                [template.web]\nimage = \"web:1\"\n";
    let declared = declared(settings(text));
    let older = ImagePin {
        version: 7,
        ..pin.clone()
    };
    let pins = [pin.clone(), older];
    assert_eq!(pins_of(&declared, "docker", "web:1", &pins), [&pin]);
    assert!(pins_of(&declared, "podman", "web:1", &pins).is_empty());
}

#[test]
fn a_template_that_only_a_class_names_is_looked_at_too() {
    let link = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
    let templates = "[template.phone]\nimage = \"phone-image\"\n[template.unused]\nimage = \"unused-image\"\n\
                     [[class]]\nname = \"phones\"\ntemplate = \"phone\"\nmatch = { user_class = \"phone*\" }\n";
    let of_class = settings(&format!("{link}instances = \"fd39::2:0/112\"\n{templates}"));
    assert_eq!(
        images(&declared(of_class.clone())),
        BTreeMap::from([("docker", BTreeSet::from(["phone-image"]))])
    );
    assert!(lacking(&of_class, 0).contains(&"CAP_SYS_PTRACE"));
    // Without room for instances nobody gets one.
    let leases_only = settings(&format!("{link}{templates}"));
    assert_eq!(images(&declared(leases_only.clone())), BTreeMap::new());
    assert!(!lacking(&leases_only, 0).contains(&"CAP_SYS_PTRACE"));
}

#[test]
fn what_an_engine_cannot_is_said_of_the_template_that_needs_it() {
    let template = "image = \"a\"\nresolver = { servers = [\"fd39::53\"] }\n\
                    container = [{ name = \"b\", image = \"side-image\", file = [{ target = \"/c\", text = \"\" }] }]";
    let declared = declared(settings(&format!(
        "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
         instances = \"fd39::2:0/112\"\ntemplate = \"web\"\n[template.web]\n{template}"
    )));
    assert_eq!(images(&declared)["docker"], BTreeSet::from(["a", "side-image"]));
    let needs = needs(&declared);
    assert_eq!(
        needs,
        [(
            "web",
            "docker",
            Capabilities::of(&[Capability::SharedNamespace, Capability::Files, Capability::Resolver])
        )]
    );
    assert_eq!(cannot("docker", Capabilities::all(), &needs), []);
    let lacking = Capabilities::all().without(Capability::SharedNamespace);
    assert_eq!(cannot("other", lacking, &needs), [], "it is another template's engine");
    let found = cannot("docker", lacking, &needs);
    assert_eq!(
        found,
        [Finding::wrong(
            "template web",
            "engine docker cannot run a container in the network namespace of another one; use another engine for \
             it, or do without"
        )]
    );
}

#[test]
fn to_whom_the_api_is_open_is_said() {
    let found = api(&settings(
        "[api]\nlisten = [\"unix:/run/a.sock\", \"[::1]:8998\"]\ngroup = \"root\"",
    ));
    let said: Vec<(&str, bool)> = found
        .iter()
        .map(|finding| (finding.detail.as_str(), finding.ok))
        .collect();
    assert_eq!(
        said,
        [
            (
                "open to root, the daemon's user and the members of the group root",
                true
            ),
            (
                "open to every user of this machine; leave the address out of api.listen unless that is wanted",
                true
            ),
        ]
    );
    let found = api(&settings("[api]\ngroup = \"no-such-group-here\""));
    assert!(
        !found[0].ok && found[0].detail.contains("groupadd --system no-such-group-here"),
        "{found:?}"
    );
    // Nobody chose the group that is there by default.
    assert!(api(&settings(""))[0].ok);
}

#[tokio::test]
async fn an_interface_that_is_no_bridge_is_told_apart() {
    let link = "[[link]]\nbridge = \"lo\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\ncreate = true";
    let mut settings = settings(link);
    let found = bridges(&settings).await;
    assert!(!found[0].ok && found[0].detail.contains("lo"), "{found:?}");
    settings.links[0].name = "no-such-bridge".to_owned();
    assert_eq!(
        bridges(&settings).await,
        [Finding::there("link no-such-bridge", "will be made")]
    );
    settings.links[0].create = false;
    let missing = Finding::missing(
        "link no-such-bridge",
        "make bridge no-such-bridge, or set create = true",
    );
    assert_eq!(bridges(&settings).await, [missing]);
}

#[test]
fn the_templates_of_an_engine_whose_instances_can_fill_its_disk_are_told_at_once() {
    let link = |templates: &str| {
        declared(settings(&format!(
            "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
             instances = \"fd39::2:0/112\"\ntemplate = [\"bounded\", \"shell\", \"web\"]\n\
             [template.bounded]\nimage = \"a\"\ndisk = \"1GiB\"\n{templates}"
        )))
    };
    let open = link("[template.shell]\nimage = \"a\"\n[template.web]\nimage = \"a\"\ndisk = \"none\"\n");
    let all = Capabilities::all();
    let found = unlimited_disks(&open, "docker", all).unwrap();
    let said = "no `disk` limits what is written: an instance can fill the disk of engine docker; set `disk`";
    assert_eq!(found, Finding::there("templates shell, web", said));
    assert_eq!(
        unlimited_disks(&open, "other", all),
        None,
        "no template is of this engine"
    );
    let one = link("[template.shell]\nimage = \"a\"\n[template.web]\nimage = \"a\"\ndisk = \"2GiB\"\n");
    let found = unlimited_disks(&one, "docker", all.without(Capability::Disk)).unwrap();
    let said = "no `disk` limits what is written: an instance can fill the disk of engine docker; this engine cannot \
                limit `disk`, another kind can (docs/limits.md)";
    assert_eq!(found, Finding::there("template shell", said));
    let none =
        link("[template.shell]\nimage = \"a\"\ndisk = \"1GiB\"\n[template.web]\nimage = \"a\"\ndisk = \"2GiB\"\n");
    assert_eq!(unlimited_disks(&none, "docker", all), None);
}
