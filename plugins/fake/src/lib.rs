//! An engine in memory for tests. It needs no root and no processes, and fails on demand.
//!
//! [`FakeWorld`] is the far side: the engine's state. It outlives the plugins, as a real engine outlives the daemon,
//! and tests change it by hand. [`FakeEngine`] is a plugin for one site. Each of its verbs makes the same requests as a
//! real plugin, and each request can be held, lost, delayed or refused ([`Trouble`]). A request that was sent is
//! carried out even if its caller is gone.
//!
//! Containers run no programs. Their command selects their behaviour: see [`program`].

mod container;
mod engine;
mod exec;
mod hands;
mod image;
mod kind;
pub mod program;
mod request;
mod steps;
mod watch;
mod world;

pub use engine::FakeEngine;
pub use image::archive;
pub use kind::{FakeKind, FakeSettings};
pub use request::{Held, LIMIT, Trouble, Verb};
pub use world::FakeWorld;
