//! A store of unpacked images, for engines that have no daemon of their own.
//!
//! ```text
//!   archive (docker save, OCI layout) ─┐                       ┌─▶ layer directories ─▶ overlayfs
//!                                      ├─▶ blobs ─▶ layers ──▶ │
//!   registry ──────────────────────────┘   (work/)  (layers/)  └─▶ configuration
//! ```
//!
//! A layer is unpacked once, into a directory that is named after the digest of its uncompressed content. What it takes
//! away from the layers below is in the form that overlayfs knows: a device 0/0 for a removed name, an attribute for a
//! directory that hides those below.
//!
//! Invariants:
//!
//! - Nothing that an archive says is a path of the host. A layer's entries are resolved inside its directory by the
//!   kernel (`openat2`), and names inside of an archive of blobs never become paths at all.
//! - Nothing is trusted before its digest is verified, and a digest is verified while the bytes are read.
//! - Everything is bounded: bytes, entries, names, headers, depth. See [`Limits`].
//! - A layer is unpacked under a temporary name, written to the disk and then renamed: what has its name is whole. What
//!   a crash left half-done is removed when the store is opened.
//! - One process has a store open at a time.
//!
//! All calls block. A caller on an async runtime makes them on a thread that may block.

mod compression;
mod config;
mod digest;
mod error;
mod layer;
mod layout;
mod limits;
mod reference;
mod spool;
mod store;

pub use config::ImageConfig;
pub use digest::{Digest, DigestError};
pub use error::ImageError;
pub use limits::Limits;
pub use reference::{Reference, ReferenceError};
pub use store::{Collected, Resolved, Store, StoredImage};
