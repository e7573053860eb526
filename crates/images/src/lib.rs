//! A store of unpacked images, for engines without a daemon.
//!
//! ```text
//!   archive (docker save, OCI layout) ─┐                       ┌─▶ layer directories ─▶ overlayfs
//!                                      ├─▶ blobs ─▶ layers ──▶ │
//!   registry ──────────────────────────┘   (work/)  (layers/)  └─▶ configuration
//! ```
//!
//! A layer is unpacked once, into a directory that is named after the digest of its uncompressed content. Its deletions
//! from the layers below are in the form of overlayfs: a device 0/0 for a deleted name, an attribute for a directory
//! that hides the layers below.
//!
//! Invariants:
//!
//! - No text of an archive becomes a path of the host. The kernel resolves a layer's entries inside its directory
//!   (`openat2`), and names in an archive of blobs never become paths.
//! - Nothing is used before its digest is verified. A digest is verified while the bytes are read.
//! - Everything is bounded: bytes, entries, names, headers, depth. See [`Limits`].
//! - A layer is unpacked under a temporary name, synchronized to disk and then renamed. So a layer with its final name
//!   is complete. Incomplete ones of a crash are removed when the store is opened.
//! - One process has a store open at a time.
//!
//! All calls block. On an async runtime, call them on a thread that may block.

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
