//! What a DHCPv6 server must do (RFC 9915), each row of the list as a test of the running daemon over a real link, by
//! a client that shares no code with it.
//!
//! A row is the number in a test's name. Most tests share a site and have it for themselves while they run; those
//! that need other settings, a restart or an empty pool start their own. Nothing here needs an engine.

mod advertisement;
mod assignment;
mod class;
mod client;
mod clock;
mod clone;
mod confirm;
mod contention;
mod decline;
mod dhcrelay;
mod discard;
mod duid;
mod elsewhere;
mod flood;
mod holder;
mod hostile;
mod information;
mod lifetime;
mod limit;
mod link;
mod malformed;
mod option;
mod others;
mod prefix;
mod rebind;
mod reconfigure;
mod registration;
mod relay;
mod release;
mod reload;
mod renew;
mod request;
mod reservation;
mod restart;
mod site;
mod sloppy;
mod solicit;
mod unicast;
