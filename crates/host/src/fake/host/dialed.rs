//! A connection to an instance of a fake machine.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, duplex};

use super::FakeHost;
use crate::{DialPlan, DialStream, FoundState, NoAnswer, Socket};

/// For how long a paused instance keeps a connection open without an answer.
const PAUSED: Duration = Duration::from_secs(60);

impl FakeHost {
    /// Connects to a socket of an instance. What it answers ends at once, unless the instance is paused.
    pub(super) async fn connect(&self, plan: &DialPlan) -> Result<Box<dyn DialStream>, NoAnswer> {
        let reached = self.machine.ask("dial", None, |state| {
            let mut all = state.attachments.values();
            let first = state.first(plan.id);
            let there = match &plan.socket {
                Socket::Tcp { bridge, address, .. } => {
                    all.any(|one| one.bridge == *bridge && one.address == Some(*address))
                }
                // A file that was written there stands for a socket.
                Socket::Unix { container, path } => {
                    let found = state.containers.get(&(plan.id, container.name.clone()));
                    found.is_some_and(|found| found.files.contains_key(path))
                }
            };
            match first.filter(|_| there) {
                None => Err(NoAnswer::Unreachable),
                Some(first) if state.silent.contains(&first.spec.image) => Err(NoAnswer::Refused),
                Some(first) => Ok(first.state == FoundState::Running),
            }
        });
        let reached = reached.await;
        let reacts = reached.map_err(|fault| NoAnswer::Local(io::Error::other(fault.text())))??;
        let (ours, mut theirs) = duplex(1024);
        tokio::spawn(async move {
            let _ = theirs.read_to_end(&mut Vec::new()).await;
            if !reacts {
                tokio::time::sleep(PAUSED).await;
            }
        });
        Ok(Box::new(ours))
    }
}
