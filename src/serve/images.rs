//! Images and registries through the API.

use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_api::{Caller, ControlError, ImageControl, ListedImage, Prunings, TemplateImage};
use orchestrator_catalog::{Catalog, Template};
use orchestrator_host::{Host, HostError, PullRequest};
use orchestrator_model::{
    ByteStream, Clock, Credentials, EventKind, HostId, Image, ImageKey, ImageSource, NewEvent, PullProgress, Timestamp,
    is_same_image,
};
use orchestrator_reconcile::driver::Handle;
use orchestrator_reconcile::images::{Parts, Pins, Sweeper, register};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{KeyFile, Listed, Room, Secret, SecretsError};
use orchestrator_settings::Current;
use orchestrator_store::Store;
use tokio::sync::mpsc;

use super::Context;
use registry::{registry_named, registry_of, secret_name};

mod prune;
mod registry;
mod templates;

/// Where images are loaded, fetched and removed.
#[derive(Clone)]
pub(super) struct Images {
    settings: Current,
    store: Store,
    catalog: Catalog,
    host: Arc<dyn Host>,
    clock: Clock,
    sweeper: Sweeper,
    /// Makes the reconciler of images look at once.
    swept: Handle,
}

impl Images {
    /// Has templates pinned, and images removed that nothing uses.
    pub(super) fn register(
        context: &Context,
        store: &Store,
        catalog: &Catalog,
        host: &Arc<dyn Host>,
        pins: Pins,
    ) -> Self {
        let parts = Parts {
            records: Arc::new(store.clone()),
            pins,
            hosts: vec![host.clone()],
            catalog: catalog.view(),
            settings: context.settings.clone(),
            clock: context.clock,
            metrics: context.metrics.clone(),
        };
        let (swept, sweeper) = register(&context.driver, parts);
        Self {
            settings: context.settings.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
            host: host.clone(),
            clock: context.clock,
            sweeper,
            swept,
        }
    }

    /// Records what somebody did. What was done is done: that it cannot be recorded is logged, and fails nothing.
    async fn record(&self, by: &Caller, kind: EventKind, detail: String) {
        let event = NewEvent {
            by: Some(by.to_string()),
            host: Some(HostId::new(self.host.name())),
            detail: Some(detail),
            ..NewEvent::new(self.clock.now(), kind)
        };
        if let Err(fault) = self.store.append_event(event).await {
            let error = with_causes(&fault);
            tracing::warn!(%kind, error, "what was asked for is not in the timeline");
        }
    }

    /// Records that somebody brought an image. That it cannot be recorded is logged, and fails nothing: then the image is
    /// not removed by rule.
    async fn bring(&self, by: &Caller, engine: &str, image: &Image, source: ImageSource) {
        let key = ImageKey {
            host: HostId::new(self.host.name()),
            engine: engine.to_owned(),
            id: image.id.clone(),
        };
        let name = image.names.first().cloned();
        let (by, at) = (Some(by.to_string()), self.clock.now());
        if let Err(fault) = self.store.bring_image(key, name, source, by, at).await {
            let error = with_causes(&fault);
            tracing::warn!(image = image.id, error, "it is not recorded who brought an image");
        }
    }

    async fn room(&self) -> Result<Room, ControlError> {
        let file = KeyFile::at(&self.settings.get().secrets.key_file);
        let room = Room::open(self.store.sealed(), file, self.clock.now()).await;
        room.map_err(|fault| closed(&fault))
    }

    /// The credentials for the registry of an image, if any were given. Where none were ever sealed, no key is needed.
    async fn credentials(&self, image: &str) -> Result<Option<Credentials>, ControlError> {
        let name = secret_name(registry_of(image))?;
        let listed = Listed::all(&self.store.sealed())
            .await
            .map_err(|fault| closed(&fault))?;
        if !listed.iter().any(|secret| secret.name == name) {
            return Ok(None);
        }
        let sealed = self.room().await?.read(&name).await.map_err(|fault| closed(&fault))?;
        let read = sealed
            .as_ref()
            .and_then(Secret::expose_text)
            .and_then(|text| text.split_once('\n'));
        Ok(read.map(|(user, password)| Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        }))
    }
}

#[async_trait]
impl ImageControl for Images {
    fn engines(&self) -> Vec<String> {
        let engines = self.host.capabilities().engines;
        engines.into_keys().collect()
    }

