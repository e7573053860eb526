//! Removes the headers of relay agents from a message, from the outside in, and puts them around the answer.
//!
//! Nothing here recurses. It does not use dhcproto, which takes every relayed message for another relay agent's. Each
//! relay agent's header is answered by one with the same hop count, link and peer address, interface-id and source port
//! (RFC 9915, sections 9.2 and 19.3; RFC 8357).

use std::net::Ipv6Addr;

use dhcproto::v6::{MessageType, OptionCode};
use ipnet::Ipv6Net;

use crate::LinkLayerAddress;
use crate::discard::Discard;
use crate::frame::{Fault, MAX_DATAGRAM, MAX_OPTIONS, Options, split_option};
use crate::relay_key::{RelayAgent, telling};

/// The largest number of relay agents of a message. A relay agent discards a message whose hop count has reached 8; so
/// the last count is at most 8, and the first is 0 (RFC 9915, section 19.1.2).
pub const MAX_RELAYS: usize = 9;

/// Message type, hop count, link address and peer address.
const HEAD: usize = 34;
/// Code and length of an option.
const OPTION_HEAD: usize = 4;
/// Relay source port (RFC 8357): dhcproto reads this number as an unknown code.
const RELAY_SOURCE_PORT: u16 = 135;
/// Relay-supplied options (RFC 6422).
const RELAY_SUPPLIED: u16 = 66;
/// Client link-layer address (RFC 6939): two bytes of hardware type before the address.
const LINK_LAYER_TYPE: usize = 2;

/// The way of a message: its relay agents from the outermost in, and the client's message itself.
#[derive(Debug, Clone)]
pub(crate) struct Way<'a> {
    layers: Vec<Layer<'a>>,
    pub(crate) message: &'a [u8],
}

/// A Relay-forward header, which a relay agent put around a message.
#[derive(Debug, Clone, Copy)]
struct Layer<'a> {
    /// Hop count, link address and peer address. They are echoed.
    head: &'a [u8],
    link: Ipv6Addr,
    peer: Ipv6Addr,
    options: &'a [u8],
}

impl<'a> Way<'a> {
    /// Removes all relay headers from a datagram; a client's own message has none.
    ///
    /// # Errors
    ///
    /// When a header is malformed or has no message inside, or when there are too many.
    pub(crate) fn peel(datagram: &'a [u8]) -> Result<Self, Discard> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Fault::TooLong(datagram.len()).into());
        }
        let mut way = Self {
            layers: Vec::new(),
            message: datagram,
        };
        while way.message.first() == Some(&u8::from(MessageType::RelayForw)) {
            if way.layers.len() == MAX_RELAYS {
                return Err(Discard::TooManyRelays);
            }
            let (layer, message) = Layer::peel(way.message)?;
            way.layers.push(layer);
            way.message = message;
        }
        Ok(way)
    }

    /// Whether there is any relay agent.
    pub(crate) fn is_relayed(&self) -> bool {
        !self.layers.is_empty()
    }

    /// An address of the client's link, from the innermost relay agent that sends one (RFC 9915, section 13.1).
    pub(crate) fn link_address(&self) -> Option<Ipv6Addr> {
        self.layers.iter().rev().find_map(|layer| telling(layer.link))
    }

    /// The relay agents from the innermost out. `source` is the source of the datagram.
    pub(crate) fn agents(&self, source: Ipv6Addr) -> impl Iterator<Item = RelayAgent<'a>> {
        let addresses = [source].into_iter().chain(self.layers.iter().map(|layer| layer.peer));
        let agents = self.layers.iter().zip(addresses).map(|(layer, address)| RelayAgent {
            link_address: layer.link,
            address,
            interface_id: layer.option(OptionCode::InterfaceId.into()),
        });
        agents.collect::<Vec<_>>().into_iter().rev()
    }

    /// The client's address, from the relay agent next to the client.
    pub(crate) fn client_address(&self) -> Option<Ipv6Addr> {
        self.layers.last().map(|layer| layer.peer)
    }

    /// The next hop towards prefixes that are delegated to the client: the client, if it is on this link, even behind a
    /// relay agent on a switch (RFC 6221); otherwise the relay agent that sent the datagram, if that is on this link
    /// (RFC 8987); otherwise `None`.
    pub(crate) fn next_hop(&self, source: Ipv6Addr, link: Ipv6Net) -> Option<Ipv6Addr> {
        match self.client_address() {
            None => Some(source),
            Some(client) if self.is_switched() && client.is_unicast_link_local() => Some(client),
            Some(_) => (source.is_unicast_link_local() || link.contains(&source)).then_some(source),
        }
    }

    /// Whether all relay agents are on switches, which send no link address (RFC 6221).
    fn is_switched(&self) -> bool {
        self.layers.iter().all(|layer| layer.link.is_unspecified())
    }

    /// Whether the relay agent that sent the datagram wants the answer at its source port (RFC 8357).
    pub(crate) fn wants_source_port(&self) -> bool {
        self.layers
            .first()
            .is_some_and(|layer| layer.option(RELAY_SOURCE_PORT).is_some())
    }

    /// The client's link-layer address, from the relay agent next to it (RFC 6939).
    pub(crate) fn link_layer(&self) -> Option<LinkLayerAddress> {
        let body = self.layers.last()?.option(OptionCode::ClientLinklayerAddr.into())?;
        LinkLayerAddress::new(body.get(LINK_LAYER_TYPE..)?).ok()
    }

    /// An option of the relay agent nearest to the client among those that have it.
    pub(crate) fn nearest(&self, code: OptionCode) -> Option<&'a [u8]> {
        let code = code.into();
        self.layers.iter().rev().find_map(|layer| layer.option(code))
    }

    /// The bodies of an option that a relay agent supplies for the client (RFC 6422), from the one nearest to the
    /// client among those that supply it.
    pub(crate) fn supplied(&self, code: u16) -> Vec<&'a [u8]> {
        let of_layer = |layer: &Layer<'a>| -> Vec<&'a [u8]> {
            let supplied = Options(layer.option(RELAY_SUPPLIED).unwrap_or_default());
            let wanted = supplied.filter(|option| option.0 == code);
            wanted.map(|option| option.1).collect()
        };
        let supplies = self.layers.iter().rev().map(of_layer);
        supplies
            .into_iter()
            .find(|bodies| !bodies.is_empty())
            .unwrap_or_default()
    }

    /// Puts a header for each relay agent around the answer to the client.
    ///
    /// # Errors
    ///
    /// When the answer becomes too long.
    pub(crate) fn wrap(&self, answer: Vec<u8>) -> Result<Vec<u8>, Discard> {
        if !self.is_relayed() {
            return Ok(answer);
        }
        self.put_around(MessageType::RelayRepl, &answer)
    }

    /// The relay headers without a message inside, reduced to what is put around an answer. [`peel`](Self::peel)
    /// accepts it.
    ///
    /// # Errors
    ///
    /// When it is too long, which cannot happen to headers that were peeled.
    pub(crate) fn alone(&self) -> Result<Vec<u8>, Discard> {
        self.put_around(MessageType::RelayForw, &[])
    }

    fn put_around(&self, kind: MessageType, message: &[u8]) -> Result<Vec<u8>, Discard> {
        let mut left = message.len() + self.layers.iter().map(Layer::len).sum::<usize>();
        let mut datagram = Vec::with_capacity(left);
        for layer in &self.layers {
            left -= layer.len();
            layer.put(kind, left, &mut datagram)?;
        }
        datagram.extend_from_slice(message);
        Ok(datagram)
    }
}

