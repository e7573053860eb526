//! Images: what versions of templates are pinned to, and which images of the engines nothing uses any more.
//!
//! ```text
//!   a version is first used on an engine ──▶ what its names mean there is recorded, and stays
//!   nothing uses an image ──its time is over──▶ removing ──the engine removed it──▶ (no row)
//!                 ▲                                │
//!                 └──────── the engine refuses ────┘
//! ```
//!
//! That an image is to go is recorded first, unless a version in use is pinned to it, and from then on no version takes
//! it. The engine itself keeps an image that a container uses.

mod pins;
mod reconciler;
mod records;
mod rule;
mod sweep;
mod uses;

pub use pins::{PinFault, Pins, image_names, pins_images};
pub use reconciler::{Parts, register};
pub use records::{ImageRecords, PinRecords};
pub use rule::{Candidate, Rule, Verdict, judge};
pub use sweep::{Order, Outcome, Sweep, Sweeper, Swept};
pub use uses::{Use, uses_of};
