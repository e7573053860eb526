//! From what is recorded to what is there: gives instances to those who are to have them, keeps the routes and the bridges
//! of hosts, and removes volumes and images that nothing needs any more.

pub mod addresses;
pub mod driver;
pub mod drops;
pub mod images;
pub mod instance;
pub mod networks;
mod part;
pub mod policy;
pub mod routes;
pub mod services;
pub mod volumes;

pub use part::PartOfHost;
