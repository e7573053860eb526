//! The server (RFC 9915, section 18.3), with one file for each message.

mod admit;
mod choose;
mod confirm;
mod decline;
mod exchange;
mod extend;
mod holder;
mod information_request;
mod knowledge;
mod options;
mod rebind;
mod reconfigure;
mod register;
mod release;
mod renew;
mod request;
mod solicit;
mod supplied;

use std::cell::OnceCell;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddrV6};

use dhcproto::v6::{CLIENT_PORT, MessageType, OptionCode, SERVER_PORT};

use crate::bindings::Bindings;
use crate::class::Traits;
use crate::discard::Discard;
use crate::frame::Frame;
use crate::lifetime::Lifetimes;
use crate::message::Message;
use crate::relay::Way;
use crate::reply::Reply;
use crate::{Change, ClientLimit, Duid, Link, MessageKind, Refusal, RelayAgent, WayBack};
use exchange::Exchange;
use knowledge::Nothing;
pub use knowledge::{Elsewhere, Knowledge};
pub use reconfigure::{KeyHolder, RECONFIGURE_ATTEMPTS, RECONFIGURE_TIMEOUT, Reconfigure};

/// A DHCPv6 server: its DUID, and the key of its hashes. Everything else is passed in with each message.
#[derive(Clone)]
pub struct Server {
    duid: Duid,
    key: [u8; 16],
}

/// A datagram that arrived on the servers' port.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    /// Its bytes.
    pub datagram: &'a [u8],
    /// Its sender.
    pub source: SocketAddrV6,
    /// Whether it was sent to the servers' multicast address and not to the server's own. Relay agents may do either.
    pub multicast: bool,
}

/// An answer: the datagram to send, and the changes that must be durable before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The bytes to send.
    pub datagram: Vec<u8>,
    /// The destination, from the servers' port (RFC 9915, sections 7.2 and 18.3.10).
    pub destination: SocketAddrV6,
    /// The kind of the client's message.
    pub kind: MessageKind,
    /// The client's address: the source, or the peer address of the innermost relay agent.
    pub client_address: Ipv6Addr,
    /// Whether the answer has Reconfigure Accept. Only such clients may get [`Server::reconfigure`].
    pub reconfigurable: bool,
    /// The transaction of the message, if the answer has the client's reconfigure key.
    pub key_given: Option<[u8; 3]>,
    /// The changes, in order. They must be durable before the datagram is sent.
    pub changes: Vec<Change>,
    /// The identity associations that got no lease, with their status.
    pub refusals: Vec<Refusal>,
    /// The reactions to the client being at its limit of leases.
    pub client_limits: Vec<ClientLimit>,
    /// The last lease in the message that the client holds from elsewhere, and that was not granted.
    pub elsewhere: Option<Elsewhere>,
}

/// A datagram, with what the caller knows beyond it.
struct Received<'a> {
    inbound: &'a Inbound<'a>,
    knowledge: &'a dyn Knowledge,
}

/// An answer to the client itself, before the headers for relay agents are put around it.
struct ClientAnswer {
    datagram: Vec<u8>,
    key_given: bool,
    changes: Vec<Change>,
    refusals: Vec<Refusal>,
    limits: Vec<ClientLimit>,
    elsewhere: Option<Elsewhere>,
}

impl ClientAnswer {
    /// An answer without identity associations.
    fn with(reply: &Reply, changes: Vec<Change>) -> Result<Self, Discard> {
        Ok(Self {
            datagram: reply.encode()?,
            key_given: false,
            changes,
            refusals: Vec::new(),
            limits: Vec::new(),
            elsewhere: None,
        })
    }
}

impl Inbound<'_> {
    /// An address of the client's link, from the innermost relay agent that sends one. An unspecified or link-local
    /// address does not count.
    ///
    /// # Errors
    ///
    /// The reason why there can be no answer.
    pub fn link_address(&self) -> Result<Option<Ipv6Addr>, Discard> {
        Ok(Way::peel(self.datagram)?.link_address())
    }

    /// Its relay agents, from the innermost out.
    ///
    /// The first of them that identifies a link decides on which link the client is: by a link address, or by a
    /// [`RelayKey`](crate::RelayKey) of the link. Pass that link to [`Server::handle`]. If none does, the client is on
    /// the link of the receiving interface.
    ///
    /// # Errors
    ///
    /// The reason why there can be no answer.
    pub fn relay_agents(&self) -> Result<impl Iterator<Item = RelayAgent<'_>>, Discard> {
        let way = Way::peel(self.datagram)?;
        Ok(way.agents(*self.source.ip()).collect::<Vec<_>>().into_iter())
    }

    /// Whether it came through a relay agent.
    pub fn is_relayed(&self) -> bool {
        self.datagram.first() == Some(&u8::from(MessageType::RelayForw))
    }

    /// The client's DUID, if the message has one.
    ///
    /// # Errors
    ///
    /// The reason why there can be no answer.
    pub fn client(&self) -> Result<Option<Duid>, Discard> {
        let frame = Frame::walk_for_server(Way::peel(self.datagram)?.message)?;
        let mut options = frame.options();
        let id = options.find(|(code, _)| *code == u16::from(OptionCode::ClientId));
        Ok(id.and_then(|(_, duid)| Duid::new(duid).ok()))
    }

    /// The way back through its relay agents; `None` if there are none.
    ///
    /// # Errors
    ///
    /// The reason why there can be no answer.
    pub fn way_back(&self) -> Result<Option<WayBack>, Discard> {
        WayBack::of(&Way::peel(self.datagram)?)
    }
}

impl Server {
    /// A server with this DUID and this key. Both must stay the same, and the key must be kept secret.
    pub fn new(duid: Duid, key: [u8; 16]) -> Self {
        Self { duid, key }
    }

