//! The helper, its shims and the plugin, with the real runtime.

mod conformance;
mod gate;
mod outages;
mod support;
