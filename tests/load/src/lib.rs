//! Thousands of simulated DHCPv6 clients: how much a server stands, and whether it keeps what it promised.
//!
//! ```text
//!   Clients ── next of them ──▶ run ──▶ wire ──▶ BatchSocket ══ link ══ any DHCPv6 server
//!   what each holds ◀── checks every reply ◀──────────┘
//! ```
//!
//! - Messages are written and read by `orchestrator-wire`: a server that it measures cannot share its mistakes.
//! - One socket, one thread. Datagrams go and come in batches, so that the generator is not what is measured; what it
//!   can do at most, [`respond()`] shows.
//! - Every reply is checked: transaction, client, server, an address of the pool, the address that is renewed. After
//!   a run no two clients may hold one address.

mod client;
mod exchange;
mod fault;
mod held;
mod latency;
mod load;
mod process;
mod respond;
mod run;
mod search;
mod socket;

pub use client::{Client, Clients, Stage};
pub use exchange::exchange;
pub use fault::Faults;
pub use held::held;
pub use latency::{Latency, Samples};
pub use load::{Load, Outcome, Pace, Work};
pub use process::{Usage, processor_time, resident, thread_time};
pub use respond::respond;
pub use run::run;
pub use search::{Search, highest};
