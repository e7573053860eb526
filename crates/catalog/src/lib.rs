//! The catalog: links, networks and templates, as an operator declares them.
//!
//! ```text
//!   settings.toml ──▶ settings in force ──┐
//!                                         ├─▶ Keeper ──▶ Declared, one snapshot ──▶ Catalog: everybody who asks
//!   API ──▶ store (SQL): templates ───────┘     │
//!                                               └──▶ store: which version each template of the settings is
//! ```
//!
//! - Whoever needs a template or a link asks the [`Catalog`], and gets one consistent [`Declared`]. It costs no more
//!   than a look at memory, and waits for nothing.
//! - The settings take precedence: a template that they declare is in force, and one of the same name that was made
//!   through the API is kept and covered.
//! - Every template has a version, also those of the settings. A version is a content: what was declared before under a
//!   name gets its number again. An instance keeps what it was made from.
//! - What the settings name and nobody declares is a condition and an event, and stops nothing else.
//!
//! While the database is unreachable, the catalog stays as it was: nothing new can be recorded, and so nothing new is
//! made.

mod catalog;
mod change;
mod declared;
mod keeper;
mod missing;
mod others;
#[cfg(test)]
mod tests;
mod wanted;

pub use catalog::{Catalog, View};
pub use change::CatalogError;
pub use declared::{Declared, Network, Template};
pub use keeper::{Keeper, Parts};
pub use missing::Missing;
pub use others::facts_of_others;
