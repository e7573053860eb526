//! An engine in memory, for tests: no root, no processes, and trouble on demand.
//!
//! [`FakeWorld`] is the far side: what the engine has. It outlives the plugins, as a real engine outlives the daemon, and
//! tests act on it by hand. [`FakeEngine`] is a plugin for one site. Each of its verbs is made of the same requests that
//! a real plugin makes, and each request can be held, lost, delayed or refused ([`Trouble`]). A request that was sent is
//! carried out even when its caller is gone.
//!
//! Containers run no programs. What they do is said in their command: see [`program`].

mod container;
mod engine;
mod exec;
mod hands;
mod image;
mod kind;
pub mod program;
mod request;
mod watch;
mod world;

pub use engine::FakeEngine;
pub use image::archive;
pub use kind::{FakeKind, FakeSettings};
pub use request::{Held, LIMIT, Trouble, Verb};
pub use world::FakeWorld;
