//! Checks that everything that the settings name exists. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use orchestrator_network::Network;
use orchestrator_plugin::{Capabilities, Capability, Engine, EngineError, ImageFacts};
use orchestrator_quota::Enforcement;

use super::check::Finding;
use orchestrator_catalog::{Declared, Template};
use orchestrator_model::{HostId, Id, ImagePin, LeaseSource, Mark};
use orchestrator_runtime::access::{self, Access};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{KeyFile, SecretsError, find_key};
use orchestrator_settings::{ApiSettings, LinkSettings, Listen, Settings};
use orchestrator_store::{Found, SealedRows, Store};

/// Checks everything that the settings name, in the order in which the daemon needs it.
pub(super) async fn all(declared: &Declared, pins: &[ImagePin]) -> Vec<Finding> {
    let settings: &Settings = declared.settings();
    let mut findings = vec![
        privileges(settings),
        database(settings).await,
        identity(settings),
        sealing_key(settings).await,
    ];
    findings.extend(api(settings));
    findings.extend(bridges(settings).await);
    findings.extend(engines(declared, pins).await);
    let support = orchestrator_quota::support(&settings.volumes.directory);
    findings.extend(sizes(declared, &support));
    findings
}

async fn database(settings: &Settings) -> Finding {
    let url = &settings.store.url;
    match Store::look(url.as_str()).await {
        Ok(Found::Database) => Finding::there("database", url.to_string()),
        Ok(Found::NoFileYet) => Finding::there("database", format!("{url}: the daemon makes it")),
        Err(error) => Finding::missing("database", with_causes(&error)),
    }
}

fn identity(settings: &Settings) -> Finding {
    let file = settings.store.identity.display();
    match Store::look_for_identity(&settings.store.identity) {
        Ok(true) => Finding::there("identity", file.to_string()),
        Ok(false) => Finding::there("identity", format!("{file}: the daemon makes it")),
        Err(error) => Finding::missing("identity", with_causes(&error)),
    }
}

/// Whether the key file opens the secrets in the database.
async fn sealing_key(settings: &Settings) -> Finding {
    let name = "key file";
    let file = KeyFile::at(&settings.secrets.key_file);
    let path = file.path().display();
    if let Ok(Some(rows)) = SealedRows::beside(settings.store.url.as_str()).await {
        let key = find_key(&rows, &file).await;
        rows.close().await;
        match key {
            Ok(key) => return Finding::there(name, format!("{path}: the key {key} of the secrets in the database")),
            // The finding of the database reports its faults.
            Err(SecretsError::Nothing | SecretsError::Store(_)) => {}
            Err(fault) => return Finding::missing(name, with_causes(&fault)),
        }
    }
    match file.read() {
        Ok(Some(keys)) => Finding::there(name, format!("{path}: the key {}", keys.newest().id())),
        Ok(None) => Finding::there(name, format!("{path}: the daemon makes it")),
        Err(fault) => Finding::missing(name, with_causes(&fault)),
    }
}

/// The users of each endpoint of the API. If the settings name a group that does not exist, that is a finding. If only
/// the default group does not exist, root can still use the API.
fn api(settings: &Settings) -> Vec<Finding> {
    let ApiSettings { listen, group } = &settings.api;
    let access = Access::of(group);
    let lacks_group = access.group_id().is_none() && !group.is_empty() && *group != ApiSettings::default().group;
    let find = |listen: &Listen| {
        let subject = format!("api {listen}");
        match listen {
            Listen::Unix(_) if lacks_group => Finding::missing(subject, access.describe_socket()),
            Listen::Unix(_) => Finding::there(subject, access.describe_socket()),
            Listen::Tcp(_) => Finding::there(subject, access::OPEN_TO_ALL),
        }
    };
    listen.iter().map(find).collect()
}

/// A privilege that the daemon needs.
struct Privilege {
    /// Its bit in capabilities(7).
    bit: u32,
    name: &'static str,
    /// Whether these settings need it.
    needed: fn(&Settings) -> bool,
}

const PRIVILEGES: [Privilege; 7] = [
    Privilege {
        bit: 12,
        name: "CAP_NET_ADMIN",
        needed: |settings| !settings.links.is_empty(),
    },
    Privilege {
        bit: 10,
        name: "CAP_NET_BIND_SERVICE",
        needed: has_listener,
    },
    Privilege {
        bit: 13,
        name: "CAP_NET_RAW",
        needed: |settings| {
            let raw = |link: &LinkSettings| link.advertisement.is_some() || link.neighbors.is_some();
            settings.links.iter().any(raw)
        },
    },
    Privilege {
        bit: 1,
        name: "CAP_DAC_OVERRIDE",
        needed: has_volume,
    },
    Privilege {
        bit: 3,
        name: "CAP_FOWNER",
        needed: has_volume,
    },
    Privilege {
        bit: 21,
        name: "CAP_SYS_ADMIN",
        needed: has_template,
    },
    Privilege {
        bit: 19,
        name: "CAP_SYS_PTRACE",
        needed: has_template,
    },
];

