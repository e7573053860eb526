//! Removes all that was made in the networks of the machine.

use orchestrator_network::Balance;

use super::LocalHost;
use crate::Cause;

impl LocalHost {
    /// Removes rules, routes and bridges. Returns what was removed, and why for each piece that is still there.
    pub(super) async fn remove_networks(&self) -> (Vec<String>, Vec<Cause>) {
        let (mut gone, mut causes) = (Vec::new(), Vec::new());
        match self.remove_policy().await {
            Ok(true) => gone.push("the rules of the packet filter".to_owned()),
            Ok(false) => {}
            Err(fault) => causes.push(fault),
        }
        match self.found_routes().await {
            Err(fault) => causes.push(fault),
            Ok(routes) => {
                for route in routes {
                    match self.remove_routes(std::slice::from_ref(&route)).await {
                        failed if failed.is_empty() => gone.push(route.key().to_string()),
                        failed => causes.extend(failed),
                    }
                }
            }
        }
        match self.network().remove_joined(&self.alias_prefix()).await {
            Err(fault) => causes.push(fault.into()),
            Ok(bridges) => gone.extend(bridges.into_iter().map(|bridge| format!("bridge {bridge}"))),
        }
        match self.made_bridges().await {
            Err(fault) => causes.push(fault),
            Ok(bridges) => {
                for bridge in bridges.into_iter().filter(|bridge| bridge.ports == 0) {
                    match self.drop_bridge(&bridge.name).await {
                        Ok(()) => gone.push(format!("bridge {}", bridge.name)),
                        Err(fault) => causes.push(fault),
                    }
                }
            }
        }
        self.parts().clear();
        (gone, causes)
    }

    /// Removes the tables of the packet filter, and those of virtual addresses. Returns whether there was one.
    pub(super) async fn remove_policy(&self) -> Result<bool, Cause> {
        let rules = self.remove_rules(&mut *self.inner.policy.lock().await).await?;
        let balance = self.open_balance().await?.remove().await?;
        Ok(rules || balance)
    }

    pub(super) async fn open_balance(&self) -> Result<Balance, Cause> {
        Ok(self.network().balance(&self.inner.mark.site.to_string()).await?)
    }
}
