//! Leads HTTP by name to the endpoints of services, through HAProxy.
//!
//! ```text
//!   Endpoints ──plan──▶ Desired ──config──▶ haproxy.cfg and the files beside it
//!                          │
//!       Actual ──────▶ difference ──▶ commands of the runtime API, or a reload
//!          ▲                                   │
//!          └──────────── runtime ◀─────────────┘   (the only room with I/O)
//! ```
//!
//! Invariants:
//!
//! - Whatever is written into a file or a command is of a type that was checked (`name`). No name, path or certificate
//!   can end the line that it is in.
//! - The files are written before the commands are sent: HAProxy that starts anew serves what it served before.
//! - A server is added only when the endpoint serves. HAProxy's own check can only take it out.
//! - A server is removed only after it has been drained, or when its instance is gone.

mod actual;
mod config;
mod desired;
mod difference;
mod name;
mod plan;
mod pools;
pub mod runtime;
mod step;

pub use actual::{Actual, ActualServer, Admin};
pub use config::{Addresses, Files, Layout, LayoutFault, Statistics, write_files};
pub use desired::{Backend, Certificate, Desired, Server, Target, Use};
pub use difference::{Difference, Reload, difference};
pub use name::{BackendId, CertificateName, Challenge, HostName, Kind, MapKey, NameFault, PathPrefix, Pem, ServerName};
pub use plan::{Material, Plan, Refused, plan};
pub use pools::Pools;
pub use step::{MapName, Step};
