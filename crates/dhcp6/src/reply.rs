//! The server's answer in the making.

use std::net::Ipv6Addr;

use dhcproto::Encodable;
use dhcproto::v6::{
    Authentication, DhcpOption, DhcpOptions, IAAddr, IANA, IAPD, Message, MessageType, OptionCode, Status, StatusCode,
    UnknownOption,
};

use crate::discard::Discard;
use crate::lifetime::Lifetimes;
use crate::{DomainName, Iaid};

/// Longest answer: what fits into a UDP datagram.
const MAX_ANSWER: usize = 65_527;

/// An answer in the making. Options are put in by code in the end (dhcproto sorts them).
#[derive(Debug)]
pub(crate) struct Reply {
    message: Message,
}

/// What is told of an identity association.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Association<'a> {
    pub(crate) iaid: Iaid,
    pub(crate) times: Lifetimes,
    /// The address that it has.
    pub(crate) leased: Option<Ipv6Addr>,
    /// Addresses that must not be used any more.
    pub(crate) ended: &'a [Ipv6Addr],
    pub(crate) status: Option<(Status, &'a str)>,
}

impl Reply {
    pub(crate) fn new(kind: MessageType, transaction: [u8; 3], server: &[u8], client: Option<&[u8]>) -> Self {
        let mut message = Message::new_with_id(kind, transaction);
        message.opts_mut().insert(DhcpOption::ServerId(server.to_vec()));
        if let Some(client) = client {
            message.opts_mut().insert(DhcpOption::ClientId(client.to_vec()));
        }
        Self { message }
    }

    /// Makes a Reply of what began as an Advertise: the leases in it are granted.
    pub(crate) fn commit_rapidly(&mut self) {
        self.message.set_msg_type(MessageType::Reply);
        self.put(DhcpOption::RapidCommit);
    }

    /// Whether it is a Reply, and no Advertise.
    pub(crate) fn is_reply(&self) -> bool {
        self.message.msg_type() == MessageType::Reply
    }

    pub(crate) fn put_status(&mut self, status: Status, words: &str) {
        self.put(DhcpOption::StatusCode(StatusCode {
            status,
            msg: words.to_owned(),
        }));
    }

    pub(crate) fn put_preference(&mut self, preference: u8) {
        self.put(DhcpOption::Preference(preference));
    }

    /// An identity association that gets nothing, and why.
    pub(crate) fn put_refusal(&mut self, iaid: Iaid, status: Status, words: &str) {
        self.put(DhcpOption::IANA(IANA {
            id: iaid.0,
            t1: 0,
            t2: 0,
            opts: refusal(status, words),
        }));
    }

    /// An identity association for prefixes that gets nothing, and why.
    pub(crate) fn put_prefix_refusal(&mut self, iaid: Iaid, status: Status, words: &str) {
        self.put(DhcpOption::IAPD(IAPD {
            id: iaid.0,
            t1: 0,
            t2: 0,
            opts: refusal(status, words),
        }));
    }

    /// An identity association with what it has and what it has no more.
    pub(crate) fn put_association(&mut self, association: &Association<'_>) {
        let Association {
            iaid,
            times,
            leased,
            ended,
            status,
        } = association;
        let lease = |addr: Ipv6Addr, preferred_life, valid_life| {
            DhcpOption::IAAddr(IAAddr {
                addr,
                preferred_life,
                valid_life,
                opts: DhcpOptions::new(),
            })
        };
        let mut opts = status.map(|(status, words)| refusal(status, words)).unwrap_or_default();
        // The leased address is put in last and so comes first: dhcproto inserts before what has the same code.
        for address in ended.iter().rev() {
            opts.insert(lease(*address, 0, 0));
        }
        if let Some(address) = leased {
            opts.insert(lease(*address, times.preferred, times.valid));
        }
        self.put(DhcpOption::IANA(IANA {
            id: iaid.0,
            t1: times.t1,
            t2: times.t2,
            opts,
        }));
    }

    /// The client may be reconfigured.
    pub(crate) fn put_reconfigure_accept(&mut self) {
        self.put(DhcpOption::ReconfAccept);
    }

    /// What the client is to do when it is reconfigured.
    pub(crate) fn put_reconfigure_message(&mut self, kind: MessageType) {
        self.put(DhcpOption::ReconfMsg(kind));
    }

    /// Authentication by the reconfigure key protocol (RFC 9915, section 20.4); takes the place of what was put before.
    pub(crate) fn put_authentication(&mut self, replay: u64, what: u8, value: &[u8; 16]) {
        let info = [&[what], &value[..]].concat();
        // Protocol 3 is the reconfigure key, algorithm 1 HMAC-MD5, replay detection 0 a number that rises.
        let authentication = Authentication {
            proto: 3,
            algo: 1,
            rdm: 0,
            replay_detection: replay,
            info,
        };
        self.message.opts_mut().remove(OptionCode::Authentication);
        self.put(DhcpOption::Authentication(authentication));
    }

    pub(crate) fn put_dns_servers(&mut self, servers: &[Ipv6Addr]) {
        self.put_bytes(
            OptionCode::DomainNameServers,
            servers.iter().flat_map(Ipv6Addr::octets).collect(),
        );
    }

    pub(crate) fn put_domain_search(&mut self, names: &[DomainName]) {
        let wire: Vec<u8> = names.iter().flat_map(|name| name.as_wire()).copied().collect();
        self.put_bytes(OptionCode::DomainSearchList, wire);
    }

    /// An option of one number: seconds.
    pub(crate) fn put_seconds(&mut self, code: OptionCode, seconds: u32) {
        self.put_bytes(code, seconds.to_be_bytes().to_vec());
    }

    /// The bytes to send.
    ///
    /// # Errors
    ///
    /// [`Discard::AnswerTooLong`].
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Discard> {
        let datagram = self.message.to_vec().map_err(|_| Discard::AnswerTooLong)?;
        if datagram.len() > MAX_ANSWER {
            Err(Discard::AnswerTooLong)
        } else {
            Ok(datagram)
        }
    }

    /// An option as bytes. When they are more than its length can tell, the whole is too long to be encoded.
    fn put_bytes(&mut self, code: OptionCode, bytes: Vec<u8>) {
        self.put(DhcpOption::Unknown(UnknownOption::new(code, bytes)));
    }

    fn put(&mut self, option: DhcpOption) {
        self.message.opts_mut().insert(option);
    }
}

fn refusal(status: Status, words: &str) -> DhcpOptions {
    DhcpOptions::from_iter([DhcpOption::StatusCode(StatusCode {
        status,
        msg: words.to_owned(),
    })])
}
