//! The rules of the packet filter that an instance needs before it is ready.

use async_trait::async_trait;
use orchestrator_model::Instance;

/// Knows whether the rules of instances are in force.
#[async_trait]
pub trait PacketRules: Send + Sync + 'static {
    /// Returns once the packet filter of the instance's host has what the record says now of the instance and its owner.
    /// At once where no network of the instance is checked.
    ///
    /// # Errors
    ///
    /// Why it is not in force, and what to do. Ask again later.
    async fn in_force(&self, instance: &Instance) -> Result<(), String>;
}

/// No network is checked.
pub struct NoRules;

#[async_trait]
impl PacketRules for NoRules {
    async fn in_force(&self, _: &Instance) -> Result<(), String> {
        Ok(())
    }
}
