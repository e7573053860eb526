//! Wires the attachments of an instance.

use std::path::Path;

use ipnet::Ipv6Net;
use orchestrator_network::{self as network, HeldNamespace, NetworkError};
use orchestrator_plugin::InstanceId;
use orchestrator_runtime::causes::with_causes;

use super::LocalHost;
use crate::{AttachmentPlan, Cause, EnsureFault, InstancePlan, Unwired};

impl LocalHost {
    /// Wires all attachments into the network namespace at a path, and routes their prefixes to them.
    pub(super) async fn wire_all(&self, plan: &InstancePlan, netns: &Path) -> Result<(), NetworkError> {
        self.wire_into(plan, &self.network().hold_namespace(netns)?).await
    }

    /// The same into a namespace that is open.
    pub(super) async fn wire_into(&self, plan: &InstancePlan, netns: &HeldNamespace) -> Result<(), NetworkError> {
        for attachment in &plan.attachments {
            let wiring = self.wiring(plan.id, attachment);
            self.network().ensure_attachment_in(&wiring, netns).await?;
            for prefix in &attachment.routed {
                if let Some(address) = attachment.address {
                    self.ensure_routed(*prefix, address, &attachment.bridge).await?;
                }
            }
        }
        Ok(())
    }

    /// The attachment as the network is to make it.
    pub(super) fn wiring(&self, instance: InstanceId, plan: &AttachmentPlan) -> network::AttachmentPlan {
        let net = |address| Ipv6Net::new(address, plan.prefix_length).unwrap_or_else(|_| address.into());
        network::AttachmentPlan {
            host_interface: plan.host_end(),
            alias: self.alias(instance),
            bridge: plan.bridge.clone(),
            interface: plan.interface.clone(),
            address: plan.address.map(net),
            mac: plan.mac,
            gateway: plan.gateway,
            isolated: plan.isolated,
        }
    }

    /// Says that an instance cannot be wired, and stops it where it must not run meanwhile.
    pub(super) async fn not_wired(&self, plan: &InstancePlan, source: NetworkError) -> EnsureFault {
        let fate = match stops(&source, plan.patient) {
            false => Unwired::Left,
            true => match self.stop_all(plan).await {
                Ok(()) => Unwired::Stopped,
                Err(fault) => Unwired::NotStopped(with_causes(&fault)),
            },
        };
        EnsureFault::NotWired { fate, source }
    }

    /// Stops every container, the first one last.
    pub(super) async fn stop_all(&self, plan: &InstancePlan) -> Result<(), Cause> {
        for container in plan.containers.iter().rev() {
            let engine = self.engine(&container.engine)?;
            engine.stop(&plan.container(container).container()).await?;
        }
        Ok(())
    }

    /// Announces every address on its network. Without this, a client that waits would find the address later. It follows the
    /// start of the process: an instance without its process would refuse the client's packets.
    pub(super) fn announce_all(&self, plan: &InstancePlan) {
        for attachment in &plan.attachments {
            let Some(address) = attachment.address else { continue };
            let announced = self.network().announce(&attachment.bridge, address, attachment.mac);
            if let Err(fault) = announced {
                let interface = attachment.host_end();
                tracing::debug!(interface, reason = with_causes(&fault), "not announced");
            }
        }
    }
}

/// Whether an instance that could not be wired is to be stopped.
///
/// At once when somebody must act before it can be wired, so that it does not run without a network for ever.
/// What may pass by itself, such as a bridge that is made anew, is waited for while the plan is patient.
fn stops(fault: &NetworkError, patient: bool) -> bool {
    match fault {
        NetworkError::BridgeFull { .. }
        | NetworkError::NotABridge { .. }
        | NetworkError::NotSeparate { .. }
        | NetworkError::NotANamespace { .. }
        | NetworkError::InsideTaken { .. }
        | NetworkError::InterfaceTaken { .. }
        | NetworkError::NotPermitted { .. }
        | NetworkError::BadPlan { .. } => true,
        _ => !patient,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_needs_somebody_to_act_is_stopped_at_once_and_what_passes_is_not() {
        let full = NetworkError::BridgeFull { bridge: "br0".into() };
        let missing = NetworkError::BridgeMissing { bridge: "br0".into() };
        let no_memory = NetworkError::Refused {
            doing: "making interface or1".into(),
            source: io::ErrorKind::OutOfMemory.into(),
        };
        let gone = NetworkError::NamespaceGone {
            netns: "/proc/1/ns/net".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        assert!(stops(&full, true));
        for passing in [missing, no_memory, gone] {
            assert!(!stops(&passing, true), "{passing}");
            assert!(stops(&passing, false), "not for ever: {passing}");
        }
    }
}