    fn templates_of(&self, engine: &str, image: &str) -> Vec<String> {
        let declared = self.catalog.current();
        let names = declared.templates().filter(|template| {
            let settings = &template.settings;
            let mut containers = settings.containers();
            settings.engine == engine && containers.any(|(_, container)| is_same_image(&container.image, image))
        });
        names.map(|template| template.name.clone()).collect()
    }

    async fn list(&self, engine: &str) -> Result<Vec<ListedImage>, ControlError> {
        let images = self.host.images(engine).await.map_err(failed)?;
        Ok(self.listed(engine, images).await?)
    }

    async fn load(&self, by: &Caller, engine: &str, archive: ByteStream) -> Result<Vec<ListedImage>, ControlError> {
        tracing::info!(%by, engine, "asked to load images");
        let loaded = self.host.load_images(engine, archive).await.map_err(failed)?;
        for image in &loaded {
            self.bring(by, engine, image, ImageSource::Loaded).await;
        }
        self.swept.activate();
        Ok(self.listed(engine, loaded).await?)
    }

    async fn pull(
        &self,
        by: &Caller,
        engine: &str,
        image: &str,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<ListedImage, ControlError> {
        tracing::info!(%by, engine, image, "asked to fetch an image");
        let request = PullRequest {
            reference: image.to_owned(),
            credentials: self.credentials(image).await?,
        };
        let pulled = self.host.pull_image(engine, &request, progress).await.map_err(failed)?;
        self.bring(by, engine, &pulled, ImageSource::Pulled).await;
        self.swept.activate();
        let mut listed = self.listed(engine, vec![pulled.clone()]).await?;
        Ok(listed.pop().unwrap_or(ListedImage {
            image: pulled,
            brought: None,
            uses: Vec::new(),
        }))
    }

    async fn remove(&self, by: &Caller, engine: &str, image: &str) -> Result<(), ControlError> {
        tracing::info!(%by, engine, image, "asked to remove an image");
        self.host.remove_image(engine, image).await.map_err(failed)?;
        let detail = format!("{image} on engine {engine}");
        self.record(by, EventKind::ImageRemoved, detail).await;
        self.swept.activate();
        Ok(())
    }

    async fn prune(&self, by: &Caller, keep: Option<usize>, dry_run: bool) -> Result<Prunings, ControlError> {
        self.prune_unused(by, keep, dry_run).await
    }

    async fn template_images(&self, templates: &[Template]) -> Result<Vec<Vec<TemplateImage>>, ControlError> {
        Ok(self.images_of(templates).await?)
    }

    async fn update_template(&self, by: &Caller, name: &str, expected: Option<u64>) -> Result<Template, ControlError> {
        self.update(by, name, expected).await
    }

    async fn registries(&self) -> Result<Vec<(String, Timestamp)>, ControlError> {
        let listed = Listed::all(&self.store.sealed())
            .await
            .map_err(|fault| closed(&fault))?;
        let named = listed.into_iter();
        Ok(named
            .filter_map(|secret| Some((registry_named(&secret.name)?, secret.created)))
            .collect())
    }

    async fn login(&self, by: &Caller, host: &str, credentials: Credentials) -> Result<(), ControlError> {
        tracing::info!(%by, registry = host, "asked to seal the credentials for a registry");
        let name = secret_name(host)?;
        let Credentials { user, password } = credentials;
        if user.contains('\n') || user.is_empty() || password.is_empty() {
            let reason = "the user is to be one line, and the user and the password are not to be empty".to_owned();
            return Err(ControlError::Refused { reason });
        }
        let secret = Secret::from(format!("{user}\n{password}"));
        let room = self.room().await?;
        let kept = room.keep(&name, &secret, self.clock.now()).await;
        kept.map_err(|fault| closed(&fault))?;
        self.record(by, EventKind::RegistryLogin, format!("registry {host}"))
            .await;
        Ok(())
    }

    async fn logout(&self, by: &Caller, host: &str) -> Result<bool, ControlError> {
        tracing::info!(%by, registry = host, "asked to forget the credentials for a registry");
        let name = secret_name(host)?;
        let forgotten = self.room().await?.forget(&name).await.map_err(|fault| closed(&fault))?;
        if forgotten {
            self.record(by, EventKind::RegistryLogout, format!("registry {host}"))
                .await;
        }
        Ok(forgotten)
    }
}

fn failed(fault: HostError) -> ControlError {
    ControlError::Engine {
        code: fault.code(),
        reason: with_causes(&fault),
    }
}

fn closed(fault: &SecretsError) -> ControlError {
    ControlError::Secrets {
        reason: with_causes(fault),
    }
}
