//! Connects to a socket of an instance.

use tokio::time::Instant;

use super::LocalHost;
use super::probe::{self, Place};
use crate::{DialPlan, DialStream, HostCapability, NoAnswer, Socket};

impl LocalHost {
    pub(super) async fn connect(&self, plan: &DialPlan) -> Result<Box<dyn DialStream>, NoAnswer> {
        match &plan.socket {
            Socket::Tcp { network, address, port } => {
                let place = Place {
                    address: *address,
                    port: *port,
                    interface: network.clone(),
                };
                let stream = probe::connect(&place, Instant::now() + plan.within).await?;
                Ok(Box::new(stream))
            }
            Socket::Unix(_) => Err(NoAnswer::Unsupported(HostCapability::DialUnix)),
        }
    }
}
