//! From what is recorded to what is there: gives instances to those who are to have them, and keeps the routes and the
//! bridges of hosts.

pub mod addresses;
pub mod driver;
pub mod instance;
pub mod networks;
mod part;
pub mod routes;
pub mod volumes;

pub use part::PartOfHost;
