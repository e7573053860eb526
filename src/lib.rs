//! orchestrator

pub mod model;
pub mod store;