fn has_listener(settings: &Settings) -> bool {
    settings.links.iter().any(|link| link.source == LeaseSource::Listener)
}

fn has_template(settings: &Settings) -> bool {
    !settings.templates_in_use().is_empty()
}

fn has_volume(settings: &Settings) -> bool {
    settings.templates.values().any(|template| !template.volumes.is_empty())
}

fn privileges(settings: &Settings) -> Finding {
    let status = match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => status,
        Err(error) => return Finding::missing("privileges", format!("cannot read /proc/self/status: {error}")),
    };
    let lacking = lacking(settings, effective(&status));
    if lacking.is_empty() {
        return Finding::there("privileges", "");
    }
    let what = lacking.join(", ");
    Finding::missing(
        "privileges",
        format!("this process has no {what}; run the daemon as root or by its systemd unit"),
    )
}

fn effective(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn lacking(settings: &Settings, effective: u64) -> Vec<&'static str> {
    let lacking = PRIVILEGES
        .iter()
        .filter(|each| (each.needed)(settings) && effective & (1 << each.bit) == 0);
    lacking.map(|each| each.name).collect()
}

async fn bridges(settings: &Settings) -> Vec<Finding> {
    if settings.links.iter().all(|link| link.remote) && settings.networks.is_empty() {
        return Vec::new();
    }
    let network = match Network::open() {
        Ok(network) => network,
        Err(error) => return vec![Finding::missing("links", with_causes(&error))],
    };
    let mut findings = Vec::new();
    let links = settings.links.iter().filter(|link| !link.remote);
    let links = links.map(|link| (format!("link {}", link.name), &link.name, link.create));
    let networks = settings.networks.iter();
    let networks = networks.map(|network| (format!("network {}", network.name), &network.bridge, network.create));
    for (subject, bridge, create) in links.chain(networks) {
        findings.push(match network.find_bridge(bridge).await {
            Ok(Some(_)) => Finding::there(subject, ""),
            Ok(None) if create => Finding::there(subject, "will be made"),
            Ok(None) => Finding::missing(subject, format!("make bridge {bridge}, or set create = true")),
            Err(error) => Finding::missing(subject, with_causes(&error)),
        });
    }
    findings
}

/// Checks each engine that a template in use names, with every image of these templates.
async fn engines(declared: &Declared, pins: &[ImagePin]) -> Vec<Finding> {
    let images = images(declared);
    let needs = needs(declared);
    // Nothing is created or listed here, so the mark does not matter.
    let mark = Mark {
        site: Id::from_bytes([0; 6]),
    };
    let mut findings = Vec::new();
    for engine in declared.settings().engines.build(mark) {
        if let Some(images) = images.get(engine.name()) {
            findings.extend(probe_engine(engine.as_ref(), images, declared, pins).await);
            // An engine that does not answer has its finding already.
            if let Ok(capabilities) = engine.learn_capabilities().await {
                findings.extend(cannot(engine.name(), capabilities, &needs));
                findings.extend(disks(declared, engine.name(), capabilities));
            }
        }
    }
    findings
}

async fn probe_engine(
    engine: &dyn Engine,
    images: &BTreeSet<&str>,
    declared: &Declared,
    pins: &[ImagePin],
) -> Vec<Finding> {
    let subject = format!("engine {}", engine.name());
    let found = match engine.check().await {
        Ok(facts) => match engine.check_equipment().await {
            Ok(()) => Finding::there(subject, format!("{} {}", facts.name, facts.version)),
            Err(error) => Finding::missing(subject, with_causes(&error)),
        },
        Err(error) => return vec![Finding::missing(subject, with_causes(&error))],
    };
    let mut findings = vec![found];
    for image in images {
        let users = templates_of(declared, engine.name(), image);
        let answer = engine.check_image(image).await;
        let pins = pins_of(declared, engine.name(), image, pins);
        findings.push(found_image(image, engine.name(), &users, answer, pins.is_empty()));
        for pin in pins {
            let answer = engine.check_image(&pin.digest).await;
            findings.extend(found_pin(pin, answer));
        }
    }
    findings
}

/// What the templates in use are pinned to for this image on this engine.
fn pins_of<'p>(declared: &Declared, engine: &str, image: &str, pins: &'p [ImagePin]) -> Vec<&'p ImagePin> {
    let is_in_force = |pin: &ImagePin| {
        let mut templates = declared.templates_in_use();
        templates.any(|template| (template.name.as_str(), template.version) == (pin.template.as_str(), pin.version))
    };
    let own = pins.iter();
    let own = own.filter(|pin| pin.host.as_str() == HostId::LOCAL && pin.engine == engine && pin.image == image);
    own.filter(|pin| is_in_force(pin)).collect()
}

/// A finding about a pinned image that is gone. Whether the engine answers is a finding of its own.
fn found_pin(pin: &ImagePin, answer: Result<ImageFacts, EngineError>) -> Option<Finding> {
    let ImagePin {
        template,
        version,
        engine,
        image,
        digest,
        ..
    } = pin;
    match answer {
        Err(EngineError::ImageMissing { .. }) => Some(Finding::missing(
            format!("image {image}"),
            format!(
                "template {template}, version {version}, is pinned to {digest}, which engine {engine} does not have any \
                 more; load or pull it again, or run `orchestrator template update {template}`"
            ),
        )),
        _ => None,
    }
}

