//! Pins the images of templates, and removes images that nothing uses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_catalog::{Declared, View};
use orchestrator_host::{Host, HostError};
use orchestrator_model::{Clock, HostId, ImagePin, is_same_image};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::Current;

use super::pins::{Pins, image_names, is_missing, lists_images, pins_images};
use super::rule::Rule;
use super::sweep::{Order, Sweeper};
use super::{ImageRecords, Outcome};
use crate::driver::{Backoff, Driver, Failure, Handle, Next, Reconciler, Registration, Run};

/// An image may become unused, or be removed by somebody else, at any time.
const PERIOD: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// The environment of the reconciler of images.
#[derive(Clone)]
pub struct Parts {
    /// Where images are recorded.
    pub records: Arc<dyn ImageRecords>,
    /// Knows what versions of templates are pinned to.
    pub pins: Pins,
    /// The machines that have the images, each under its name.
    pub hosts: Vec<Arc<dyn Host>>,
    /// The templates.
    pub catalog: View,
    /// The settings, which have the rule.
    pub settings: Current,
    /// Counts the time for which images are not used.
    pub clock: Clock,
    /// Where it counts.
    pub metrics: Metrics,
}

/// Has the driver pin and remove images. The handle makes it look at once; by the sweeper, somebody else removes images.
pub fn register(driver: &Driver, parts: Parts) -> (Handle, Sweeper) {
    let purpose = "pins templates to images, and removes images that nothing uses any more";
    let registration = Registration::new("images", purpose)
        .every(PERIOD)
        .following_settings()
        .retrying(Backoff::new(FIRST_RETRY, PERIOD));
    let sweeper = Sweeper::new(&parts);
    let images = Images {
        sweeper: sweeper.clone(),
        parts,
    };
    (driver.register(registration, images), sweeper)
}

struct Images {
    parts: Parts,
    sweeper: Sweeper,
}

#[async_trait]
impl Reconciler for Images {
    /// What is declared is pinned as soon as it is declared, so that it does not matter when the first client comes.
    async fn notified(&mut self) {
        self.parts.catalog.changed().await;
    }

    /// An engine that does not answer holds up no other.
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let mut faults = self.pin().await;
        faults.extend(self.count().await?);
        let settings = self.parts.settings.get();
        let order = Order {
            rule: Rule {
                unused: settings.images.unused,
                keep: settings.images.keep,
            },
            remove: true,
            by: None,
        };
        let sweep = self.sweeper.sweep(&order).await.map_err(|fault| Failure::of(&fault))?;
        faults.extend(sweep.faults.into_iter().map(|(_, reason)| reason));
        for swept in sweep.images {
            if let Outcome::Failed(reason) = swept.outcome {
                tracing::debug!(image = swept.image.key.id, reason, "an unused image stays");
            }
        }
        faults.sort();
        faults.dedup();
        match faults.is_empty() {
            true => Ok(Next::Wait),
            false => Err(faults.join("; ").into()),
        }
    }
}

impl Images {
    /// Pins every image of the templates in use on every machine that has the engine.
    async fn pin(&self) -> Vec<String> {
        let declared = self.parts.catalog.current();
        let mut faults = Vec::new();
        for template in declared.templates_in_use() {
            let engine = template.settings.engine.as_str();
            for host in &self.parts.hosts {
                let id = HostId::new(host.name());
                for image in image_names(&template.settings) {
                    let of = (template.name.as_str(), template.version);
                    if let Err(fault) = self.parts.pins.digest(of, (&id, engine), image).await {
                        faults.push(with_causes(&fault));
                    }
                }
            }
        }
        faults
    }

    /// Counts the images of templates in use: those that are pinned, those that are gone, and those that never were there.
    async fn count(&self) -> Result<Vec<String>, Failure> {
        let uses = self
            .parts
            .records
            .image_uses()
            .await
            .map_err(|fault| Failure::of(&fault))?;
        let declared = self.parts.catalog.current();
        let (mut there, mut gone, mut missing, mut faults) = (0, 0, 0, Vec::new());
        for host in &self.parts.hosts {
            let id = HostId::new(host.name());
            let mut wanted: BTreeMap<&str, Vec<Option<&ImagePin>>> = BTreeMap::new();
            for (engine, pin) in wanted_on(&declared, &uses.pins, &id) {
                if pins_images(host.as_ref(), engine) {
                    wanted.entry(engine).or_default().push(pin);
                }
            }
            for (engine, pins) in wanted {
                missing += pins.iter().filter(|pin| pin.is_none()).count();
                let pins: Vec<&ImagePin> = pins.into_iter().flatten().collect();
                match present(host.as_ref(), engine, &pins).await {
                    Ok(present) => {
                        there += present;
                        gone += pins.len() - present;
                    }
                    Err(fault) => faults.push(with_causes(&fault)),
                }
            }
        }
        self.parts.metrics.template_images(there, gone, missing);
        Ok(faults)
    }
}

/// The number of these pins whose images are on an engine. An engine that does not list its images is asked for each.
async fn present(host: &dyn Host, engine: &str, pins: &[&ImagePin]) -> Result<usize, HostError> {
    if lists_images(host, engine) {
        let found = host.images(engine).await?;
        let has = |pin: &&&ImagePin| found.iter().any(|image| is_same_image(&image.id, &pin.digest));
        return Ok(pins.iter().filter(has).count());
    }
    let mut present = 0;
    for digest in pins.iter().map(|pin| &pin.digest).collect::<BTreeSet<_>>() {
        match host.find_image(engine, digest).await {
            Ok(_) => present += pins.iter().filter(|pin| pin.digest == *digest).count(),
            Err(fault) if is_missing(&fault) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(present)
}

/// The images that templates in use need on a host, each with its engine and its pin, if it has one.
fn wanted_on<'a>(
    declared: &'a Declared,
    pins: &'a [ImagePin],
    host: &'a HostId,
) -> Vec<(&'a str, Option<&'a ImagePin>)> {
    let name = |pin: &'a ImagePin| {
        (
            pin.template.as_str(),
            pin.version,
            pin.engine.as_str(),
            pin.image.as_str(),
        )
    };
    let of_host = pins.iter().filter(|pin| pin.host == *host);
    let by_name: HashMap<_, &ImagePin> = of_host.map(|pin| (name(pin), pin)).collect();
    let mut wanted = Vec::new();
    for template in declared.templates_in_use() {
        let engine = template.settings.engine.as_str();
        for image in image_names(&template.settings) {
            let pin = by_name.get(&(template.name.as_str(), template.version, engine, image));
            wanted.push((engine, pin.copied()));
        }
    }
    wanted
}
