//! A server with a link and its bindings, driven by hand.

use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_dhcp6::{Answer, Bindings, Change, Discard, Duid, Inbound, Leased, Link, Pool, PrefixPool, Server};
use orchestrator_wire as wire;
use orchestrator_wire::{Message, Xid};

pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) bindings: Bindings,
    pub(crate) now: i64,
    /// The changes of the last answer.
    pub(crate) changes: Vec<Change>,
}

pub(crate) fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn prefix_pool(prefix: &str, length: u8) -> PrefixPool {
    PrefixPool::new(prefix.parse().unwrap(), length).unwrap()
}

pub(crate) const SERVER_DUID: &str = "00:02:00:00:ab:11:aa:bb:cc:dd";

/// The transaction id of every message.
pub(crate) const XID: Xid = [0xab, 0xcd, 0xef];

/// The identifier option of a client, by its number.
pub(crate) fn client(n: u8) -> Vec<u8> {
    wire::client_id(&wire::duid(n))
}

pub(crate) fn server_id() -> Vec<u8> {
    wire::server_id(SERVER_DUID.parse::<Duid>().unwrap().as_bytes())
}

pub(crate) fn other_server_id() -> Vec<u8> {
    wire::server_id(&[0, 2, 0, 0, 0xab, 0x11, 1])
}

pub(crate) fn client_source() -> SocketAddrV6 {
    SocketAddrV6::new(address("fe80::2"), 546, 0, 7)
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_pool("2001:db8:0:1::1:0/112")
    }

    pub(crate) fn with_pool(pool: &str) -> Self {
        let pool = Pool::new(pool.parse().unwrap());
        Self {
            server: Server::new(SERVER_DUID.parse().unwrap(), *b"a key of tests.."),
            link: Link::new("2001:db8:0:1::/64".parse().unwrap(), address("2001:db8:0:1::1"), pool),
            bindings: Bindings::new(),
            now: 1_800_000_000_000,
            changes: Vec::new(),
        }
    }

    /// The same, with prefixes to delegate.
    pub(crate) fn delegating(pools: &[(&str, u8)]) -> Self {
        let mut lab = Self::new();
        lab.link.delegation = pools
            .iter()
            .map(|(prefix, length)| prefix_pool(prefix, *length))
            .collect();
        lab
    }

    /// Whether something may be leased at all.
    pub(crate) fn may_lease(&self, leased: Leased) -> bool {
        match leased {
            Leased::Address(address) => self.link.is_assignable(address),
            Leased::Prefix(prefix) => self.link.delegating(prefix).is_some(),
        }
    }

    /// The server's answer to a datagram that was sent to the multicast address.
    pub(crate) fn ask(&self, datagram: &[u8]) -> Result<Answer, Discard> {
        self.ask_from(client_source(), datagram)
    }

    /// The same for a datagram from this address.
    pub(crate) fn ask_from(&self, source: SocketAddrV6, datagram: &[u8]) -> Result<Answer, Discard> {
        let inbound = Inbound {
            datagram,
            source,
            multicast: true,
        };
        self.server.handle(&self.link, &self.bindings, &inbound, self.now)
    }

    /// Sends a datagram and makes the changes of the answer.
    pub(crate) fn send(&mut self, datagram: &[u8]) -> Result<Message, Discard> {
        self.send_from(client_source(), datagram)
    }

    /// The same for a datagram from this address.
    pub(crate) fn send_from(&mut self, source: SocketAddrV6, datagram: &[u8]) -> Result<Message, Discard> {
        let answer = self.ask_from(source, datagram)?;
        for change in &answer.changes {
            self.bindings.apply(change);
        }
        self.changes = answer.changes;
        Ok(Message::parse(&answer.datagram))
    }

    /// Sends a message of a client that is answered.
    pub(crate) fn say(&mut self, kind: u8, options: &[Vec<u8>]) -> Message {
        self.send(&wire::message(kind, XID, options)).unwrap()
    }

    /// Sends a message that is not answered; nothing changes.
    pub(crate) fn refused(&mut self, kind: u8, options: &[Vec<u8>]) -> &'static str {
        self.send(&wire::message(kind, XID, options)).unwrap_err().word()
    }

    /// Solicit and Request of a client with one identity association for prefixes, naming these.
    pub(crate) fn delegate(&mut self, client: u8, hints: &[&str]) -> String {
        let offer = self
            .say(wire::SOLICIT, &[self::client(client), wire::ia_pd(1, hints)])
            .prefix();
        let reply = self.say(
            wire::REQUEST,
            &[self::client(client), server_id(), wire::ia_pd(1, &[&offer])],
        );
        assert_eq!(reply.prefix(), offer);
        offer
    }

    /// Solicit and Request of a client with one identity association.
    pub(crate) fn lease(&mut self, client: u8) -> Ipv6Addr {
        let offer = self
            .say(wire::SOLICIT, &[self::client(client), wire::ia_na(1, &[])])
            .address();
        let reply = self.say(
            wire::REQUEST,
            &[self::client(client), server_id(), wire::ia_na(1, &[offer])],
        );
        assert_eq!(reply.address(), offer);
        offer
    }
}
