//! Engines that are executables: the examples do as every engine must, and what misbehaves does no harm.

mod bubblewrap;
#[path = "../../../fake/tests/fake/subject.rs"]
mod fake;
mod hook;
mod misbehaving;
mod schema;
mod web_hook;
