//! The typed view of a client's message that passed the walk.
//!
//! This does not use dhcproto's decoder of messages, because that recurses, stops silently at the first option that it
//! cannot read, and re-sorts the options. It uses dhcproto's decoders of single options that have a fixed format, on
//! bytes that are known to be enough.

use std::fmt;
use std::net::Ipv6Addr;

use dhcproto::v6::{IAAddr, IAPrefix, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder};
use ipnet::Ipv6Net;

use crate::Iaid;
use crate::fqdn::ClientName;
use crate::frame::{Fault, Frame, Options};
use crate::leased::{Kind, Leased};
use crate::requested::Requested;

/// A message that clients send to servers (RFC 9915, section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Looks for servers.
    Solicit,
    /// Asks one server for leases.
    Request,
    /// Asks whether the addresses still fit the link.
    Confirm,
    /// Asks the server that granted the leases to extend them.
    Renew,
    /// Asks any server to extend the leases.
    Rebind,
    /// Releases leases.
    Release,
    /// Declines an address that another machine uses.
    Decline,
    /// Asks for configuration without leases.
    InformationRequest,
    /// Registers an address that the host formed itself (RFC 9686).
    AddrRegInform,
}

/// ADDR-REG-INFORM.
const ADDR_REG_INFORM: u8 = 36;

impl MessageKind {
    /// The kind of a message type; `None` if clients do not send it to servers.
    pub(crate) fn from_wire(kind: u8) -> Option<Self> {
        Some(match MessageType::from(kind) {
            MessageType::Unknown(ADDR_REG_INFORM) => Self::AddrRegInform,
            MessageType::Solicit => Self::Solicit,
            MessageType::Request => Self::Request,
            MessageType::Confirm => Self::Confirm,
            MessageType::Renew => Self::Renew,
            MessageType::Rebind => Self::Rebind,
            MessageType::Release => Self::Release,
            MessageType::Decline => Self::Decline,
            MessageType::InformationRequest => Self::InformationRequest,
            _ => return None,
        })
    }

    /// The word for it, for counters and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Solicit => "solicit",
            Self::Request => "request",
            Self::Confirm => "confirm",
            Self::Renew => "renew",
            Self::Rebind => "rebind",
            Self::Release => "release",
            Self::Decline => "decline",
            Self::InformationRequest => "information-request",
            Self::AddrRegInform => "addr-reg-inform",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A client's message. It has only fields that an answer can depend on.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    pub(crate) kind: MessageKind,
    pub(crate) transaction: [u8; 3],
    /// The client's DUID.
    pub(crate) client: Option<&'a [u8]>,
    /// The DUID of the server that the message is for.
    pub(crate) server: Option<&'a [u8]>,
    /// The identity associations for non-temporary addresses and for delegated prefixes, in the order of the message.
    pub(crate) ias: Vec<Ia<'a>>,
    pub(crate) rapid_commit: bool,
    /// Whether the client accepts Reconfigures.
    pub(crate) reconfigure_accept: bool,
    /// The bodies of addresses outside of identity associations. Only Addr-reg-inform has any.
    pub(crate) addresses: Vec<&'a [u8]>,
    /// The client's name, as in the message.
    pub(crate) name: Option<ClientName<'a>>,
    requested: Option<Requested<'a>>,
    options: Options<'a>,
}

impl<'a> Message<'a> {
    /// Parses the options that servers react to.
    ///
    /// # Errors
    ///
    /// [`Fault::IaidTwice`] for a client that asks for something new, because it is not clear which of both it wants.
    /// For leases that it has, two options with one IAID are read as one.
    pub(crate) fn read(kind: MessageKind, frame: &Frame<'a>) -> Result<Self, Fault> {
        let mut message = Self {
            kind,
            transaction: frame.transaction,
            client: None,
            server: None,
            ias: Vec::new(),
            rapid_commit: false,
            reconfigure_accept: false,
            addresses: Vec::new(),
            name: None,
            requested: None,
            options: frame.options(),
        };
        for (code, body) in frame.options() {
            match OptionCode::from(code) {
                OptionCode::ClientId => message.client = Some(body),
                OptionCode::ServerId => message.server = Some(body),
                OptionCode::IANA => message.note_ia(Kind::Address, body)?,
                OptionCode::IAPD => message.note_ia(Kind::Prefix, body)?,
                OptionCode::IAAddr => message.addresses.push(body),
                OptionCode::ORO => message.requested = Some(Requested::read(body)),
                OptionCode::RapidCommit => message.rapid_commit = true,
                OptionCode::ReconfAccept => message.reconfigure_accept = true,
                OptionCode::ClientFqdn => message.name = ClientName::read(body),
                _ => {}
            }
        }
        Ok(message)
    }

    /// Whether the client asked for an option (RFC 9915, section 21.7).
    pub(crate) fn asks_for(&self, code: impl Into<u16>) -> bool {
        self.requested.is_some_and(|requested| requested.contains(code))
    }

    /// Whether the message has an Option Request option, even an empty one.
    pub(crate) fn asks(&self) -> bool {
        self.requested.is_some()
    }

    /// The first label of the client's name (RFC 4704) in lower case, if it is valid for a host.
    pub(crate) fn hostname(&self) -> Option<String> {
        self.name?.hostname()
    }

