//! Client classes: groups of clients that are recognized by their messages and their relay agents.
//!
//! A class has conditions, and a client must meet all of them. A client is in at most one class: the first of the
//! link's classes whose conditions it meets. This is decided for each message.

mod pattern;

use std::sync::Arc;

use dhcproto::v6::OptionCode;

use crate::message::Message;
use crate::relay::Way;
use crate::{Duid, LinkLayerAddress, OptionSet};

pub use pattern::Pattern;

/// Client architecture (RFC 5970, section 3.3).
const ARCHITECTURE: OptionCode = OptionCode::ClientArchType;

/// A class of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: Arc<str>,
    /// The conditions that a client must meet.
    pub conditions: Conditions,
    /// Options of its clients. They replace the link's options as a whole.
    pub options: OptionSet,
}

/// A class, by its position in the list of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(pub u16);

/// The conditions of a class. A client must meet all that are given. Without conditions, all clients are in the class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Enterprise number of a vendor class (RFC 9915, section 21.16).
    pub vendor_enterprise: Option<u32>,
    /// Matches one of the texts of the vendor class with that enterprise number.
    pub vendor_class: Option<Pattern>,
    /// Matches one of the texts of the user class (RFC 9915, section 21.15).
    pub user_class: Option<Pattern>,
    /// The begin of the link-layer address, from the relay agent (RFC 6939) or else from the DUID.
    pub link_layer: Option<Vec<u8>>,
    /// Enterprise number of the remote-id (RFC 4649).
    pub remote_enterprise: Option<u32>,
    /// The remote-id without its enterprise number.
    pub remote_id: Option<Pattern>,
    /// The interface-id (RFC 9915, section 21.18).
    pub interface_id: Option<Pattern>,
    /// The subscriber-id (RFC 4580).
    pub subscriber_id: Option<Pattern>,
    /// The client's architectures (RFC 5970, section 3.3) must include one of these. An empty list has no effect.
    pub architectures: Vec<u16>,
}

/// The message and the relay agents that a class is matched with.
pub(crate) struct Traits<'a> {
    pub(crate) message: &'a Message<'a>,
    pub(crate) way: &'a Way<'a>,
}

impl Conditions {
    /// Whether a client meets all conditions.
    pub(crate) fn are_met(&self, traits: &Traits<'_>) -> bool {
        self.is_of_vendor(traits)
            && is_met(self.user_class.as_ref(), |pattern| {
                let mut bodies = traits.message.all(OptionCode::UserClass);
                bodies.any(|body| Texts(body).any(|text| pattern.matches(text)))
            })
            && is_met(self.link_layer.as_ref(), |first| {
                let address = traits.link_layer();
                address.is_some_and(|address| address.as_bytes().starts_with(first))
            })
            && self.is_at_remote(traits)
            && is_met(self.interface_id.as_ref(), |pattern| {
                let id = traits.way.nearest(OptionCode::InterfaceId);
                id.is_some_and(|id| pattern.matches(id))
            })
            && is_met(self.subscriber_id.as_ref(), |pattern| {
                let id = traits.way.nearest(OptionCode::SubscriberId);
                id.is_some_and(|id| pattern.matches(id))
            })
            && (self.architectures.is_empty() || self.is_of_architecture(traits))
    }

    fn is_of_vendor(&self, traits: &Traits<'_>) -> bool {
        if self.vendor_enterprise.is_none() && self.vendor_class.is_none() {
            return true;
        }
        let mut classes = traits.message.all(OptionCode::VendorClass).filter_map(split_enterprise);
        classes.any(|(enterprise, texts)| {
            self.vendor_enterprise.is_none_or(|wanted| wanted == enterprise)
                && is_met(self.vendor_class.as_ref(), |pattern| {
                    Texts(texts).any(|text| pattern.matches(text))
                })
        })
    }

    fn is_at_remote(&self, traits: &Traits<'_>) -> bool {
        if self.remote_enterprise.is_none() && self.remote_id.is_none() {
            return true;
        }
        traits.remote_id().is_some_and(|(enterprise, id)| {
            self.remote_enterprise.is_none_or(|wanted| wanted == enterprise)
                && is_met(self.remote_id.as_ref(), |pattern| pattern.matches(id))
        })
    }

    fn is_of_architecture(&self, traits: &Traits<'_>) -> bool {
        let bodies = traits.message.all(ARCHITECTURE);
        let mut types = bodies.flat_map(|body| body.chunks_exact(2));
        types.any(|kind| self.architectures.contains(&u16::from_be_bytes([kind[0], kind[1]])))
    }
}

impl<'a> Traits<'a> {
    /// The enterprise number of the remote-id (RFC 4649), and the identifier after it.
    pub(crate) fn remote_id(&self) -> Option<(u32, &'a [u8])> {
        self.way.nearest(OptionCode::RemoteId).and_then(split_enterprise)
    }

    /// The client's link-layer address, from the relay agent next to the client or else from the DUID.
    pub(crate) fn link_layer(&self) -> Option<LinkLayerAddress> {
        let own = || Duid::new(self.message.client?).ok()?.link_layer();
        self.way.link_layer().or_else(own)
    }
}

/// A missing condition counts as met.
fn is_met<T>(condition: Option<T>, met: impl FnOnce(T) -> bool) -> bool {
    condition.is_none_or(met)
}

/// Splits off the enterprise number at the beginning.
fn split_enterprise(body: &[u8]) -> Option<(u32, &[u8])> {
    let (enterprise, rest) = body.split_first_chunk()?;
    Some((u32::from_be_bytes(*enterprise), rest))
}

/// Texts, each after its length of two bytes. Ends at the first that is malformed.
struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_where_they_are_not_well_formed() {
        let texts = |body| Texts(body).collect::<Vec<_>>();
        assert_eq!(texts(b"\x00\x01a\x00\x00\x00\x02bc"), [&b"a"[..], b"", b"bc"]);
        assert_eq!(texts(b"\x00\x01a\x00\x09bc"), [b"a"]);
        assert!(texts(b"\x00").is_empty());
    }
}
