//! dnsmasq as a lease source, through its `dhcp-script`.
//!
//! ```text
//! dnsmasq ─▶ hook (a process an event) ─┬─ POST /v1/hooks/dnsmasq ─▶ daemon
//!                                       └─ spool, when that fails ──▶ daemon, when it looks there
//! ```
//!
//! dnsmasq runs one hook after the other and never runs one again: so the hook hands over within milliseconds and
//! keeps on disk what it could not hand over. The same event may come twice, by both ways or because dnsmasq repeats
//! what it knows (`old`, twice after a restart), and events may overtake one another: each carries its time, and what
//! repeats is marked as replayed, so that the store can tell news from echoes.

mod event;
mod hook;
mod intake;
mod spool;

pub use event::{DnsmasqEvent, DnsmasqVerb, EventError, Handed, Heard, Ignored};
pub use hook::{Answer, Outcome, hand_over};
pub use intake::{DrainError, Intake, IntakeError};
pub use spool::{Spool, SpoolError, Spooled};
