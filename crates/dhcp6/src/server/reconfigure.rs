//! Reconfigure: the server makes a client send a message (RFC 9915, sections 18.3.11 and 20.4).
//!
//! A client that accepts Reconfigures gets a key in the Replies to its Request, rapid Solicit and Information-request,
//! and ignores Reconfigures that are not signed with it. A client that accepts them only later, or whose Reply with the
//! key may be lost, gets the key in the Reply to that Renew or Rebind; otherwise it could never be reconfigured. The
//! key is derived from the server's own key and the client's DUID, so that it need not be recorded and is the same
//! after a restart. The replay detection number is the time in milliseconds.

use std::hash::Hasher;
use std::net::Ipv6Addr;
use std::time::Duration;

use dhcproto::v6::MessageType;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::discard::Discard;
use crate::message::Message;
use crate::reply::Reply;
use crate::rkap::{DIGEST, KEY, sign};
use crate::{Duid, Knowledge, Link, MessageKind, Server};

/// How long to wait for the client's message before a Reconfigure is sent again. The time doubles with each.
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
    /// The message that the client should send.
    pub const fn message(self) -> MessageKind {
        match self {
            Self::Renew => MessageKind::Renew,
            Self::Rebind => MessageKind::Rebind,
            Self::InformationRequest => MessageKind::InformationRequest,
        }
    }

    /// Whether a message answers the Reconfigure. A client that gets no answer to its Renew continues with Rebind.
    pub fn is_answered_by(self, kind: MessageKind) -> bool {
        match self {
            Self::Renew => matches!(kind, MessageKind::Renew | MessageKind::Rebind),
            Self::Rebind => kind == MessageKind::Rebind,
            Self::InformationRequest => kind == MessageKind::InformationRequest,
        }
    }
}

/// The sender of a message, to find out whether it has its reconfigure key.
#[derive(Debug, Clone, Copy)]
pub struct KeyHolder<'a> {
    /// The client.
    pub duid: &'a Duid,
    /// The address that it sends from, as the relay agent next to it reports it.
    pub address: Ipv6Addr,
    /// The transaction of its message. If it is repeated, its Reply was lost.
    pub transaction: [u8; 3],
}

/// The conditions for Reconfigure Accept and the reconfigure key in the answer.
pub(super) struct Offer<'a> {
    pub(super) link: &'a Link,
    pub(super) message: &'a Message<'a>,
    pub(super) sender: Ipv6Addr,
    pub(super) knowledge: &'a dyn Knowledge,
}

impl Offer<'_> {
    /// Whether the Reply to this message must have the key, because it begins a lease or the client does not have the
    /// key.
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
            !self.knowledge.holds_key(&holder)
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
    /// A Reconfigure for a client. It must be sent to the client's link-local address, only to clients that accept it
    /// ([`Answer::reconfigurable`](crate::Answer)), and at most [`RECONFIGURE_ATTEMPTS`] times.
    ///
    /// `now`, in milliseconds since 1970, must be later than at the client's last Reply or Reconfigure; otherwise the
    /// client ignores it.
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
        // The signature covers the message with zeros in its place.
        reply.put_authentication(replay(now), DIGEST, &[0; 16]);
        let digest = sign(&self.reconfigure_key(client.as_bytes()), &reply.encode()?);
        reply.put_authentication(replay(now), DIGEST, &digest);
        reply.encode()
    }

    /// Adds Reconfigure Accept, and the key if it is due. Returns whether the key was added.
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
        // These eight bytes begin no other hash under this key: hashes of addresses begin with a DUID's length.
        hasher.write(b"reconfig");
        hasher.write(client);
        hasher.finish128().as_bytes()
    }
}

fn replay(now: i64) -> u64 {
    u64::try_from(now).unwrap_or(0)
}
