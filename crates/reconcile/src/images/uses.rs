//! What uses an image. Pure.

use std::fmt;

use orchestrator_catalog::Declared;
use orchestrator_model::{HostId, Image, is_same_image};
use orchestrator_store::ImageUses;

use super::pins::image_names;

/// What uses an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A template in force names it, or is pinned to it.
    InForce(String),
    /// Another version of a template, which is declared or which a live instance has, is pinned to it.
    Pinned {
        /// The template.
        template: String,
        /// Its version.
        version: u64,
    },
    /// A container of a live instance names it.
    Container(String),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce(template) => write!(f, "template {template}"),
            Self::Pinned { template, version } => write!(f, "template {template}, version {version}"),
            Self::Container(image) => write!(f, "an instance of {image}"),
        }
    }
}

/// Everything that uses an image of an engine.
pub fn uses_of(image: &Image, (host, engine): (&HostId, &str), declared: &Declared, uses: &ImageUses) -> Vec<Use> {
    let is_it = |name: &str| {
        let mut names = image.names.iter().chain(&image.digests).chain([&image.id]);
        names.any(|own| is_same_image(name, own))
    };
    let on_engine = |of: &HostId, on: &str| of == host && on == engine;
    let pins = uses.pins.iter();
    let pins = pins.filter(|pin| on_engine(&pin.host, &pin.engine) && is_same_image(&pin.digest, &image.id));
    let pinned = pins.map(|pin| {
        let in_force = declared.template(&pin.template).map(|template| template.version);
        match in_force == Some(pin.version) {
            true => Use::InForce(pin.template.clone()),
            false => Use::Pinned {
                template: pin.template.clone(),
                version: pin.version,
            },
        }
    });
    let templates = declared
        .templates()
        .chain(declared.covered())
        .chain(declared.of_services());
    let templates = templates.filter(|template| {
        template.settings.engine == engine && image_names(&template.settings).into_iter().any(is_it)
    });
    let named = templates.map(|template| Use::InForce(template.name.clone()));
    let containers = uses.containers.iter();
    let containers = containers.filter(|one| on_engine(&one.host, &one.engine) && is_it(&one.image));
    let contained = containers.map(|one| Use::Container(one.image.clone()));
    let mut found: Vec<Use> = pinned.chain(named).chain(contained).collect();
    found.sort();
    found.dedup();
    found
}
