//! Services: N instances of something, described by one file, and rolled from one version to the next. Pure: no I/O, and
//! the time is an argument.
//!
//! ```text
//! file (TOML, JSON, YAML, Marathon) ──▶ Document ──▶ ServiceSpec
//!                                     keys as JSON     checked
//! roll::Situation (what is recorded and seen) ──▶ roll::next ──▶ roll::Moves (what to do, and when to ask again)
//! ```

pub mod file;
pub mod health;
pub mod place;
pub mod roll;
mod spec;

pub use spec::{
    Health, Instances, MOST_INSTANCES, PerClient, Placement, Probe, RollOrder, ServiceSpec, Strategy, is_of_clients,
    is_service_name,
};
