//! The instance reconciler on a host and a record in memory: without root, without an engine, on a clock that stands
//! still until everybody waits.

mod attachments;
mod clock;
mod daemon;
mod delays;
mod deployments;
mod images;
mod life;
mod limits;
mod output;
mod packet_rules;
mod properties;
mod records;
mod scenario;
mod services;
mod sidecars;
mod tasks;
mod time;
mod volumes;
