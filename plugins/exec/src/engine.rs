//! The engine trait by an executable.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use orchestrator_plugin::{
    Capabilities, Capability, Change, Container, ContainerSpec, Engine, EngineError, EngineFacts, Found, ImageFacts,
    Mark, NetworkMode,
};
use tokio::sync::mpsc;

use crate::call::{Caller, From};
use crate::capabilities::{Settled, settle};
use crate::convert;
use crate::errors::{Doing, words};
use crate::image;
use crate::process::Program;
use crate::protocol::{Added, Call, Done, FoundOne, ImageFound, Listed, PROTOCOLS, Version};
use crate::settings::ExecSettings;

/// An engine that is an executable of the operator's.
#[derive(Debug)]
pub struct ExecEngine {
    name: String,
    mark: Mark,
    pub(crate) settings: ExecSettings,
    pub(crate) caller: Caller,
    /// What VERSION settled, once it was asked.
    settled: Arc<OnceLock<Settled>>,
}

impl ExecEngine {
    /// The engine of `settings`, which templates call `name`. What it makes bears `mark`. Runs nothing.
    pub fn new(name: impl Into<String>, settings: ExecSettings, mark: Mark) -> Self {
        let program = Program {
            path: settings.program.clone(),
            arguments: settings.arguments.clone(),
        };
        Self {
            name: name.into(),
            mark,
            caller: Caller::new(program, settings.timeout, settings.starts),
            settings,
            settled: Arc::default(),
        }
    }

    /// The same executable for another site. What VERSION settled is known to both.
    #[must_use]
    pub fn for_site(&self, mark: Mark) -> Self {
        Self {
            settled: self.settled.clone(),
            ..Self::new(self.name.clone(), self.settings.clone(), mark)
        }
    }

    fn from(&self, protocol: u32) -> From<'_> {
        From {
            engine: &self.name,
            site: self.mark.site.to_string(),
            protocol,
        }
    }

    /// Asks the executable for its version, and settles what to speak.
    async fn ask_version(&self) -> Result<Settled, EngineError> {
        let doing = self.caller.doing("describe", "itself");
        let call = Call::Version {
            protocols: PROTOCOLS.to_vec(),
        };
        let newest = PROTOCOLS.into_iter().max().unwrap_or_default();
        let version: Version = self.caller.ask(self.from(newest), call, None, &doing).await?;
        settle(&version).map_err(|reason| doing.refused(reason))
    }

    /// What was settled, by asking where it was not asked yet.
    pub(crate) async fn settled(&self) -> Result<&Settled, EngineError> {
        if let Some(settled) = self.settled.get() {
            return Ok(settled);
        }
        let settled = self.ask_version().await?;
        Ok(self.settled.get_or_init(|| settled))
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, call: Call, doing: &Doing<'_>) -> Result<T, EngineError> {
        let protocol = self.settled().await?.protocol;
        self.caller.ask(self.from(protocol), call, None, doing).await
    }

    /// Runs a call that changes a container, when it is its turn.
    async fn change<T: serde::de::DeserializeOwned>(
        &self,
        container: &Container,
        call: Call,
        doing: &Doing<'_>,
    ) -> Result<T, EngineError> {
        let protocol = self.settled().await?.protocol;
        let turn = self.caller.turn(&container.key, doing).await?;
        self.caller.ask(self.from(protocol), call, Some(turn), doing).await
    }

    /// A container that the executable reported in answer to a question about this one.
    fn checked(
        &self,
        container: &Container,
        reported: &crate::protocol::Container,
        doing: &Doing<'_>,
    ) -> Result<Found, EngineError> {
        let found =
            convert::found(reported).map_err(|reason| doing.failed(format!("its answer is wrong: {reason}")))?;
        match found.key == container.key {
            true => Ok(found),
            false => Err(doing.failed(format!("it answered about container {}", found.key))),
        }
    }
}

#[async_trait]
impl Engine for ExecEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.settled
            .get()
            .map_or(Capabilities::NONE, |settled| settled.capabilities)
    }

    async fn learn_capabilities(&self) -> Result<Capabilities, EngineError> {
        Ok(self.settled().await?.capabilities)
    }

    async fn check(&self) -> Result<EngineFacts, EngineError> {
        let now = self.ask_version().await?;
        let settled = self.settled.get_or_init(|| now.clone());
        if (now.protocol, now.capabilities) == (settled.protocol, settled.capabilities) {
            return Ok(now.facts);
        }
        let doing = self.caller.doing("serve", "this daemon");
        Err(doing.refused("it can do other things now than when it was first asked; restart the daemon"))
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        let doing = self.caller.doing("start", "containers");
        let Done {} = self.ask(Call::Check, &doing).await?;
        Ok(())
    }

    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError> {
        let doing = self.caller.doing("inspect image", image);
        let call = Call::CheckImage {
            image: image.to_owned(),
        };
        let found: ImageFound = self.ask(call, &doing).await?;
        let id = match self.settled().await?.capabilities.has(Capability::ImagePins) {
            true => image::image_id(&found.id).map_err(|reason| doing.failed(reason))?,
            false => words(&found.id),
        };
        if id.is_empty() {
            return Err(doing.failed("it gives no id of the image"));
        }
        Ok(ImageFacts {
            id,
            has_health_check: found.has_health_check,
        })
    }

    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError> {
        let name = container.key.engine_name();
        let doing = self.caller.doing("create", &name);
        let capabilities = self.settled().await?.capabilities;
        capabilities.require(&self.name, spec.needs().with(network.capability()))?;
        if let NetworkMode::Shared(with) = network
            && (with.key.instance != container.key.instance || with.key.name == container.key.name)
        {
            let other = with.key.engine_name();
            let doing = self.caller.doing("share a network with", &other);
            return Err(doing.refused("it is not another container of the same instance"));
        }
        let call = Call::Add {
            container: convert::named(container),
            spec: Box::new(convert::spec(spec).map_err(|reason| doing.refused(reason))?),
            network: convert::network(network),
        };
        let added: Added = self.change(container, call, &doing).await?;
        self.checked(container, &added.container, &doing)
    }

    async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        let name = container.key.engine_name();
        let doing = self.caller.doing("stop", &name);
        let call = Call::Stop {
            container: convert::named(container),
        };
        let Done {} = self.change(container, call, &doing).await?;
        Ok(())
    }

    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError> {
        let name = container.key.engine_name();
        let doing = self.caller.doing("inspect", &name);
        let call = Call::Find {
            container: convert::named(container),
        };
        let found: FoundOne = self.ask(call, &doing).await?;
        let checked = found
            .container
            .map(|reported| self.checked(container, &reported, &doing));
        checked.transpose()
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        let name = container.key.engine_name();
        let doing = self.caller.doing("remove", &name);
        let call = Call::Delete {
            container: convert::named(container),
        };
        let Done {} = self.change(container, call, &doing).await?;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Found>, EngineError> {
        let doing = self.caller.doing("list", "containers");
        let listed: Listed = self.ask(Call::List, &doing).await?;
        let all = listed.containers.iter().map(convert::found);
        let all: Result<Vec<_>, String> = all.collect();
        all.map_err(|reason| doing.failed(format!("its answer is wrong: {reason}")))
    }

    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError {
        self.watch_by_asking(&changes).await
    }
}
