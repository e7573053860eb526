//! Removes the images that nothing uses any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_catalog::{Declared, View};
use orchestrator_host::{Host, Remedy};
use orchestrator_model::{BroughtImage, Clock, HostId, Image, ImageState, Timestamp, is_same_image};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_store::{ImageUses, StoreError};

use tokio::sync::Semaphore;

use super::rule::{Candidate, Rule, Verdict, judge};
use super::uses::{Use, uses_of};
use super::{ImageRecords, Parts};

/// An image that was brought, and what a sweep did with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The image as it was brought.
    pub image: BroughtImage,
    /// The image as its engine has it.
    pub found: Image,
    /// What uses it.
    pub uses: Vec<Use>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a sweep did with an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stays.
    Kept(Verdict),
    /// It would have been removed, if that had been asked for.
    WouldGo,
    /// It was removed.
    Removed,
    /// The engine did not remove it.
    Failed(String),
}

/// The result of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// All images that were brought, by engine.
    pub images: Vec<Swept>,
    /// The engines that did not answer, each with the reason.
    pub faults: Vec<(String, String)>,
}

/// How a sweep is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The rule.
    pub rule: Rule,
    /// Whether images are removed, and not only named.
    pub remove: bool,
    /// Who asked for it; `None` when it is the rule of the settings.
    pub by: Option<String>,
}

/// Finds and removes images that nothing uses. A cheap handle.
#[derive(Clone)]
pub struct Sweeper {
    inner: Arc<Inner>,
}

struct Inner {
    records: Arc<dyn ImageRecords>,
    hosts: BTreeMap<HostId, Arc<dyn Host>>,
    catalog: View,
    clock: Clock,
    metrics: Metrics,
    /// One sweep at a time, so that each sees what the other did.
    turn: Semaphore,
}

