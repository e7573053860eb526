//! Lists and removes what bears the mark of the site on this machine.

use std::fs;
use std::io::ErrorKind;

use orchestrator_network::{JoinedBridge, NetworkError, joined_to};

use super::LocalHost;
use crate::{BridgePurpose, Cause, ContainerRef, FoundInstance, Listed, Marked, MarkedThing};

impl LocalHost {
    /// Everything on this machine that bears the mark of the site. `links` are the bridges whose addresses are looked at:
    /// the mark of an address does not say which site it is of.
    ///
    /// The order is one in which the things can be removed: an instance before the rules that hold it in.
    pub async fn marked(&self, links: &[String]) -> Marked {
        let mut found = Marked::default();
        let engines: Vec<String> = self.inner.engines.keys().map(ToString::to_string).collect();
        for engine in engines {
            let listed = self.containers_on(&engine).await;
            found.take(format!("containers on engine {engine}"), listed);
        }
        found.take("interfaces of instances".to_owned(), self.marked_interfaces().await);
        found.take("network namespaces".to_owned(), self.marked_namespaces());
        let routes = self.found_routes().await;
        let routes = routes.map(|routes| routes.into_iter().map(MarkedThing::Route).collect());
        found.take("routes".to_owned(), routes);
        for bridge in links {
            found.take(
                format!("addresses of bridge {bridge}"),
                self.marked_addresses(bridge).await,
            );
        }
        found.take("the packet filter".to_owned(), self.marked_rules().await);
        found.take("joined bridges".to_owned(), self.marked_joins().await);
        for purpose in [BridgePurpose::Network, BridgePurpose::Link] {
            found.take("bridges".to_owned(), self.marked_bridges(purpose).await);
        }
        found
    }

    /// The directories of all volumes on this machine.
    ///
    /// # Errors
    ///
    /// When their directory cannot be read.
    pub fn volumes(&self) -> Result<Vec<MarkedThing>, std::io::Error> {
        let entries = match fs::read_dir(&self.inner.volumes) {
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut volumes = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            volumes.extend(
                name.to_str()
                    .and_then(|name| name.parse().ok())
                    .map(MarkedThing::Volume),
            );
        }
        Ok(volumes)
    }

    /// Removes one thing that [`marked`](Self::marked) or [`volumes`](Self::volumes) has listed. What is gone already is a
    /// success. A bridge goes with `even_used` only if others have ports on it; the ports stay.
    ///
    /// # Errors
    ///
    /// When it is still there. The call may be repeated.
    pub async fn remove_marked(&self, thing: &MarkedThing, even_used: bool) -> Result<(), Cause> {
        match thing {
            MarkedThing::Container(container) => {
                let engine = self.engine(&container.engine)?;
                Ok(engine.remove(&container.container()).await?)
            }
            MarkedThing::Interface { name, .. } => {
                Ok(self.network().remove_attachment(name, &self.alias_prefix()).await?)
            }
            MarkedThing::Namespace(instance) => Ok(self.remove_namespace(*instance).await?),
            MarkedThing::Route(route) => {
                let failed = self.remove_routes(std::slice::from_ref(route)).await;
                failed.into_iter().next().map_or(Ok(()), Err)
            }
            MarkedThing::Address { bridge, address } => Ok(self.network().remove_service(bridge, *address).await?),
            MarkedThing::Rules => self.remove_policy().await.map(drop),
            MarkedThing::Bridge { name, mark } if joined_to(mark, &self.alias_prefix()).is_some() => {
                self.remove_marked_join(name).await
            }
            MarkedThing::Bridge { name, mark } => self.remove_marked_bridge(name, mark, even_used).await,
            MarkedThing::Volume(volume) => self.remove_directory(*volume).await,
        }
    }

