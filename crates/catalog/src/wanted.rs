//! What the declarations want of the machine, as the doctor has to know it.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_doctor::{ImageNeed, MachineRequest, TemplateNeeds, Wanted};
use orchestrator_model::{HostId, ImagePin};
use orchestrator_store::Store;

use super::{Declared, Template};

/// The kind of engine that stacks images with overlayfs itself.
const STACKS: &str = "oci";

impl Declared {
    /// What the machine of this daemon has to do. `pins` are the images that versions of templates are pinned to;
    /// `neighbors` is the number of active leases and live instances. `instances` are the live instances on each bridge.
    pub fn wanted(&self, pins: &[ImagePin], neighbors: u64, instances: &BTreeMap<String, u64>) -> Wanted {
        let settings = self.settings();
        let links = settings.links.iter().filter(|link| !link.remote);
        let networks = settings.networks.iter().map(|network| network.bridge.clone());
        let of_kind = |engine: &str| settings.engines.get(engine).map(|engine| engine.kind);
        let templates: Vec<TemplateNeeds> = self.templates_in_use().map(|template| needs(template, pins)).collect();
        let engines = templates.iter().map(|template| template.engine.clone());
        Wanted {
            forwarding: self.forwarding_needs(),
            bridges: links.clone().map(|link| link.name.clone()).chain(networks).collect(),
            isolated: links
                .clone()
                .filter(|link| link.isolation.is_some())
                .map(|link| link.name.clone())
                .collect(),
            open: links
                .filter(|link| link.isolation.is_none())
                .filter_map(|link| Some((link.name.clone(), *instances.get(&link.name)?)))
                .collect(),
            neighbors,
            overlay: engines.filter(|engine| of_kind(engine) == Some(STACKS)).collect(),
            templates,
        }
    }

    /// What is to be examined of the machine. The site is for those to add who know it.
    pub fn machine_request(&self, wanted: &Wanted) -> MachineRequest {
        let settings = self.settings();
        let mut disks = Vec::new();
        if let Some(files) = Store::files_of(settings.store.url.as_str()) {
            let directory = files.path.parent().unwrap_or(&files.path).to_owned();
            disks.push(("the database".to_owned(), directory));
        }
        disks.push(("the volumes".to_owned(), settings.volumes.directory.clone()));
        MachineRequest {
            disks,
            bridges: wanted.bridges.clone(),
            has_isolation: !wanted.isolated.is_empty(),
            needs_overlay: !wanted.overlay.is_empty(),
            ..MachineRequest::default()
        }
    }

    /// What does not work unless the machine forwards packets.
    fn forwarding_needs(&self) -> Vec<String> {
        let settings = self.settings();
        let provides = settings.links.iter().any(|link| settings.provides(link));
        let relayed = provides && !settings.source.listener.relays.is_empty();
        let has_egress = self
            .templates_in_use()
            .any(|template| !template.settings.access.egress.is_empty());
        [
            (
                settings.delegates(),
                "clients cannot use the prefixes that are delegated to them",
            ),
            (relayed, "clients behind relay agents cannot reach their instances"),
            (
                settings.has_front_door(),
                "clients cannot reach their instances at the front door",
            ),
            (
                has_egress,
                "instances cannot reach what `egress` of their templates allows",
            ),
        ]
        .into_iter()
        .filter(|(is_needed, _)| *is_needed)
        .map(|(_, what)| what.to_owned())
        .collect()
    }
}

fn needs(template: &Template, pins: &[ImagePin]) -> TemplateNeeds {
    let settings = &template.settings;
    let pin = |image: &str| {
        let own = pins.iter().find(|pin| {
            pin.host.as_str() == HostId::LOCAL
                && (pin.template.as_str(), pin.version) == (template.name.as_str(), template.version)
                && (pin.engine.as_str(), pin.image.as_str()) == (settings.engine.as_str(), image)
        });
        own.map(|pin| pin.digest.clone())
    };
    let images: BTreeSet<&str> = settings
        .containers()
        .map(|(_, container)| container.image.as_str())
        .collect();
    TemplateNeeds {
        name: template.name.clone(),
        engine: settings.engine.clone(),
        images: images
            .into_iter()
            .map(|image| ImageNeed {
                name: image.to_owned(),
                digest: pin(image),
            })
            .collect(),
        capabilities: settings
            .needs()
            .iter()
            .map(|one| (one.code().to_owned(), one.to_string()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                        instances = \"fd39::2:0/112\"\ntemplate = \"web\"\n";
    const TEMPLATE: &str = "[template.web]\nimage = \"nginx\"\n";

    fn wanted(text: &str, pins: &[ImagePin]) -> Wanted {
        let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        let instances = BTreeMap::from([("br0".to_owned(), 901), ("br7".to_owned(), 3)]);
        Declared::new(Arc::new(settings), Vec::new()).wanted(pins, 7, &instances)
    }

    #[test]
    fn a_plain_link_wants_its_bridge_and_its_image() {
        let wanted = wanted(&format!("{LINK}isolation = false\n{TEMPLATE}"), &[]);
        assert_eq!(wanted.bridges, BTreeSet::from(["br0".to_owned()]));
        assert_eq!((wanted.forwarding.len(), wanted.neighbors), (0, 7));
        assert_eq!(wanted.open, BTreeMap::from([("br0".to_owned(), 901)]));
        assert_eq!(wanted.templates[0].images[0].wanted(), "nginx");
        assert!(wanted.isolated.is_empty() && wanted.overlay.is_empty(), "{wanted:?}");
    }

    #[test]
    fn each_reason_to_forward_is_named() {
        let delegates = format!("{LINK}[[link.delegation]]\npool = \"fd40::/48\"\nlength = 64\n{TEMPLATE}");
        assert!(wanted(&delegates, &[]).forwarding[0].contains("delegated"));
        let egress = format!("{LINK}isolation = true\n{TEMPLATE}egress = [\"2001:db8::/32\"]\n");
        let wanted = wanted(&egress, &[]);
        assert!(wanted.forwarding[0].contains("egress"), "{wanted:?}");
        assert_eq!(wanted.isolated, BTreeSet::from(["br0".to_owned()]));
        assert!(wanted.open.is_empty(), "{wanted:?}");
    }

    #[test]
    fn a_pinned_template_wants_its_digest() {
        let pin = ImagePin {
            template: "web".to_owned(),
            version: 0,
            host: HostId::local(),
            engine: "docker".to_owned(),
            image: "nginx".to_owned(),
            digest: "sha256:12".to_owned(),
            pinned: orchestrator_model::Timestamp(0),
        };
        let text = format!("{LINK}{TEMPLATE}");
        assert_eq!(
            wanted(&text, std::slice::from_ref(&pin)).templates[0].images[0].wanted(),
            "sha256:12"
        );
        let other = ImagePin { version: 3, ..pin };
        assert_eq!(wanted(&text, &[other]).templates[0].images[0].wanted(), "nginx");
    }
}
