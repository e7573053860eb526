//! The server against RFC 9915, by raw bytes. A test that is named after a row checks that row of the conformance list.

mod class;
mod delegation;
mod extend;
mod giveback;
mod holder;
mod hostile;
mod inform;
mod lab;
mod lease;
mod model;
mod options;
mod pool;
mod reconfigure;
mod register;
mod relayed;
mod reservation;
mod way;
