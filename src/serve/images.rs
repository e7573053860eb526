//! Images and registries through the API.

use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_api::{Caller, ControlError, ImageControl};
use orchestrator_catalog::Catalog;
use orchestrator_host::{Host, HostError, PullRequest};
use orchestrator_model::{ByteStream, Clock, Credentials, EventKind, HostId, Image, NewEvent, PullProgress, Timestamp};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{KeyFile, Listed, Room, Secret, SecretsError};
use orchestrator_settings::Current;
use orchestrator_store::Store;
use tokio::sync::mpsc;

use registry::{registry_named, registry_of, secret_name};

mod registry;

/// Where images are loaded, fetched and removed.
#[derive(Clone)]
pub(super) struct Images {
    pub(super) settings: Current,
    pub(super) store: Store,
    pub(super) catalog: Catalog,
    pub(super) host: Arc<dyn Host>,
    pub(super) clock: Clock,
}

impl Images {
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
            settings.engine == engine && containers.any(|(_, container)| is_same(&container.image, image))
        });
        names.map(|template| template.name.clone()).collect()
    }

    async fn list(&self, engine: &str) -> Result<Vec<Image>, ControlError> {
        self.host.images(engine).await.map_err(failed)
    }

    async fn load(&self, by: &Caller, engine: &str, archive: ByteStream) -> Result<Vec<Image>, ControlError> {
        tracing::info!(%by, engine, "asked to load images");
        let loaded = self.host.load_images(engine, archive).await.map_err(failed)?;
        for image in &loaded {
            let detail = format!("{} on engine {engine}", shown(image));
            self.record(by, EventKind::ImageLoaded, detail).await;
        }
        Ok(loaded)
    }

    async fn pull(
        &self,
        by: &Caller,
        engine: &str,
        image: &str,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, ControlError> {
        tracing::info!(%by, engine, image, "asked to fetch an image");
        let request = PullRequest {
            reference: image.to_owned(),
            credentials: self.credentials(image).await?,
        };
        let pulled = self.host.pull_image(engine, &request, progress).await.map_err(failed)?;
        let detail = format!("{} on engine {engine}", shown(&pulled));
        self.record(by, EventKind::ImagePulled, detail).await;
        Ok(pulled)
    }

    async fn remove(&self, by: &Caller, engine: &str, image: &str) -> Result<(), ControlError> {
        tracing::info!(%by, engine, image, "asked to remove an image");
        self.host.remove_image(engine, image).await.map_err(failed)?;
        let detail = format!("{image} on engine {engine}");
        self.record(by, EventKind::ImageRemoved, detail).await;
        Ok(())
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

/// Whether a template's word for an image is this name of it: one of the two may leave out what is the default.
fn is_same(written: &str, name: &str) -> bool {
    let plain = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        let name = name.strip_prefix("localhost/").unwrap_or(name);
        let name = name.strip_prefix("library/").unwrap_or(name);
        name.strip_suffix(":latest").unwrap_or(name).to_owned()
    };
    plain(written) == plain(name)
}

fn shown(image: &Image) -> String {
    match image.names.first() {
        Some(name) => format!("{name} ({})", image.id),
        None => image.id.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_may_be_left_out() {
        for (written, name) in [
            ("web", "web:latest"),
            ("web:latest", "docker.io/library/web:latest"),
            ("some/web", "localhost/some/web:latest"),
            ("sha256:0a", "sha256:0a"),
        ] {
            assert!(is_same(written, name), "{written} {name}");
        }
        assert!(!is_same("web:1", "web:2") && !is_same("web", "other/web"));
    }
}
