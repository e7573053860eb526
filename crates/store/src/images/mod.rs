//! Images as rows: what versions of templates are pinned to, and what was brought to the engines.

mod brought;
mod pins;
mod removal;
mod renew;

pub(super) use pins::in_use_in;
pub use pins::{ImageUses, NamedImage, NewPin, Pinning};

/// The statements of every file of this noun.
pub(super) const ALL: &[&[&str]] = &[
    brought::STATEMENTS,
    pins::STATEMENTS,
    removal::STATEMENTS,
    renew::STATEMENTS,
];
