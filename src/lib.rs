//! orchestrator

pub mod bell;
pub mod causes;
pub mod cli;
pub mod conditions;
pub mod metrics;
pub mod model;
pub mod settings;
pub mod source;
