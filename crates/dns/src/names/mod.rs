//! Names: what they are made from, who has one that several claim, and what is found for each.

mod book;
mod directory;
mod facts;
mod fronts;
mod label;
mod origins;
mod reverse;
mod service;
mod shards;

pub use book::Book;
pub use directory::Directory;
pub(crate) use directory::{Found, SERVER};
pub use facts::{ClientName, InstanceName};
pub use label::{Label, NotALabel};
pub use origins::Origins;
pub use reverse::ReverseZone;
pub(crate) use service::{ServiceHost, ServiceNode, ServicePort};
