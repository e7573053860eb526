//! Connects to a socket of an instance.

use tokio::time::Instant;

use super::LocalHost;
use super::probe::{self, Place};
use crate::{DialPlan, DialStream, NoAnswer, Socket};

impl LocalHost {
    pub(super) async fn connect(&self, plan: &DialPlan) -> Result<Box<dyn DialStream>, NoAnswer> {
        match &plan.socket {
            Socket::Tcp { bridge, address, port } => {
                let place = Place {
                    address: *address,
                    port: *port,
                    interface: bridge.clone(),
                };
                let stream = probe::connect(&place, Instant::now() + plan.within).await?;
                Ok(Box::new(stream))
            }
            Socket::Unix { container, path } => {
                let deadline = Instant::now() + plan.within;
                Ok(Box::new(self.connect_unix(container, path, deadline).await?))
            }
        }
    }
}