/// The templates in use that need this image on this engine.
fn templates_of<'d>(declared: &'d Declared, engine: &str, image: &str) -> Vec<&'d str> {
    let needs = |template: &&Template| {
        let settings = &template.settings;
        let mut containers = settings.containers();
        settings.engine == engine && containers.any(|(_, container)| container.image == image)
    };
    let users = declared.templates_in_use().filter(needs);
    users.map(|template| template.name.as_str()).collect()
}

/// The images of the templates in use, by engine.
fn images(declared: &Declared) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut images: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for template in declared.templates_in_use().map(|template| &template.settings) {
        let needed = images.entry(&template.engine).or_default();
        needed.extend(template.containers().map(|(_, container)| container.image.as_str()));
    }
    images
}

/// For each template in use, the capabilities that its engine needs: name, engine, capabilities.
fn needs(declared: &Declared) -> Vec<(&str, &str, Capabilities)> {
    let templates = declared.templates_in_use();
    let of = templates.map(|template| {
        let settings = &template.settings;
        (template.name.as_str(), settings.engine.as_str(), settings.needs())
    });
    of.collect()
}

/// One finding for each thing that a template needs and its engine cannot.
fn cannot(engine: &str, capabilities: Capabilities, needs: &[(&str, &str, Capabilities)]) -> Vec<Finding> {
    let own = needs.iter().filter(|(_, name, _)| *name == engine);
    let lacking = own.flat_map(|(template, name, needed)| {
        let lacking = needed.iter().filter(|one| !capabilities.has(*one));
        lacking.map(move |one| {
            let what = format!("engine {name} cannot {one}; use another engine for it, or do without");
            Finding::wrong(format!("template {template}"), what)
        })
    });
    lacking.collect()
}

/// One finding for each template in use whose volumes have a size: whether anything enforces it.
fn sizes(declared: &Declared, support: &io::Result<Enforcement>) -> Vec<Finding> {
    let directory = declared.settings().volumes.directory.display();
    let templates = declared.templates_in_use();
    let limited = templates.filter(|template| template.settings.volumes.iter().any(|volume| volume.size.is_some()));
    let finding = |template: &orchestrator_catalog::Template| {
        let what = match support {
            Ok(Enforcement::Enforced) => format!("the sizes of its volumes are enforced in {directory}"),
            Ok(Enforcement::Missing(obstacle)) => format!(
                "the sizes of its volumes are not enforced in {directory}: {obstacle}; instances can fill that disk"
            ),
            Err(fault) => format!("cannot see whether {directory} enforces the sizes of its volumes: {fault}"),
        };
        Finding::there(format!("template {}", template.name), what)
    };
    limited.map(finding).collect()
}

/// One finding for each template in use on an engine that has a limit of the disk: how far that is enforced.
fn disks(declared: &Declared, engine: &str, capabilities: Capabilities) -> Vec<Finding> {
    let has_limit = |template: &&Template| {
        let mut containers = template.settings.containers();
        template.settings.engine == engine && containers.any(|(_, container)| container.resources.disk.is_some())
    };
    let what = match capabilities.has(Capability::Disk) {
        true => format!(
            "its `disk` is measured, and an instance that is over it is removed; an engine of kind oci whose state is on \
             btrfs with quotas has the kernel refuse more ({engine})"
        ),
        false => format!("its `disk` is not enforced: engine {engine} cannot measure it"),
    };
    let limited = declared.templates_in_use().filter(has_limit);
    limited
        .map(|template| Finding::there(format!("template {}", template.name), what.clone()))
        .collect()
}

/// A finding about an image by its name. Instances of templates that are pinned do not need the name any more.
fn found_image(
    image: &str,
    engine: &str,
    users: &[&str],
    answer: Result<ImageFacts, EngineError>,
    is_needed: bool,
) -> Finding {
    let subject = format!("image {image}");
    match answer {
        Ok(facts) if facts.has_health_check => Finding::there(
            subject,
            "its HEALTHCHECK is not run: `ready` in the template says what is healthy",
        ),
        Ok(_) => Finding::there(subject, ""),
        Err(EngineError::ImageMissing { .. }) if !is_needed => Finding::there(
            subject,
            format!("engine {engine} has no image of this name any more; instances have the one that was pinned"),
        ),
        Err(error) => {
            let (users, reason) = (users.join(", "), with_causes(&error));
            Finding::missing(
                subject,
                format!("template {users} needs it on engine {engine}: {reason}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        orchestrator_settings::parse(text, std::iter::empty()).unwrap()
    }

    fn declared(settings: Settings) -> Declared {
        Declared::new(std::sync::Arc::new(settings), Vec::new())
    }

    #[test]
    fn privileges_are_read_and_missing_ones_named() {
        let settings = settings(include_str!("../../../settings.toml"));
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
}
