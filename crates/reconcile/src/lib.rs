//! From what is recorded to what is there: gives instances to those who are to have them, and keeps the kernel's routes.

pub mod addresses;
pub mod driver;
pub mod instance;
pub mod routes;
