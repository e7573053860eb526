//! The planner, the files and the differences, without a HAProxy.

mod difference;
mod files;
mod fixture;
mod hostile;
mod model;
mod plan;
