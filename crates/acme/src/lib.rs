//! Certificates of names from an authority, by ACME (RFC 8555). The authority checks a name by a request to it on port 80
//! (http-01), so that whoever answers there has to show the proof first.
//!
//! ```text
//!   names ──▶ Keeper ── machine: what is due ──▶ one step of each name ──▶ Authority (Client, or a fake)
//!               │ ▲                                                  │
//!        proofs │ │ proofs in force                                  ▼
//!               ▼ │                                                Vault: account, orders, certificates
//!             balancers
//! ```
//!
//! Invariants:
//!
//! - We ask the authority to check a name only when every balancer shows the proof.
//! - A good certificate is shown until there is another one.
//! - The private key of an order is kept before the order is completed, and the order until its certificate is kept. So
//!   what a crash interrupts is taken up again, and no certificate is issued twice.
//! - Failures are on record with the order: a restart does not ask an authority again before its time.
//! - No name waits for another one, except where the authority cannot be reached at all.

mod authority;
mod chain;
mod client;
mod http;
mod keeper;
mod life;
mod machine;
mod record;

pub use authority::{Authority, Proof, Refusal, Standing};
pub use client::Client;
pub use keeper::{Event, Keeper, Turn};
pub use life::Life;
pub use record::{Kept, Vault, certificate_row, order_row};
