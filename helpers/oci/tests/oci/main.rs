//! The helper, its shims and the plugin, with the real runtime.

mod conformance;
mod early;
mod gate;
mod limits;
mod outages;
mod pull;
mod starting;
mod support;
mod unit;
