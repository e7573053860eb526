//! Metrics of images.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Label, Labelled, Metrics, count, counter, labelled};

#[derive(Clone)]
pub(super) struct Image {
    template_images: Family<Label, Gauge>,
    images_removed: Counter,
    image_removal_failures: Labelled,
}

impl Image {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let template_images = Family::<Label, Gauge>::default();
        registry.register(
            "template_images",
            "Images that templates in use need on their engines: pinned and there, pinned and gone, or missing from the start",
            template_images.clone(),
        );
        Self {
            template_images,
            images_removed: counter(
                registry,
                "images_removed",
                "Images that were removed because nothing used them",
            ),
            image_removal_failures: labelled(
                registry,
                "image_removal_failures",
                "Unused images that their engine did not remove, by code",
            ),
        }
    }
}

impl Metrics {
    /// Records how many images of templates in use are pinned and there, pinned and gone, and missing from the start.
    pub fn template_images(&self, there: usize, gone: usize, missing: usize) {
        for (value, number) in [("pinned", there), ("gone", gone), ("missing", missing)] {
            let label = Label { name: "state", value };
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.image.template_images.get_or_create(&label).set(number);
        }
    }

    /// Counts an image that was removed because nothing used it.
    pub fn image_removed(&self) {
        self.image.images_removed.inc();
    }

    /// Counts an unused image that its engine did not remove.
    pub fn image_removal_failed(&self, code: &'static str) {
        count(&self.image.image_removal_failures, "code", code);
    }
}
