//! Messages to netfilter and the socket that they go through: shared by the log of origins and the packet filter.

mod fault;
mod message;
mod shared;
mod socket;

pub(crate) use fault::{lacks_filter, refused};
pub(crate) use message::{Attributes, Message, attributes, messages, messages_with_headers, port};
pub(crate) use shared::SharedSocket;
pub(crate) use socket::{ask, connect, dump, is_permission, subscribe};

/// Subsystem of nftables, and its messages.
pub(crate) mod nftables {
    pub(crate) const SUBSYSTEM: u16 = 10;
    pub(crate) const NEW_TABLE: u16 = 0;
    pub(crate) const GET_TABLE: u16 = 1;
    pub(crate) const DELETE_TABLE: u16 = 2;
    pub(crate) const NEW_CHAIN: u16 = 3;
    pub(crate) const GET_CHAIN: u16 = 4;
    pub(crate) const NEW_RULE: u16 = 6;
    pub(crate) const GET_RULE: u16 = 7;
    pub(crate) const NEW_SET: u16 = 9;
    pub(crate) const NEW_ELEMENT: u16 = 12;
    pub(crate) const GET_ELEMENT: u16 = 13;
    pub(crate) const DELETE_ELEMENT: u16 = 14;
    pub(crate) const NEW_GENERATION: u16 = 15;
    pub(crate) const GET_OBJECT: u16 = 19;
    /// Begin and end of a transaction, which all subsystems have.
    pub(crate) const BEGIN: u16 = 16;
    pub(crate) const END: u16 = 17;
    /// The multicast group of changes.
    pub(crate) const CHANGES: u32 = 7;
}
