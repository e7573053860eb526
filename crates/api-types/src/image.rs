//! Images on the engines, and the registries that they come from.

use orchestrator_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{Problem, scalar};

/// An image on an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The engine that has it.
    pub engine: String,
    /// The digest of its content, by which the engine knows it. A template may name the image by it.
    pub id: String,
    /// Its names, such as `registry.example/web:1.2`. An image whose names were all given to other images has none.
    pub names: Vec<String>,
    /// The digests by which registries know it, `registry.example/web@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes that it takes, with those that it shares with other images; `null` when the engine does not count them.
    pub size: Option<u64>,
    /// When it was built, as it says itself.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub created: Option<Timestamp>,
    /// When a container was last made from it; `null` when the engine does not record this.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub used: Option<Timestamp>,
    /// The templates that name it.
    pub templates: Vec<String>,
    /// Whether it was loaded or fetched through this daemon. No other image is ever removed by rule.
    #[serde(default)]
    pub ours: bool,
    /// How it was brought; `null` if it is not ours.
    #[serde(default)]
    pub source: Option<ImageSource>,
    /// When it was brought.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub brought: Option<Timestamp>,
    /// Who brought it.
    #[serde(default)]
    pub by: Option<String>,
    /// What uses it: templates that name it, versions of templates that are pinned to it, instances.
    #[serde(default)]
    pub used_by: Vec<String>,
    /// Since when nothing uses it; `null` while something does, and for images that are not ours.
    #[serde(default)]
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub unused: Option<Timestamp>,
}

words! {
    /// How an image was brought to its engine.
    pub enum ImageSource {
        /// From an archive.
        Loaded = "loaded",
        /// From a registry.
        Pulled = "pulled",
    }
}

words! {
    /// What became of an image when unused images were removed.
    pub enum PruneOutcome {
        /// It stays: something uses it.
        Used = "used",
        /// It stays: it is among the newest unused images of its repository.
        Newest = "newest",
        /// It would have been removed.
        WouldGo = "would-go",
        /// It was removed.
        Removed = "removed",
        /// Its engine did not remove it.
        Failed = "failed",
    }
}

words! {
    /// Whether instances of a template have the image that its name means.
    pub enum TemplateImageState {
        /// They have what the name means now, or meant when it was pinned if it means nothing now.
        Pinned = "pinned",
        /// They have the image that the name meant when it was pinned. Now it means a newer one.
        Newer = "newer",
        /// The engine does not have the pinned image any more.
        Gone = "gone",
        /// The engine has no such image, and none is pinned yet.
        Missing = "missing",
        /// The engine has the image. It is pinned when it is first used.
        Unpinned = "unpinned",
        /// The engine did not answer.
        Unknown = "unknown",
    }
}

/// An image of a template on an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateImage {
    /// The host.
    pub host: String,
    /// The engine.
    pub engine: String,
    /// The name in the template.
    pub image: String,
    /// The id of the image that instances of this version have; `null` until the version is first used there.
    pub digest: Option<String>,
    /// When the name was resolved.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub pinned: Option<Timestamp>,
    /// The id of the image that the name means now; `null` if there is none or the engine did not answer.
    pub present: Option<String>,
    /// How the two compare.
    pub state: TemplateImageState,
}

/// Which unused images are removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneImages {
    /// Of the unused images of one repository, so many of the newest stay. Default: `images.keep` of the settings.
    #[serde(default)]
    pub keep: Option<u16>,
    /// Whether nothing is removed, and the answer only says what would be.
    #[serde(default)]
    pub dry_run: bool,
}

/// An image that was brought, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrunedImage {
    /// The image.
    pub image: Image,
    /// What became of it.
    pub outcome: PruneOutcome,
    /// Why its engine did not remove it.
    pub reason: Option<String>,
}

/// The result of a removal of unused images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrunedImages {
    /// Every image that was brought, by engine.
    pub items: Vec<PrunedImage>,
    /// The engines that did not answer, and why.
    pub faults: Vec<EngineFault>,
}

/// The images of all engines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Images {
    /// The images, by engine.
    pub items: Vec<Image>,
    /// The cursor of the next page. There is none: all images are on one page.
    pub next: Option<String>,
    /// The engines whose images are not among these, and why.
    pub faults: Vec<EngineFault>,
}

/// An engine that did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineFault {
    /// The engine.
    pub engine: String,
    /// Why it did not, and what to do.
    pub reason: String,
}

/// Selects the images of one engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageQuery {
    /// The engine. It may be left out when there is one engine only; a list then has the images of all.
    pub engine: Option<String>,
}

/// Selects the image that is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveImageQuery {
    /// A name, which is removed from its image, and the image with its last name; or the id of an image, which is
    /// removed with all its names.
    pub image: String,
    /// The engine. It may be left out when there is one engine only.
    pub engine: Option<String>,
}

/// An image that is to be fetched from its registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullImage {
    /// The image: `registry.example/web:1.2`. Without a tag it is `latest`.
    pub image: String,
    /// The engine that fetches it. It may be left out when there is one engine only.
    #[serde(default)]
    pub engine: Option<String>,
}

/// A step of a pull. The last one has either `image` or `problem`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PullStep {
    /// The part of the image that this is about, such as a layer; `null` for the whole image.
    pub part: Option<String>,
    /// What is being done to it, in the engine's words.
    pub status: String,
    /// Bytes done, where the engine counts them.
    pub done: Option<u64>,
    /// Bytes in all, where the engine counts them.
    pub total: Option<u64>,
    /// The image, once it is there.
    pub image: Option<Image>,
    /// Why it could not be fetched.
    pub problem: Option<Problem>,
}

/// The user by whom images are fetched from a registry. The password is sealed, and never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryLogin {
    /// The user's name.
    pub user: String,
    /// The user's password, or a token in its place.
    pub password: String,
}

/// A registry whose password is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registry {
    /// The registry: `registry.example` or `registry.example:5000`.
    pub host: String,
    /// When its password was given.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
}