    async fn containers_on(&self, engine: &str) -> Result<Vec<MarkedThing>, Cause> {
        let Listed::Engine { instances, .. } = self.list_engine(engine).await else {
            return Ok(Vec::new());
        };
        // Those that share the network of the first one go before it.
        let of = |found: FoundInstance| found.containers.into_iter().rev().map(|(container, _)| container);
        let containers: Vec<ContainerRef> = instances?.into_iter().flat_map(of).collect();
        Ok(containers.into_iter().map(MarkedThing::Container).collect())
    }

    async fn marked_interfaces(&self) -> Result<Vec<MarkedThing>, Cause> {
        let found = self.network().attachments(&self.alias_prefix()).await?;
        let interface = |found: orchestrator_network::AttachmentFound| MarkedThing::Interface {
            instance: self.owner(&found.alias),
            name: found.host_interface,
        };
        Ok(found.into_iter().map(interface).collect())
    }

    fn marked_namespaces(&self) -> Result<Vec<MarkedThing>, Cause> {
        let directory = self.inner.namespaces.join(self.inner.mark.site.to_string());
        let names = self.network().namespaces_in(&directory)?;
        let instances = names.iter().filter_map(|name| name.parse().ok());
        Ok(instances.map(MarkedThing::Namespace).collect())
    }

    async fn marked_addresses(&self, bridge: &str) -> Result<Vec<MarkedThing>, Cause> {
        let found = self.network().services_of(bridge).await?;
        let address = |address| MarkedThing::Address {
            bridge: bridge.to_owned(),
            address,
        };
        Ok(found.into_iter().map(address).collect())
    }

    async fn marked_rules(&self) -> Result<Vec<MarkedThing>, Cause> {
        let is_there = self.open_filter().await?.is_there().await? || self.open_balance().await?.is_there().await?;
        Ok(is_there.then_some(MarkedThing::Rules).into_iter().collect())
    }

    async fn marked_bridges(&self, purpose: BridgePurpose) -> Result<Vec<MarkedThing>, Cause> {
        let mark = self.bridge_mark(purpose);
        let made = self.network().made_bridges(&mark).await?;
        let bridge = |made: orchestrator_network::MadeBridge| MarkedThing::Bridge {
            name: made.name,
            mark: mark.clone(),
        };
        Ok(made.into_iter().map(bridge).collect())
    }

    async fn marked_joins(&self) -> Result<Vec<MarkedThing>, Cause> {
        let found = self.network().joined_bridges(&self.alias_prefix()).await?;
        let bridge = |JoinedBridge { name, mark, .. }| MarkedThing::Bridge { name, mark };
        Ok(found.into_iter().map(bridge).collect())
    }

    /// Removes a joined bridge with its join, unless an instance is on it.
    async fn remove_marked_join(&self, name: &str) -> Result<(), Cause> {
        let prefix = self.alias_prefix();
        self.network().remove_joined(&prefix).await?;
        let left = self.network().joined_bridges(&prefix).await?;
        match left.into_iter().find(|joined| joined.name == name) {
            None => Ok(()),
            Some(used) => Err(NetworkError::BridgeInUse {
                bridge: used.name,
                ports: used.instances,
            }
            .into()),
        }
    }

    async fn remove_marked_bridge(&self, name: &str, mark: &str, even_used: bool) -> Result<(), Cause> {
        let made = self.network().made_bridges(mark).await?;
        let Some(bridge) = made.into_iter().find(|bridge| bridge.name == name) else {
            return Ok(());
        };
        if bridge.ports > 0 && !even_used {
            let (bridge, ports) = (bridge.name, bridge.ports);
            return Err(NetworkError::BridgeInUse { bridge, ports }.into());
        }
        Ok(self.network().remove_used_bridge(name, mark).await?)
    }
}

impl Marked {
    fn take(&mut self, what: String, found: Result<Vec<MarkedThing>, Cause>) {
        match found {
            Ok(things) => self.things.extend(things),
            Err(fault) => self.unseen.push((what, fault)),
        }
    }
}
