//! What the settings and the database want of the machine.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What the machine has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What does not work unless the machine forwards packets, as sentences without a full stop.
    pub forwarding: Vec<String>,
    /// The bridges of links and networks.
    pub bridges: BTreeSet<String>,
    /// The links with isolation.
    pub isolated: BTreeSet<String>,
    /// The links on a bridge without isolation, each with its live instances. Every port of such a bridge gets what a
    /// client asks all of them.
    pub open: BTreeMap<String, u64>,
    /// Active leases and live instances: each may be a neighbour of the machine.
    pub neighbors: u64,
    /// The engines that stack images with overlayfs themselves.
    pub overlay: BTreeSet<String>,
    /// The templates that clients get.
    pub templates: Vec<TemplateNeeds>,
}

impl Wanted {
    /// The engines that templates use, each with the images that it is to have.
    pub fn images(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for template in &self.templates {
            let images = all.entry(template.engine.clone()).or_default();
            images.extend(template.images.iter().map(|image| image.wanted().to_owned()));
        }
        all
    }
}

/// What a template needs of its engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateNeeds {
    /// Its name.
    pub name: String,
    /// Its engine.
    pub engine: String,
    /// The images of its containers.
    pub images: Vec<ImageNeed>,
    /// The engine's capabilities that it uses: the word of each, and what the engine has to do.
    pub capabilities: BTreeMap<String, String>,
}

/// An image that a template needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageNeed {
    /// The name in the template.
    pub name: String,
    /// The image that the version in force is pinned to.
    pub digest: Option<String>,
}

impl ImageNeed {
    /// What the engine has to have.
    pub fn wanted(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.name)
    }
}
