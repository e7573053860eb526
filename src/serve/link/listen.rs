//! The DHCPv6 server of a link.

use orchestrator_host::Bridge;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Parts;
use orchestrator_model::LeaseSource;
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::LinkSettings;
use orchestrator_source::listener::{self, Command, Listener, recall};

impl Parts {
    /// Listens while the settings want it.
    pub(super) async fn listen(
        &self,
        mut listener: Option<Listener>,
        bridge: Option<&Bridge>,
        commands: &mut mpsc::Receiver<Command>,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        loop {
            if let Some(listener) = listener {
                let listened = listener.run(commands, stop).await;
                listened.map_err(|fault| format!("{}: {fault}", self.bridge))?;
            }
            if !self.is_wanted(stop, is_listened_on).await {
                return Ok(());
            }
            listener = self.open_listener(bridge).await?;
        }
    }

    /// `None` where the settings want no listener.
    pub(super) async fn open_listener(&self, bridge: Option<&Bridge>) -> Result<Option<Listener>, String> {
        if !self.link(&self.context.settings.get()).is_some_and(is_listened_on) {
            return Ok(None);
        }
        let recalled = recall(&self.store, &self.bridge).await;
        let bindings = recalled.map_err(|fault| with_causes(&fault))?;
        let reserved = self.reserved.refresh().await;
        reserved.map_err(|fault| with_causes(&fault))?;
        let identity = self.store.identity();
        let parts = listener::Parts {
            link: self.bridge.clone(),
            settings: self.context.settings.clone(),
            duid: identity.server_duid.clone(),
            key: identity.allocation_key,
            recorder: self.recorder.clone(),
            clock: self.context.clock,
            metrics: self.context.metrics.clone(),
            directory: self.directory.clone(),
            origins: self.origins.clone(),
            reserved: self.reserved.view(),
        };
        Listener::open(parts, bridge, bindings).map_err(|fault| {
            format!(
                "cannot listen for DHCPv6 on {}: {fault}; is another DHCPv6 server running there, and may this process bind port 547?",
                self.bridge
            )
        })
    }
}

fn is_listened_on(link: &LinkSettings) -> bool {
    link.source == LeaseSource::Listener
}
