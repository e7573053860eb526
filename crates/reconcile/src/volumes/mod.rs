//! Removes volumes: those whose time is over, and those that somebody wants removed. Measures those that stay.
//!
//! ```text
//!   kept, held ──instance removed──▶ kept, idle ──its rule, or somebody──▶ removing ──directory gone──▶ (no row)
//!       ▲                                │
//!       └────────── next instance ───────┘
//! ```
//!
//! That a volume is to go is recorded first, and from then on no instance takes it. So its directory can be removed at any
//! time afterwards, as often as needed, also by the next daemon.

mod reconciler;
mod records;
mod usage;

pub use reconciler::{Parts, register};
pub use records::VolumeRecords;
