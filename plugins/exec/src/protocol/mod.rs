//! The protocol, version 1: one request on standard input, one answer on standard output, both JSON.
//!
//! These types are not those of the engine trait: executables are written against them, and they change only with the
//! number of the protocol. Keys may be added within a version; an executable ignores those that it does not know.

mod answer;
mod fault;
mod found;
mod request;
mod schema;
mod spec;

pub use answer::{Added, Answer, Done, Found as FoundOne, ImageFound, Listed, Version};
pub use fault::{Code, Fault};
pub use found::{Container, Network as FoundNetwork, State};
pub use request::{Call, Named, Network, Request};
pub use schema::schema;
pub use spec::{Access, Content, Device, File, Limits, Resolver, Spec, Volume};

/// The versions of the protocol that this plugin speaks.
pub const PROTOCOLS: [u32; 1] = [1];
