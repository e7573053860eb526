//! Reconfigure: the server makes a client ask again (RFC 9915, sections 18.3.11 and 20.4).
//!
//! A client that accepts it is given a key in the Replies to its Request, rapid Solicit and Information-request, and
//! takes no Reconfigure that is not signed with it. One that accepts it only later, or whose Reply with the key may be
//! lost, is given the key in the Reply to that Renew or Rebind: else it could never be reconfigured. The key is derived from the server's own and the client's DUID: it
//! need not be recorded, and is the same after a restart. The number against replay is the time in milliseconds.

use std::hash::Hasher;
use std::net::Ipv6Addr;
use std::time::Duration;

use dhcproto::v6::MessageType;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::discard::Discard;
use crate::message::Message;
use crate::reply::Reply;
use crate::rkap::{DIGEST, KEY, sign};
use crate::{Duid, Link, MessageKind, Server};

/// How long to wait for the client's message before a Reconfigure is sent again; then twice as long each time.
pub const RECONFIGURE_TIMEOUT: Duration = Duration::from_secs(2);
/// How many times a Reconfigure is sent.
pub const RECONFIGURE_ATTEMPTS: u32 = 8;

/// The message that a Reconfigure asks the client for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconfigure {
    /// A Renew, to this server.
    Renew,
    /// A Rebind.
    Rebind,
    /// An Information-request.
    InformationRequest,
}

impl Reconfigure {
    /// The message that the client is to send.
    pub const fn message(self) -> MessageKind {
        match self {
            Self::Renew => MessageKind::Renew,
            Self::Rebind => MessageKind::Rebind,
            Self::InformationRequest => MessageKind::InformationRequest,
        }
    }

    /// Whether a message does what was wanted: a client that gets no answer to its Renew goes over to Rebind.
    pub fn is_answered_by(self, kind: MessageKind) -> bool {
        match self {
            Self::Renew => matches!(kind, MessageKind::Renew | MessageKind::Rebind),
            Self::Rebind => kind == MessageKind::Rebind,
            Self::InformationRequest => kind == MessageKind::InformationRequest,
        }
    }
}

/// Who sends a message, for the question whether it holds its key of Reconfigure.
#[derive(Debug, Clone, Copy)]
pub struct KeyHolder<'a> {
    /// The client.
    pub duid: &'a Duid,
    /// The address that it sends from, as the relay next to it has it.
    pub address: Ipv6Addr,
    /// The transaction of its message: one that comes again says that its Reply was lost.
    pub transaction: [u8; 3],
}

/// What decides whether the answer has Reconfigure Accept and the reconfigure key.
pub(super) struct Offer<'a> {
    pub(super) link: &'a Link,
    pub(super) message: &'a Message<'a>,
    pub(super) sender: Ipv6Addr,
    pub(super) holds_key: &'a dyn Fn(&KeyHolder<'_>) -> bool,
}

impl Offer<'_> {
    /// Whether the Reply to this message is to give the key: it begins a lease, or the client does not hold the key.
    fn is_key_due(&self, client: &[u8]) -> bool {
        if !matches!(self.message.kind, MessageKind::Renew | MessageKind::Rebind) {
            return true;
        }
        Duid::new(client).is_ok_and(|duid| {
            let holder = KeyHolder {
                duid: &duid,
                address: self.sender,
                transaction: self.message.transaction,
            };
            !(self.holds_key)(&holder)
        })
    }
}

/// Whether the answer has Reconfigure Accept.
pub(super) fn is_offered(link: &Link, message: &Message<'_>) -> bool {
    let fits = !matches!(
        message.kind,
        MessageKind::Release | MessageKind::Decline | MessageKind::Confirm
    );
    link.reconfigure && message.reconfigure_accept && message.client.is_some() && fits
}

impl Server {
    /// A Reconfigure for a client: to be sent to its link-local address, to nobody who was not told that it may be
    /// ([`Answer::reconfigurable`](crate::Answer)), and up to [`RECONFIGURE_ATTEMPTS`] times.
    ///
    /// `now`, in milliseconds since 1970, must be later than at the client's last Reply or Reconfigure: the client
    /// takes none that is not.
    ///
    /// # Errors
    ///
    /// When the message cannot be encoded.
    pub fn reconfigure(&self, client: &Duid, what: Reconfigure, now: i64) -> Result<Vec<u8>, Discard> {
        // The transaction id is zero (section 18.3.11).
        let mut reply = Reply::new(
            MessageType::Reconfigure,
            [0; 3],
            self.duid.as_bytes(),
            Some(client.as_bytes()),
        );
        reply.put_reconfigure_message(match what {
            Reconfigure::Renew => MessageType::Renew,
            Reconfigure::Rebind => MessageType::Rebind,
            Reconfigure::InformationRequest => MessageType::InformationRequest,
        });
        // The signature is over the message with zeros in its place.
        reply.put_authentication(replay(now), DIGEST, &[0; 16]);
        let digest = sign(&self.reconfigure_key(client.as_bytes()), &reply.encode()?);
        reply.put_authentication(replay(now), DIGEST, &digest);
        reply.encode()
    }

    /// Adds Reconfigure Accept, and the key where that is due. Returns whether it did.
    pub(super) fn offer_reconfigure(&self, reply: &mut Reply, offer: &Offer<'_>, now: i64) -> bool {
        let Some(client) = offer.message.client.filter(|_| is_offered(offer.link, offer.message)) else {
            return false;
        };
        reply.put_reconfigure_accept();
        let is_given = reply.is_reply() && offer.is_key_due(client);
        if is_given {
            reply.put_authentication(replay(now), KEY, &self.reconfigure_key(client));
        }
        is_given
    }

    fn reconfigure_key(&self, client: &[u8]) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        // Eight bytes that begin no other hash under this key: addresses are hashed from a DUID's length on.
        hasher.write(b"reconfig");
        hasher.write(client);
        hasher.finish128().as_bytes()
    }
}

fn replay(now: i64) -> u64 {
    u64::try_from(now).unwrap_or(0)
}
