//! orchestrator

pub mod model;
pub mod settings;
pub mod source;
