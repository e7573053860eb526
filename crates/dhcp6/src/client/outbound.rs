//! Builds a client's message.

use dhcproto::Encodable;
use dhcproto::v6::{DhcpOption, IANA, IAPD, Message, MessageType, ORO, OptionCode, UnknownOption};
use ipnet::Ipv6Net;

use super::exchange::Exchange;
use super::settings::ClientSettings;
use crate::leased::{Kind, Leased};
use crate::{Duid, MessageKind, reply};

/// Asks the server to keep the name's records (RFC 4704, section 4.1).
const FQDN_BY_SERVER: u8 = 1;

/// A message that is being built. Options are ordered by code at the end (dhcproto sorts them).
#[derive(Debug)]
pub(super) struct Outbound<'a> {
    settings: &'a ClientSettings,
    message: Message,
}

impl<'a> Outbound<'a> {
    /// Begins a message with the client's identifier and the elapsed time (RFC 9915, section 21.9).
    pub(super) fn new(settings: &'a ClientSettings, exchange: &Exchange, elapsed: u16) -> Self {
        let mut outbound = Self {
            settings,
            message: Message::new_with_id(message_type(exchange.kind), exchange.transaction),
        };
        outbound.put(DhcpOption::ClientId(settings.duid.as_bytes().to_vec()));
        outbound.put(DhcpOption::ElapsedTime(elapsed));
        outbound
    }

    /// Addresses the message to one server.
    pub(super) fn addressed_to(mut self, server: Option<&Duid>) -> Self {
        if let Some(server) = server {
            self.put(DhcpOption::ServerId(server.as_bytes().to_vec()));
        }
        self
    }

    /// Adds the Option Request option, the client's name and Reconfigure Accept.
    pub(super) fn ask(mut self) -> Self {
        let mut codes = vec![OptionCode::DomainNameServers, OptionCode::DomainSearchList];
        codes.extend(match self.message.msg_type() {
            MessageType::InformationRequest => [OptionCode::InformationRefreshTime, OptionCode::InfMaxRt].iter(),
            _ => [OptionCode::SolMaxRt].iter(),
        });
        if let Some(name) = &self.settings.hostname {
            codes.push(OptionCode::ClientFqdn);
            let body = [&[FQDN_BY_SERVER], name.as_wire()].concat();
            self.put(DhcpOption::Unknown(UnknownOption::new(OptionCode::ClientFqdn, body)));
        }
        self.put(DhcpOption::ORO(ORO { opts: codes }));
        if self.settings.reconfigure {
            self.put(DhcpOption::ReconfAccept);
        }
        self
    }

    /// Adds Rapid Commit, if it is enabled.
    pub(super) fn commit_rapidly(mut self) -> Self {
        if self.settings.rapid_commit {
            self.put(DhcpOption::RapidCommit);
        }
        self
    }

    /// Adds an identity association, with the addresses or prefixes that the client has or would like.
    pub(super) fn associate(mut self, kind: Kind, leased: &[Leased]) -> Self {
        let (id, t1, t2) = (self.settings.iaid.0, 0, 0);
        // Instead of a prefix, the client may hint at a length (RFC 8168, section 3.1).
        let hint = self.settings.wants.length().filter(|_| leased.is_empty());
        let hint = hint.and_then(|length| Ipv6Net::new(std::net::Ipv6Addr::UNSPECIFIED, length).ok());
        let hint = hint.filter(|_| kind == Kind::Prefix).map(Leased::from);
        let named = leased.iter().copied().chain(hint);
        let opts = named.map(|named| reply::lease(named, 0, 0, None)).collect();
        self.put(match kind {
            Kind::Address => DhcpOption::IANA(IANA { id, t1, t2, opts }),
            Kind::Prefix => DhcpOption::IAPD(IAPD { id, t1, t2, opts }),
        });
        self
    }

    /// Adds all identity associations that the client wants, with the leases of each.
    pub(super) fn associate_all(self, of: impl Fn(Kind) -> Vec<Leased>) -> Self {
        let kinds = self.settings.wants.kinds();
        kinds
            .iter()
            .fold(self, |message, kind| message.associate(*kind, &of(*kind)))
    }

    /// Adds the identity associations that have leases.
    pub(super) fn associate_some(self, of: impl Fn(Kind) -> Vec<Leased>) -> Self {
        let kinds = self.settings.wants.kinds().iter();
        let some = kinds
            .map(|kind| (*kind, of(*kind)))
            .filter(|(_, leased)| !leased.is_empty());
        some.fold(self, |message, (kind, leased)| message.associate(kind, &leased))
    }

    /// The bytes to send. A client's message is limited, so that they always fit.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.message.to_vec().unwrap_or_default()
    }

    fn put(&mut self, option: DhcpOption) {
        self.message.opts_mut().insert(option);
    }
}

fn message_type(kind: MessageKind) -> MessageType {
    match kind {
        MessageKind::Solicit => MessageType::Solicit,
        MessageKind::Request => MessageType::Request,
        MessageKind::Confirm => MessageType::Confirm,
        MessageKind::Renew => MessageType::Renew,
        MessageKind::Rebind => MessageType::Rebind,
        MessageKind::Release => MessageType::Release,
        MessageKind::Decline => MessageType::Decline,
        MessageKind::InformationRequest => MessageType::InformationRequest,
        MessageKind::AddrRegInform => MessageType::Unknown(36),
    }
}
