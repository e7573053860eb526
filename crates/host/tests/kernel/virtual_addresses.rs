//! Rules of virtual addresses bear the mark of the site, and go with a teardown.

use anyhow::{Result, ensure};
use orchestrator_host::{Host, MarkedThing};
use orchestrator_network::{Network, VirtualService};
use orchestrator_plugin::Capability;

use crate::lab::{SITE, daemon};

#[test]
fn rules_of_virtual_addresses_are_listed_and_removed() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let is_listed = async || {
            let things = lab.host.marked(&[]).await.things;
            things.contains(&MarkedThing::Rules)
        };
        ensure!(!is_listed().await);
        let balance = Network::open()?.balance(&SITE.to_string()).await?;
        let service = VirtualService {
            address: "fd39::aa".parse()?,
            protocol: 6,
            port: 80,
            sticky: false,
            backends: [("fd39::2:1".parse()?, 8080)].into(),
        };
        for by_name in [true, false] {
            balance.ensure(&[service.clone()].into()).await?;
            ensure!(is_listed().await);
            match by_name {
                true => lab.host.remove_marked(&MarkedThing::Rules, false).await?,
                false => drop(lab.host.teardown().await?),
            }
            ensure!(!is_listed().await && !balance.is_there().await?);
        }
        Ok(())
    })
}
