//! The bundle of a container: what the runtime is told.

mod capability;
mod config;
mod etc;
mod seccomp;

pub(crate) use config::{DevicePlan, Inputs, plan, process, process_json};
pub(crate) use etc::etc_files;
