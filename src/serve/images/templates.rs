//! The images of templates: what they are pinned to, and what their names mean now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use orchestrator_api::{Caller, ControlError, Meaning, TemplateImage};
use orchestrator_catalog::Template;
use orchestrator_host::{Cause, HostError};
use orchestrator_model::{EngineError, HostId, ImagePin};
use orchestrator_reconcile::images::{image_names, pins_images};
use orchestrator_store::{NewPin, StoreError};
use tokio::time::timeout;

use super::{Images, failed};

/// How long a list of templates waits for the engines.
const PATIENCE: Duration = Duration::from_secs(3);

/// Images that are asked for at the same time.
const AT_ONCE: usize = 8;

/// A name or an id of an image on an engine.
type Asked = (String, String);

impl Images {
    /// The images of each of these templates.
    pub(super) async fn images_of(&self, templates: &[Template]) -> Result<Vec<Vec<TemplateImage>>, StoreError> {
        let pins = match templates {
            [one] => self.store.image_pins(&one.name, one.version).await?,
            _ => self.store.image_uses().await?.pins,
        };
        let all: Vec<Vec<TemplateImage>> = templates.iter().map(|template| self.unasked(template, &pins)).collect();
        let names = all.iter().flatten();
        let names: BTreeSet<Asked> = names.map(|image| (image.engine.clone(), image.image.clone())).collect();
        let mut known = self.ask(names).await;
        // That a name still means the pinned image says that the image is there, too.
        let moved = all.iter().flatten().filter_map(|image| {
            let pin = image.pin.as_ref()?;
            let now = known.get(&(image.engine.clone(), image.image.clone()));
            let is_same = matches!(now, Some(Meaning::Image(id)) if *id == pin.digest);
            (!is_same).then(|| (image.engine.clone(), pin.digest.clone()))
        });
        let moved = self.ask(moved.collect()).await;
        known.extend(moved);
        let answered = |image: TemplateImage| answered(image, &known);
        Ok(all
            .into_iter()
            .map(|images| images.into_iter().map(answered).collect())
            .collect())
    }

    fn unasked(&self, template: &Template, pins: &[ImagePin]) -> Vec<TemplateImage> {
        let (host, engine) = (HostId::new(self.host.name()), &template.settings.engine);
        if !pins_images(self.host.as_ref(), engine) {
            return Vec::new();
        }
        let names = image_names(&template.settings).into_iter();
        let of = |image: &str| TemplateImage {
            host: host.clone(),
            engine: engine.clone(),
            image: image.to_owned(),
            pin: pins.iter().find(|pin| is_pin(pin, template, &host, image)).cloned(),
            now: Meaning::Unknown,
            is_there: None,
        };
        names.map(of).collect()
    }

    /// What each of these means. What the engines have not said within the limit is left out.
    async fn ask(&self, images: BTreeSet<Asked>) -> BTreeMap<Asked, Meaning> {
        let mut known = BTreeMap::new();
        let asked = stream::iter(images).map(|(engine, image)| async move {
            let found = self.host.find_image(&engine, &image).await;
            let meaning = match found {
                Ok(facts) => Meaning::Image(facts.id),
                Err(fault) if is_missing(&fault) => Meaning::Missing,
                Err(_) => Meaning::Unknown,
            };
            ((engine, image), meaning)
        });
        let mut answers = asked.buffer_unordered(AT_ONCE);
        let all = async {
            while let Some((image, meaning)) = answers.next().await {
                known.insert(image, meaning);
            }
        };
        // The rest is unknown.
        let _ = timeout(PATIENCE, all).await;
        known
    }

    /// Pins a template to what its names mean now.
    pub(super) async fn update(
        &self,
        by: &Caller,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Template, ControlError> {
        let declared = self.catalog.current();
        let template = declared
            .template(name)
            .ok_or_else(|| StoreError::NoSuchTemplate(name.to_owned()))?;
        if let Some(expected) = expected.filter(|expected| *expected != template.version) {
            return Err(ControlError::Store(StoreError::TemplateChanged {
                name: name.to_owned(),
                version: template.version,
                expected,
            }));
        }
        let engine = &template.settings.engine;
        if !pins_images(self.host.as_ref(), engine) {
            return Err(ControlError::Refused {
                reason: format!(
                    "template {name} runs on engine {engine}, which pins no images: a container has what the name of its image means when it is made"
                ),
            });
        }
        let mut pins = Vec::new();
        for image in image_names(&template.settings) {
            pins.push(NewPin {
                host: HostId::new(self.host.name()),
                engine: engine.clone(),
                image: image.to_owned(),
                digest: self.host.find_image(engine, image).await.map_err(failed)?.id,
            });
        }
        let before = self.store.image_pins(name, template.version).await?;
        let same = |pin: &NewPin| {
            let mut before = before.iter();
            before.any(|old| is_pin(old, template, &pin.host, &pin.image) && old.digest == pin.digest)
        };
        if pins.iter().all(same) {
            return Ok(template.clone());
        }
        let by = by.to_string();
        let renewed = self
            .store
            .renew_template(
                name,
                template.origin,
                template.version,
                pins,
                Some(&by),
                self.clock.now(),
            )
            .await?;
        tracing::info!(
            template = name,
            version = renewed.version,
            by,
            "template updated to the present images"
        );
        self.catalog.refresh().await;
        self.swept.activate();
        Ok(Template {
            version: renewed.version,
            changed: renewed.changed,
            ..template.clone()
        })
    }
}

fn is_pin(pin: &ImagePin, template: &Template, host: &HostId, image: &str) -> bool {
    (pin.template.as_str(), pin.version) == (template.name.as_str(), template.version)
        && (&pin.host, pin.engine.as_str(), pin.image.as_str()) == (host, template.settings.engine.as_str(), image)
}

fn answered(image: TemplateImage, known: &BTreeMap<Asked, Meaning>) -> TemplateImage {
    let of = |name: &str| {
        let found = known.get(&(image.engine.clone(), name.to_owned()));
        found.cloned().unwrap_or(Meaning::Unknown)
    };
    let now = of(&image.image);
    let is_there = image.pin.as_ref().and_then(|pin| match &now {
        Meaning::Image(id) if *id == pin.digest => Some(true),
        _ => match of(&pin.digest) {
            Meaning::Image(_) => Some(true),
            Meaning::Missing => Some(false),
            Meaning::Unknown => None,
        },
    });
    TemplateImage { now, is_there, ..image }
}

fn is_missing(fault: &HostError) -> bool {
    matches!(
        fault,
        HostError::Images {
            source: Cause::Engine(EngineError::ImageMissing { .. }),
            ..
        }
    )
}