    /// The server's DUID.
    pub fn duid(&self) -> &Duid {
        &self.duid
    }

    /// Answers a datagram that arrived on a link. `now` is in milliseconds since 1970.
    ///
    /// This changes nothing: the answer contains the changes to be made.
    ///
    /// # Errors
    ///
    /// The reason why the datagram is dropped.
    pub fn handle(&self, link: &Link, bindings: &Bindings, inbound: &Inbound<'_>, now: i64) -> Result<Answer, Discard> {
        self.handle_knowing(link, bindings, inbound, now, &Nothing)
    }

    /// Like [`handle`](Self::handle), for a caller that knows more than the datagram shows.
    ///
    /// # Errors
    ///
    /// Those of [`handle`](Self::handle).
    pub fn handle_knowing(
        &self,
        link: &Link,
        bindings: &Bindings,
        inbound: &Inbound<'_>,
        now: i64,
        knowledge: &dyn Knowledge,
    ) -> Result<Answer, Discard> {
        let way = Way::peel(inbound.datagram)?;
        let frame = Frame::walk_for_server(way.message)?;
        let kind = MessageKind::from_wire(frame.kind).ok_or(Discard::NotForServers(frame.kind))?;
        admit::check_way(kind, &way, inbound, link)?;
        let message = Message::read(kind, &frame)?;
        admit::check_identifiers(&message, &self.duid)?;
        admit::check_unicast(&message, &way, inbound, bindings, now)?;
        admit::check_class_options(&message, link)?;
        let received = Received { inbound, knowledge };
        let inner = self.answer(link, bindings, &received, &message, &way, now)?;
        Ok(Answer {
            datagram: way.wrap(inner.datagram)?,
            destination: destination(&way, inbound.source),
            kind,
            client_address: way.client_address().unwrap_or(*inbound.source.ip()),
            reconfigurable: reconfigure::is_offered(link, &message),
            key_given: inner.key_given.then_some(message.transaction),
            changes: inner.changes,
            refusals: inner.refusals,
            client_limits: inner.limits,
            elsewhere: inner.elsewhere,
        })
    }

    fn answer(
        &self,
        link: &Link,
        bindings: &Bindings,
        received: &Received<'_>,
        message: &Message<'_>,
        way: &Way<'_>,
        now: i64,
    ) -> Result<ClientAnswer, Discard> {
        let Received { inbound, knowledge } = received;
        let sender = way.client_address().unwrap_or(*inbound.source.ip());
        let offer = reconfigure::Offer {
            link,
            message,
            sender,
            knowledge: *knowledge,
        };
        let class = link.class_of(&Traits { message, way });
        let kind = if message.kind == MessageKind::Solicit {
            MessageType::Advertise
        } else {
            MessageType::Reply
        };
        let mut reply = Reply::new(kind, message.transaction, self.duid.as_bytes(), message.client);
        let answer_lease = match message.kind {
            MessageKind::Solicit => solicit::answer,
            MessageKind::Request => request::answer,
            MessageKind::Renew => renew::answer,
            MessageKind::Rebind => rebind::answer,
            MessageKind::Release => release::answer,
            MessageKind::Decline => decline::answer,
            MessageKind::Confirm => {
                confirm::check(message)?;
                confirm::answer
            }
            MessageKind::InformationRequest => {
                let options = class.map_or(&link.options, |(_, class)| &class.options);
                information_request::answer(&mut reply, link, options, message, way);
                let key_given = self.offer_reconfigure(&mut reply, &offer, now);
                let inner = ClientAnswer::with(&reply, Vec::new())?;
                return Ok(ClientAnswer { key_given, ..inner });
            }
            MessageKind::AddrRegInform => {
                let (reply, mut changes) = register::answer(&self.duid, link, bindings, inbound, message, way, now)?;
                let name = class.map(|(_, class)| &class.name);
                changes.iter_mut().for_each(|change| change.class = name.cloned());
                return ClientAnswer::with(&reply, changes);
            }
        };
        let client = message
            .client
            .and_then(|bytes| Duid::new(bytes).ok())
            .ok_or(Discard::NoClient(message.kind))?;
        let reservation = link.reservations.of(&client, &Traits { message, way });
        let mut exchange = Exchange {
            key: &self.key,
            link,
            bindings,
            message,
            way,
            client,
            class,
            reservation,
            next_hop: way.next_hop(*inbound.source.ip(), link.prefix),
            sent_from: *inbound.source.ip(),
            knowledge: *knowledge,
            origin: OnceCell::new(),
            elsewhere: None,
            now,
            times: Lifetimes::new(link.preferred, link.valid),
            reply,
            changes: Vec::new(),
            associations: Vec::new(),
            taken: Vec::new(),
            making_room: Vec::new(),
            limits: Vec::new(),
        };
        answer_lease(&mut exchange)?;
        let finished = exchange.finish();
        let mut reply = finished.reply;
        let key_given = self.offer_reconfigure(&mut reply, &offer, now);
        Ok(ClientAnswer {
            datagram: reply.encode()?,
            key_given,
            changes: finished.changes,
            refusals: finished.refusals,
            limits: finished.limits,
            elsewhere: finished.elsewhere,
        })
    }
}

/// The destination of an answer: the relay agent that sent the message, or else the client's port at its own address.
fn destination(way: &Way<'_>, source: SocketAddrV6) -> SocketAddrV6 {
    let port = match way.is_relayed() {
        false => CLIENT_PORT,
        true if way.wants_source_port() => source.port(),
        true => SERVER_PORT,
    };
    SocketAddrV6::new(*source.ip(), port, 0, source.scope_id())
}

/// The key is a secret.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("duid", &self.duid)
            .finish_non_exhaustive()
    }
}
