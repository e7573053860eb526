//! Images in use and out of use.

use std::time::Duration;

use orchestrator_api::{Caller, ControlError, ListedImage, Pruned, Prunings};
use orchestrator_model::{HostId, Image, is_same_image};
use orchestrator_reconcile::images::{Order, Outcome, Rule, Use, Verdict, uses_of};
use orchestrator_store::StoreError;

use super::Images;

impl Images {
    /// Adds what is recorded about these images of an engine.
    pub(super) async fn listed(&self, engine: &str, images: Vec<Image>) -> Result<Vec<ListedImage>, StoreError> {
        let host = HostId::new(self.host.name());
        let (brought, uses) = (self.store.brought_images().await?, self.store.image_uses().await?);
        let declared = self.catalog.current();
        let described = images.into_iter().map(|image| ListedImage {
            brought: brought
                .iter()
                .find(|brought| {
                    let key = &brought.key;
                    key.host == host && key.engine == engine && is_same_image(&key.id, &image.id)
                })
                .cloned(),
            uses: texts(&uses_of(&image, (&host, engine), &declared, &uses)),
            image,
        });
        Ok(described.collect())
    }

    /// Removes what nothing uses now. What was begun is done to its end, even if nobody waits for it any more.
    pub(super) async fn prune_unused(
        &self,
        by: &Caller,
        keep: Option<usize>,
        dry_run: bool,
    ) -> Result<Prunings, ControlError> {
        let order = Order {
            rule: Rule {
                unused: Some(Duration::ZERO),
                keep: keep.unwrap_or(self.settings.get().images.keep),
            },
            remove: !dry_run,
            by: Some(by.to_string()),
        };
        tracing::info!(%by, keep = order.rule.keep, dry_run, "asked to remove unused images");
        let sweeper = self.sweeper.clone();
        let sweep = tokio::spawn(async move { sweeper.sweep(&order).await }).await;
        let sweep = sweep.map_err(|_| ControlError::Stopping)??;
        let images = sweep.images.into_iter().map(|swept| {
            let pruned = match swept.outcome {
                Outcome::Kept(Verdict::Newest) => Pruned::Newest,
                Outcome::Kept(_) => Pruned::Used,
                Outcome::WouldGo => Pruned::WouldGo,
                Outcome::Removed => Pruned::Removed,
                Outcome::Failed(reason) => Pruned::Failed(reason),
            };
            let listed = ListedImage {
                image: swept.found,
                brought: Some(swept.image),
                uses: texts(&swept.uses),
            };
            (listed, pruned)
        });
        Ok((images.collect(), sweep.faults))
    }
}

fn texts(uses: &[Use]) -> Vec<String> {
    uses.iter().map(ToString::to_string).collect()
}
