//! The names of services, instances and clients, and a DNS server that answers about them.
//!
//! ```text
//!   endpoints, clients, instances ──▶ Book ──▶ Directory, which never changes ──▶ answer(query) ──▶ response
//!                                  who has a name                                       │
//!                                                                    serve: sockets ────┴──▶ forward, if configured
//! ```
//!
//! | name in the zone | what it has |
//! |---|---|
//! | `SERVICE.service` | the addresses (AAAA) and ports (SRV) of its instances that serve |
//! | `_PORT._tcp.SERVICE.service` | one of its ports (SRV) on each of them |
//! | `SERVICE-SLOT.instance` | one of them: its address, and what it is (TXT) |
//! | `ID.instance` | any ready instance, by its id |
//! | `NAME.client`, `ID.client` | the addresses that a client holds |
//! | `SLOT.NAME.client` | the address of a client's instance |
//!
//! Every address has a name in turn (PTR). In an alias of the zone each service is found by its name alone:
//! `web.service.consul`.
//!
//! `names` and `answer` do no I/O and read no clock, so every answer can be tested.

mod answer;
mod names;
pub mod serve;
#[cfg(test)]
mod testing;

pub use answer::{Answer, Outcome, Transport, answer};
pub use names::{Book, ClientName, Directory, InstanceName, Label, NotALabel, Origins, ReverseZone};
