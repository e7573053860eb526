//! dnsmasq as a lease source, through its `dhcp-script`.
//!
//! ```text
//! dnsmasq ─▶ hook (a process an event) ─┬─ POST /v1/hooks/dnsmasq ─▶ daemon
//!                                       └─ spool, when that fails ──▶ daemon, when it looks there
//! ```
//! dnsmasq runs one hook after the other, and never repeats one. So the hook hands its event over within milliseconds,
//! or keeps it on disk. The same event may come twice: by both ways, or because dnsmasq repeats its leases (`old`,
//! twice after a restart). Events may also overtake one another. So each carries its time, and a possible repetition is
//! marked as replayed.

mod event;
mod hook;
mod intake;
mod spool;

pub use event::{DnsmasqEvent, DnsmasqVerb, EventError, Handed, HookCall, Ignored};
pub use hook::{Answer, Outcome, hand_over};
pub use intake::{DrainError, Intake, IntakeError};
pub use spool::{Spool, SpoolError, Spooled};