impl Sweeper {
    /// Sweeps these machines.
    pub fn new(parts: &Parts) -> Self {
        let named = parts.hosts.iter().cloned();
        let inner = Inner {
            records: parts.records.clone(),
            hosts: named.map(|host| (HostId::new(host.name()), host)).collect(),
            catalog: parts.catalog.clone(),
            clock: parts.clock,
            metrics: parts.metrics.clone(),
            turn: Semaphore::new(1),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Records since when nothing uses each image that was brought, and removes those that the rule does not keep.
    ///
    /// An engine that does not answer, or an image that it does not remove, holds up nothing else.
    ///
    /// # Errors
    ///
    /// When the database did not answer. What was removed before stays removed.
    pub async fn sweep(&self, order: &Order) -> Result<Sweep, StoreError> {
        let Inner {
            records, catalog, turn, ..
        } = self.inner.as_ref();
        // Never closed.
        let _turn = turn.acquire().await.ok();
        let mut engines: BTreeMap<(HostId, String), Vec<BroughtImage>> = BTreeMap::new();
        for image in records.brought_images().await? {
            let of = (image.key.host.clone(), image.key.engine.clone());
            engines.entry(of).or_default().push(image);
        }
        let mut sweep = Sweep::default();
        if engines.is_empty() {
            return Ok(sweep);
        }
        let (declared, uses) = (catalog.current(), records.image_uses().await?);
        for ((host, engine), brought) in engines {
            // A host or an engine that is not in the settings any more is asked again once it is.
            let Some(machine) = self.inner.hosts.get(&host) else {
                continue;
            };
            match machine.images(&engine).await {
                Ok(found) => {
                    let images = self.of_engine(brought, found, &declared, &uses, order.remove).await?;
                    sweep.images.extend(self.apply(machine.as_ref(), images, order).await?);
                }
                Err(fault) => sweep.faults.push((engine, with_causes(&fault))),
            }
        }
        Ok(sweep)
    }

    /// Compares what is recorded of an engine's images with what it has.
    async fn of_engine(
        &self,
        brought: Vec<BroughtImage>,
        found: Vec<Image>,
        declared: &Declared,
        uses: &ImageUses,
        record: bool,
    ) -> Result<Vec<Swept>, StoreError> {
        let Inner { records, clock, .. } = self.inner.as_ref();
        let mut images = Vec::new();
        for mut image in brought {
            let key = image.key.clone();
            let Some(found) = found.iter().find(|found| is_same_image(&found.id, &key.id)) else {
                match image.state {
                    _ if !record => {}
                    // The daemon was ended before it could record this.
                    ImageState::Removing => {
                        let reason = reason(&image, clock.now());
                        records.finish_image_removal(&key, reason, None, clock.now()).await?;
                    }
                    ImageState::Kept => records.forget_image(&key).await?,
                }
                continue;
            };
            let uses = uses_of(found, (&key.host, &key.engine), declared, uses);
            let unused = match uses.is_empty() {
                true => Some(image.unused.unwrap_or(clock.now())),
                false => None,
            };
            if unused != image.unused {
                records.set_image_unused(&key, unused).await?;
                image.unused = unused;
            }
            images.push(Swept {
                image,
                found: found.clone(),
                uses,
                outcome: Outcome::Kept(Verdict::Used),
            });
        }
        Ok(images)
    }

    async fn apply(&self, machine: &dyn Host, mut images: Vec<Swept>, order: &Order) -> Result<Vec<Swept>, StoreError> {
        let candidates: Vec<Candidate> = images
            .iter()
            .map(|swept| Candidate {
                image: swept.image.clone(),
                used: !swept.uses.is_empty(),
            })
            .collect();
        let verdicts = judge(&candidates, order.rule, self.inner.clock.now());
        for (swept, verdict) in images.iter_mut().zip(verdicts) {
            swept.outcome = match (verdict, order.remove) {
                (Verdict::Goes, false) => Outcome::WouldGo,
                (Verdict::Goes, true) => self.remove(machine, swept, order).await?,
                (verdict, remove) => {
                    if remove && swept.image.state == ImageState::Removing {
                        self.inner.records.end_image_removal(&swept.image.key).await?;
                    }
                    Outcome::Kept(verdict)
                }
            };
        }
        Ok(images)
    }

    /// Records that an image goes, has its engine remove it, and forgets it.
    async fn remove(&self, machine: &dyn Host, swept: &Swept, order: &Order) -> Result<Outcome, StoreError> {
        let Inner {
            records,
            metrics,
            clock,
            ..
        } = self.inner.as_ref();
        let key = &swept.image.key;
        // A daemon that was ended in between has recorded it already.
        let began = swept.image.state == ImageState::Removing;
        if !began && !records.begin_image_removal(key).await? {
            return Ok(Outcome::Kept(Verdict::Used));
        }
        if let Err(fault) = machine.remove_image(&key.engine, &key.id).await {
            metrics.image_removal_failed(fault.code());
            records.end_image_removal(key).await?;
            let reason = with_causes(&fault);
            if fault.remedy() != Remedy::Operator {
                tracing::warn!(
                    image = key.id,
                    engine = key.engine,
                    reason,
                    "an unused image could not be removed"
                );
            }
            return Ok(Outcome::Failed(reason));
        }
        let reason = reason(&swept.image, clock.now());
        tracing::info!(
            image = key.id,
            engine = key.engine,
            by = order.by,
            "removed an image: {reason}"
        );
        metrics.image_removed();
        records
            .finish_image_removal(key, reason, order.by.clone(), clock.now())
            .await?;
        Ok(Outcome::Removed)
    }
}

fn reason(image: &BroughtImage, now: Timestamp) -> String {
    let (name, key) = (&image.name, &image.key);
    let span = image.unused.map(|since| now.since(since).as_secs()).unwrap_or_default();
    format!(
        "{name} ({}) on engine {}: nothing used it for {span} seconds",
        key.id, key.engine
    )
}
