//! orchestrator

pub mod model;
pub mod settings;
