//! The DHCPv6 wire format of all tests, benches and fuzz targets: messages are written and read byte by byte.
//!
//! It shares no code with `orchestrator-dhcp6` and uses no DHCPv6 library, so that a mistake of the server is not made
//! a second time by the test that should find it. It has no dependencies at all.
//!
//! ```text
//!   numbers   message types, option codes and status codes
//!   write     options and messages
//!   ia        identity associations, addresses and prefixes in them
//!   class     user and vendor classes
//!   relay     a relay's layer: written and read
//!   malformed options whose lengths are wrong, and too deep or too many of them
//!   walk      options one after the other; no allocation, and no panic
//!   read      a server's message, taken apart; panics at what no server may send
//!   frame     the DHCPv6 message in an Ethernet frame
//!   packet    Ethernet frames with IPv6 packets of any kind, written
//!   batch     the few messages of a load generator, without an allocation for each
//!   digest    HMAC-MD5, by which a client knows a Reconfigure
//! ```
//!
//! Readers that return a `Message`, an `Ia` or the like panic at bytes that are not well formed: in a test that is the
//! failure. [`walk()`] and [`batch`] return an error or nothing instead.
//!
//! ```
//! use orchestrator_wire::{Message, SOLICIT, client_id, duid, ia_na, message};
//!
//! let solicit = message(SOLICIT, [1, 2, 3], &[client_id(&duid(7)), ia_na(1, &[])]);
//! assert_eq!(Message::parse(&solicit).ia(1).addresses, []);
//! ```

pub mod batch;
mod class;
mod digest;
mod frame;
mod ia;
mod malformed;
mod numbers;
pub mod packet;
mod read;
mod relay;
mod walk;
mod write;

pub use class::{read_texts, texts, user_class, vendor_class};
pub use digest::hmac_md5;
pub use frame::in_frame;
pub use ia::{association, association_timed, ia_address, ia_na, ia_na_timed, ia_pd, ia_pd_hint, ia_prefix, ia_ta};
pub use malformed::{cut_head, nested, option_claiming};
pub use numbers::*;
pub use read::{Address, Ia, IaPd, Message, Options, Prefix, number, status_code};
pub use relay::{RELAY_HEAD, Relayed, relay_forw, relay_layer};
pub use walk::{Cut, Walk, only, options, walk};
pub use write::{
    Xid, client_id, clipped_option, duid, duid_ll, message, option, option_request, put, server_id, status,
};
