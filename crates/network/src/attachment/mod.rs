//! Attachments: instances' interfaces on a bridge.
//!
//! ```text
//!            RTM_NEWLINK              mark                     enter the namespace
//!   nothing ─────────────▶ pair made ──────▶ marked, up ──────────────────────────▶ wired
//!      ▲                    │                  │                                      │
//!      └────────────────────┴── wrong: remove ─┴──────────────────────────────────────┘
//! ```
//!
//! A call goes through all steps from the left, whatever it finds; each of them keeps what is right.
//! *Wrong* is a pair of ours on another bridge, into another namespace (the instance was restarted), with another
//! link-layer address or another address inside: it is removed and made anew.

mod ensure;
mod flaw;
mod host;
mod inside;
mod list;
mod plan;
mod remove;

pub use flaw::Flaw;
pub(crate) use host::is_this;
pub use list::AttachmentFound;
pub use plan::AttachmentPlan;
