//! Builds the server's answer.

use dhcproto::Encodable;
use dhcproto::v6::{
    Authentication, DhcpOption, DhcpOptions, IAAddr, IANA, IAPD, IAPrefix, Message, MessageType, OptionCode, Status,
    StatusCode, UnknownOption,
};

use crate::Iaid;
use crate::discard::Discard;
use crate::leased::{Kind, Leased};
use crate::lifetime::Lifetimes;
use crate::rkap::HEAD;

/// The longest answer that fits into a UDP datagram.
const MAX_ANSWER: usize = 65_527;

/// An answer that is being built. Options are ordered by code at the end (dhcproto sorts them).
#[derive(Debug)]
pub(crate) struct Reply {
    message: Message,
}

/// One identity association in an answer.
#[derive(Debug)]
pub(crate) struct Association {
    pub(crate) kind: Kind,
    pub(crate) iaid: Iaid,
    /// The lifetimes of the lease; `None` if there is only a status.
    pub(crate) times: Option<Lifetimes>,
    /// The lease.
    pub(crate) leased: Option<Leased>,
    /// The body of the option with the excluded part of a delegated prefix (RFC 6603).
    pub(crate) excluded: Option<Vec<u8>>,
    /// Addresses or prefixes that the client must no longer use.
    pub(crate) ended: Vec<Leased>,
    pub(crate) status: Option<(Status, &'static str)>,
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

    /// Turns an Advertise into a Reply, so that its leases are granted.
    pub(crate) fn commit_rapidly(&mut self) {
        self.message.set_msg_type(MessageType::Reply);
        self.put(DhcpOption::RapidCommit);
    }

    /// Whether it is a Reply and not an Advertise.
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

    /// Adds identity associations with their leases and ended leases. All get the times of the one that must be renewed
    /// first (RFC 9915, section 18.3).
    pub(crate) fn put_associations(&mut self, associations: &[Association]) {
        let first = |time: fn(&Lifetimes) -> u32| {
            let leases = associations.iter().filter(|association| association.leased.is_some());
            leases.filter_map(|lease| lease.times.as_ref()).map(time).min()
        };
        let (t1, t2) = (first(|times| times.t1), first(|times| times.t2));
        // dhcproto inserts an option before others with the same code, so the last one comes first.
        for association in associations.iter().rev() {
            let seconds = |first: Option<u32>, time: fn(&Lifetimes) -> u32| {
                let own = association.times.as_ref().map(time);
                own.map_or(0, |own| first.unwrap_or(own))
            };
            let (id, t1, t2) = (
                association.iaid.0,
                seconds(t1, |times| times.t1),
                seconds(t2, |times| times.t2),
            );
            let opts = inside(association);
            self.put(match association.kind {
                Kind::Address => DhcpOption::IANA(IANA { id, t1, t2, opts }),
                Kind::Prefix => DhcpOption::IAPD(IAPD { id, t1, t2, opts }),
            });
        }
    }

    /// Adds Reconfigure Accept.
    pub(crate) fn put_reconfigure_accept(&mut self) {
        self.put(DhcpOption::ReconfAccept);
    }

    /// Adds the message that the client is to send when it is reconfigured.
    pub(crate) fn put_reconfigure_message(&mut self, kind: MessageType) {
        self.put(DhcpOption::ReconfMsg(kind));
    }

    /// Adds authentication by the reconfigure key protocol (RFC 9915, section 20.4), and replaces an earlier one.
    pub(crate) fn put_authentication(&mut self, replay: u64, what: u8, value: &[u8; 16]) {
        let info = [&[what], &value[..]].concat();
        let [proto, algo, rdm] = HEAD;
        let authentication = Authentication {
            proto,
            algo,
            rdm,
            replay_detection: replay,
            info,
        };
        self.message.opts_mut().remove(OptionCode::Authentication);
        self.put(DhcpOption::Authentication(authentication));
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

    /// Adds an option with these bytes. If they do not fit into the option's length field, the whole message cannot be
    /// encoded.
    pub(crate) fn put_bytes(&mut self, code: OptionCode, bytes: Vec<u8>) {
        self.put(DhcpOption::Unknown(UnknownOption::new(code, bytes)));
    }

    /// Adds an option once for each of these bodies, in their order.
    pub(crate) fn put_all(&mut self, code: OptionCode, bodies: &[Box<[u8]>]) {
        // An option that is added last comes first.
        for body in bodies.iter().rev() {
            self.put_bytes(code, body.to_vec());
        }
    }

    fn put(&mut self, option: DhcpOption) {
        self.message.opts_mut().insert(option);
    }
}

/// The content of an identity association.
fn inside(association: &Association) -> DhcpOptions {
    let mut opts = DhcpOptions::new();
    if let Some((status, words)) = association.status {
        opts.insert(DhcpOption::StatusCode(StatusCode {
            status,
            msg: words.to_owned(),
        }));
    }
    // The lease is added last and so comes first.
    for ended in association.ended.iter().rev() {
        opts.insert(lease(*ended, 0, 0, None));
    }
    if let (Some(leased), Some(times)) = (association.leased, &association.times) {
        let excluded = association.excluded.as_deref();
        opts.insert(lease(leased, times.preferred, times.valid, excluded));
    }
    opts
}

/// An address or prefix as an option of an identity association.
pub(crate) fn lease(leased: Leased, preferred: u32, valid: u32, excluded: Option<&[u8]>) -> DhcpOption {
    match leased {
        Leased::Address(addr) => DhcpOption::IAAddr(IAAddr {
            addr,
            preferred_life: preferred,
            valid_life: valid,
            opts: DhcpOptions::new(),
        }),
        Leased::Prefix(prefix) => DhcpOption::IAPrefix(IAPrefix {
            preferred_lifetime: preferred,
            valid_lifetime: valid,
            prefix_len: prefix.prefix_len(),
            prefix_ip: prefix.network(),
            opts: excluded
                .map(|body| DhcpOption::Unknown(UnknownOption::new(OptionCode::PdExclude, body.to_vec())))
                .into_iter()
                .collect(),
        }),
    }
}
