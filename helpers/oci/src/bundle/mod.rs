//! The bundle of a container: the directory and the configuration from which the runtime starts it.

mod capability;
mod config;
mod etc;
mod seccomp;

pub(crate) use config::{DevicePlan, Inputs, plan, process, process_json};
pub(crate) use etc::etc_files;
