//! The names of services, instances and clients, and what a DNS server answers about them.
//!
//! ```text
//!   Facts ──▶ Directory::new ──▶ Directory, which never changes ──▶ answer(query) ──▶ bytes of the response
//! ```
//!
//! | name in a zone | what it has |
//! |---|---|
//! | `SERVICE.service` | the addresses (AAAA) and ports (SRV) of its ready instances |
//! | `_PORT._tcp.SERVICE.service` | one of its ports (SRV) on each ready instance |
//! | `INSTANCE.instance` | an instance's addresses, and what it is (TXT) |
//! | `CLIENT.client` | the addresses that a client holds |
//!
//! Every address has a name in turn (PTR). A zone may have further origins, under which the same names are found.
//!
//! It does no I/O and reads no clock, so every answer can be tested.

mod answer;
mod directory;
mod facts;
mod label;
mod reverse;
mod zone;

pub use answer::{Answer, Transport, answer};
pub use directory::{Directory, Origins};
pub use facts::{ClientName, Facts, InstanceName, PortName, ServiceName, Transmission};
pub use label::{Label, NotALabel};
pub use reverse::ReverseZone;