impl<'a> Layer<'a> {
    /// Removes one relay header. Returns it and the message inside.
    fn peel(datagram: &'a [u8]) -> Result<(Self, &'a [u8]), Discard> {
        let Some(([_, head @ ..], options)) = datagram.split_first_chunk::<HEAD>() else {
            return Err(Fault::TooShort(datagram.len()).into());
        };
        walk(options)?;
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&head[at..at + 16]);
            Ipv6Addr::from(octets)
        };
        let layer = Self {
            head,
            link: address(1),
            peer: address(17),
            options,
        };
        let message = layer
            .option(OptionCode::RelayMsg.into())
            .ok_or(Discard::NothingRelayed)?;
        Ok((layer, message))
    }

    fn option(&self, code: u16) -> Option<&'a [u8]> {
        Options(self.options)
            .find(|option| option.0 == code)
            .map(|option| option.1)
    }

    /// The options that are echoed.
    fn echoed(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let is_echoed = |code| code == u16::from(OptionCode::InterfaceId) || code == RELAY_SOURCE_PORT;
        Options(self.options).filter(move |option| is_echoed(option.0))
    }

    /// The number of bytes that it puts around an answer.
    fn len(&self) -> usize {
        HEAD + self.echoed().map(|(_, body)| OPTION_HEAD + body.len()).sum::<usize>() + OPTION_HEAD
    }

    /// Writes the header as a message of this kind, before the `inner` bytes inside.
    fn put(&self, kind: MessageType, inner: usize, datagram: &mut Vec<u8>) -> Result<(), Discard> {
        datagram.push(kind.into());
        datagram.extend_from_slice(self.head);
        for (code, body) in self.echoed() {
            put_head(code, body.len(), datagram)?;
            datagram.extend_from_slice(body);
        }
        put_head(OptionCode::RelayMsg.into(), inner, datagram)
    }
}

fn put_head(code: u16, length: usize, datagram: &mut Vec<u8>) -> Result<(), Discard> {
    let length = u16::try_from(length).map_err(|_| Discard::AnswerTooLong)?;
    datagram.extend(code.to_be_bytes());
    datagram.extend(length.to_be_bytes());
    Ok(())
}

/// Walks the options of one header, and those that its relay agent supplies for the client.
fn walk(mut options: &[u8]) -> Result<(), Fault> {
    let (mut count, mut seen) = (0, [false; 5]);
    while let Some((code, body, rest)) = split_option(options)? {
        options = rest;
        count += 1;
        if count > MAX_OPTIONS {
            return Err(Fault::TooMany);
        }
        let once = match OptionCode::from(code) {
            OptionCode::RelayMsg => 0,
            OptionCode::InterfaceId => 1,
            OptionCode::ClientLinklayerAddr => 2,
            _ if code == RELAY_SOURCE_PORT && body.len() != 2 => {
                return Err(Fault::Length {
                    code,
                    length: body.len(),
                });
            }
            _ if code == RELAY_SOURCE_PORT => 3,
            _ if code == RELAY_SUPPLIED => {
                count += count_supplied(body)?;
                4
            }
            _ => continue,
        };
        if std::mem::replace(&mut seen[once], true) {
            return Err(Fault::Twice(code));
        }
    }
    Ok(())
}

/// The number of options that a relay agent supplies for the client.
fn count_supplied(mut options: &[u8]) -> Result<usize, Fault> {
    let mut count = 0;
    while let Some((_, _, rest)) = split_option(options)? {
        options = rest;
        count += 1;
    }
    Ok(count)
}
