//! orchestrator

pub mod model;
