//! Checks the engines: what they can do, and whether they have the images of the templates.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use orchestrator_catalog::{Declared, Template};
use orchestrator_model::{HostId, Id, ImagePin, Mark};
use orchestrator_plugin::{Capabilities, Capability, Engine, EngineError, ImageFacts};
use orchestrator_quota::Enforcement;
use orchestrator_runtime::causes::with_causes;

use crate::check::Finding;

/// Checks each engine that a template in use names, with every image of these templates.
pub(super) async fn engines(declared: &Declared, pins: &[ImagePin]) -> Vec<Finding> {
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
                findings.extend(unlimited_disks(declared, engine.name(), capabilities));
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
pub(super) fn pins_of<'p>(declared: &Declared, engine: &str, image: &str, pins: &'p [ImagePin]) -> Vec<&'p ImagePin> {
    let is_in_force = |pin: &ImagePin| {
        let mut templates = declared.templates_in_use();
        templates.any(|template| (template.name.as_str(), template.version) == (pin.template.as_str(), pin.version))
    };
    let own = pins.iter();
    let own = own.filter(|pin| pin.host.as_str() == HostId::LOCAL && pin.engine == engine && pin.image == image);
    own.filter(|pin| is_in_force(pin)).collect()
}

/// A finding about a pinned image that is gone. Whether the engine answers is a finding of its own.
pub(super) fn found_pin(pin: &ImagePin, answer: Result<ImageFacts, EngineError>) -> Option<Finding> {
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
pub(super) fn templates_of<'d>(declared: &'d Declared, engine: &str, image: &str) -> Vec<&'d str> {
    let needs = |template: &&Template| {
        let settings = &template.settings;
        let mut containers = settings.containers();
        settings.engine == engine && containers.any(|(_, container)| container.image == image)
    };
    let users = declared.templates_in_use().filter(needs);
    users.map(|template| template.name.as_str()).collect()
}

/// The images of the templates in use, by engine.
pub(super) fn images(declared: &Declared) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut images: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for template in declared.templates_in_use().map(|template| &template.settings) {
        let needed = images.entry(&template.engine).or_default();
        needed.extend(template.containers().map(|(_, container)| container.image.as_str()));
    }
    images
}

/// For each template in use, the capabilities that its engine needs: name, engine, capabilities.
pub(super) fn needs(declared: &Declared) -> Vec<(&str, &str, Capabilities)> {
    let templates = declared.templates_in_use();
    let of = templates.map(|template| {
        let settings = &template.settings;
        (template.name.as_str(), settings.engine.as_str(), settings.needs())
    });
    of.collect()
}

/// One finding for each thing that a template needs and its engine cannot.
pub(super) fn cannot(engine: &str, capabilities: Capabilities, needs: &[(&str, &str, Capabilities)]) -> Vec<Finding> {
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
pub(super) fn sizes(declared: &Declared, support: &io::Result<Enforcement>) -> Vec<Finding> {
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
pub(super) fn disks(declared: &Declared, engine: &str, capabilities: Capabilities) -> Vec<Finding> {
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

/// One finding for all templates in use on an engine with a container that no `disk` limits.
pub(super) fn unlimited_disks(declared: &Declared, engine: &str, capabilities: Capabilities) -> Option<Finding> {
    let has_none = |template: &&Template| {
        let mut containers = template.settings.containers();
        template.settings.engine == engine && containers.any(|(_, container)| container.resources.disk.is_none())
    };
    let names: Vec<&str> = (declared.templates_in_use().filter(has_none))
        .map(|template| template.name.as_str())
        .collect();
    let subject = match names.as_slice() {
        [] => return None,
        [name] => format!("template {name}"),
        names => format!("templates {}", names.join(", ")),
    };
    let mend = match capabilities.has(Capability::Disk) {
        true => "set `disk`",
        false => "this engine cannot limit `disk`, another kind can (docs/limits.md)",
    };
    let what = format!("no `disk` limits what is written: an instance can fill the disk of engine {engine}; {mend}");
    Some(Finding::there(subject, what))
}

/// A finding about an image by its name. Instances of templates that are pinned do not need the name any more.
pub(super) fn found_image(
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