    /// The bodies of all options of a code, in the order of the message.
    pub(crate) fn all(&self, code: OptionCode) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let code = u16::from(code);
        self.options
            .filter(move |option| option.0 == code)
            .map(|option| option.1)
    }

    /// The enterprise numbers of the vendors that the client names, in vendor classes and in its own vendor options
    /// (RFC 9915, sections 21.16 and 21.17).
    pub(crate) fn enterprises(&self) -> impl Iterator<Item = u32> + use<'a> {
        let bodies = self
            .all(OptionCode::VendorClass)
            .chain(self.all(OptionCode::VendorOpts));
        bodies.filter_map(|body| body.first_chunk().copied().map(u32::from_be_bytes))
    }

    fn note_ia(&mut self, kind: Kind, body: &'a [u8]) -> Result<(), Fault> {
        let Some((head, nested)) = body.split_at_checked(12) else {
            return Ok(());
        };
        let iaid = Iaid(Decoder::new(head).read_u32().unwrap_or_default());
        let known = self.ias.iter_mut().find(|ia| (ia.kind, ia.iaid) == (kind, iaid));
        match known {
            Some(_) if matches!(self.kind, MessageKind::Solicit | MessageKind::Request) => Err(Fault::IaidTwice),
            Some(known) => {
                known.more.push(nested);
                Ok(())
            }
            None => {
                let more = Vec::new();
                self.ias.push(Ia {
                    kind,
                    iaid,
                    nested,
                    more,
                });
                Ok(())
            }
        }
    }
}

/// An identity association for non-temporary addresses or for delegated prefixes (RFC 9915, sections 21.4 and 21.21).
///
/// Its T1 and T2 and the lifetimes in it are the client's wishes, which servers ignore.
#[derive(Debug, Clone)]
pub(crate) struct Ia<'a> {
    pub(crate) kind: Kind,
    pub(crate) iaid: Iaid,
    nested: &'a [u8],
    /// The bodies of further options with the same IAID.
    more: Vec<&'a [u8]>,
}

impl<'a> Ia<'a> {
    /// The options in it, in the order of the message.
    fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        Options(self.nested).chain(self.more.clone().into_iter().flat_map(Options))
    }

    /// The addresses or prefixes in it, in the order of the message.
    pub(crate) fn named(&self) -> impl Iterator<Item = Leased> + use<'a> {
        let kind = self.kind;
        self.options()
            .filter_map(move |(code, body)| match (kind, OptionCode::from(code)) {
                (Kind::Address, OptionCode::IAAddr) => address_in(body).map(Leased::Address),
                (Kind::Prefix, OptionCode::IAPrefix) => prefix_in(body).map(Leased::from),
                _ => None,
            })
            // A prefix with a length but without an address is a hint at that length (RFC 8168, section 2). The
            // unspecified address means that the client left the address empty.
            .filter(|named| !named.first().is_unspecified())
    }

    /// The prefix length that the client hints at, from the first prefix that it names (RFC 8168, section 3.2).
    pub(crate) fn length_hint(&self) -> Option<u8> {
        self.options()
            .filter(|(code, _)| OptionCode::from(*code) == OptionCode::IAPrefix)
            .find_map(|(_, body)| prefix_in(body))
            .map(|prefix| prefix.prefix_len())
            .filter(|length| *length > 0)
    }
}

fn address_in(body: &[u8]) -> Option<Ipv6Addr> {
    let address = IAAddr::decode(&mut Decoder::new(body.get(..24)?)).ok()?;
    Some(address.addr)
}

/// `None` if the length is not that of a prefix.
fn prefix_in(body: &[u8]) -> Option<Ipv6Net> {
    let prefix = IAPrefix::decode(&mut Decoder::new(body.get(..25)?)).ok()?;
    Ipv6Net::new(prefix.prefix_ip, prefix.prefix_len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iaid_comes_once_for_each_type() {
        let ia = |code: u8, iaid: u8| [0, code, 0, 12, 0, 0, 0, iaid, 0, 0, 0, 0, 0, 0, 0, 0];
        let read_of = |kind: MessageKind, options: &[[u8; 16]]| {
            let datagram = [&[1, 0, 0, 1][..], &options.concat()].concat();
            Message::read(kind, &Frame::walk(&datagram).unwrap()).map(|message| message.ias.len())
        };
        let read = |options: &[[u8; 16]]| read_of(MessageKind::Solicit, options);
        assert_eq!(read(&[ia(3, 1), ia(3, 2), ia(25, 1)]), Ok(3));
        assert_eq!(read(&[ia(3, 1), ia(3, 1)]), Err(Fault::IaidTwice));
        assert_eq!(read(&[ia(25, 1), ia(25, 1)]), Err(Fault::IaidTwice));
        let twice = [ia(3, 1), ia(25, 1), ia(3, 1), ia(25, 1)];
        assert_eq!(read_of(MessageKind::Request, &twice), Err(Fault::IaidTwice));
        // Both types of option have the same meaning for leases that a client has.
        for kind in [
            MessageKind::Renew,
            MessageKind::Rebind,
            MessageKind::Release,
            MessageKind::Decline,
        ] {
            assert_eq!(read_of(kind, &twice), Ok(2), "{kind}");
        }
    }
}
