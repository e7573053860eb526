//! The typed view of a server's message. What is read is validated; the rest is ignored.

use std::net::Ipv6Addr;
use std::time::Duration;

use dhcproto::v6::{IAAddr, IAPrefix, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder};
use ipnet::Ipv6Net;

use super::event::{Configuration, ServerStatus};
use super::lenient::{Lenient, sound};
use crate::frame::{Fault, Frame, HEADER, Options};
use crate::leased::{Kind, Leased};
use crate::rkap::{Authentication, ReconfigureKey};
use crate::{DomainName, Duid, Iaid};

/// The number of bytes before the body of an option.
const OPTION_HEAD: usize = 4;
/// The number of leases that are read of one association.
const LEASES: usize = 16;
/// The number of name servers and domains that are read.
const CONFIGURED: usize = 16;
/// The largest number of characters of a server's text.
const WORDS: usize = 200;
/// Bounds of SOL_MAX_RT and INF_MAX_RT in seconds (RFC 9915, sections 21.24 and 21.25).
const MAX_RT: std::ops::RangeInclusive<u32> = 60..=86_400;

/// The reason why a datagram is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It is malformed, or exceeds a limit.
    #[error("malformed: {0}")]
    Malformed(Fault),
    /// It is not a message that is awaited now.
    #[error("a message of type {0} is not expected now")]
    NotAwaited(u8),
    /// It answers another message.
    #[error("it answers another message")]
    OtherTransaction,
    /// It is for another client, or does not name its client.
    #[error("it is for another client")]
    OtherClient,
    /// It does not name its server, or names another one.
    #[error("it names no server, or another one than was asked")]
    OtherServer,
    /// A Reconfigure that is not correctly signed, or that is a replay.
    #[error("it is not signed correctly, or is a replay")]
    NotSigned,
    /// A Reconfigure that asks for something that is not possible now.
    #[error("it asks for something that is under way or impossible")]
    NotNow,
    /// An Advertise without anything that the client asked for.
    #[error("the server offers nothing")]
    NothingOffered,
}

/// A server's message. It has only fields that a client needs.
#[derive(Debug, Clone)]
pub(super) struct ServerMessage<'a> {
    pub(super) kind: MessageType,
    pub(super) transaction: [u8; 3],
    pub(super) client: Option<&'a [u8]>,
    pub(super) server: Duid,
    pub(super) preference: u8,
    pub(super) status: Option<ServerStatus>,
    pub(super) associations: Vec<Granted>,
    pub(super) rapid_commit: bool,
    pub(super) configuration: Configuration,
    pub(super) solicit_max_rt: Option<Duration>,
    pub(super) information_max_rt: Option<Duration>,
    pub(super) information_refresh: Option<u32>,
    /// A key for Reconfigures.
    pub(super) reconfigure_key: Option<ReconfigureKey>,
    /// The message that a Reconfigure asks for, and the position of its signature in the datagram.
    pub(super) reconfigure: Option<(MessageType, usize)>,
}

/// An identity association as a server grants it. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) kind: Kind,
    pub(super) iaid: Iaid,
    pub(super) t1: u32,
    pub(super) t2: u32,
    pub(super) leases: Vec<GrantedLease>,
    pub(super) status: Option<ServerStatus>,
}

/// An address or prefix of the association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GrantedLease {
    pub(super) leased: Leased,
    pub(super) preferred: u32,
    /// Zero means that it has ended.
    pub(super) valid: u32,
}

impl<'a> ServerMessage<'a> {
    /// Parses a datagram. A Reconfigure, which is signed, must be well-formed as a whole; of other messages only what
    /// is read.
    ///
    /// # Errors
    ///
    /// When it is malformed, or not a server's.
    pub(super) fn read(datagram: &'a [u8]) -> Result<Self, Ignored> {
        let read = Lenient::split(datagram).map_err(Ignored::Malformed)?;
        let kind = MessageType::from(read.kind);
        let reconfigure = match kind {
            MessageType::Advertise | MessageType::Reply => None,
            MessageType::Reconfigure => read_reconfigure(datagram)?,
            _ => return Err(Ignored::NotAwaited(read.kind)),
        };
        let identity = |code| read.identity(code).map_err(Ignored::Malformed);
        let server = identity(OptionCode::ServerId)?.and_then(|bytes| Duid::new(bytes).ok());
        let server = server.ok_or(match read.is_cut {
            true => Ignored::Malformed(Fault::Truncated),
            false => Ignored::OtherServer,
        })?;
        let max_rt = |code| {
            let seconds = read.first(code).map(|body| number(body, 0));
            let seconds = seconds.filter(|seconds| MAX_RT.contains(seconds));
            seconds.map(|seconds| Duration::from_secs(seconds.into()))
        };
        Ok(Self {
            kind,
            transaction: read.transaction,
            client: identity(OptionCode::ClientId)?,
            server,
            preference: read
                .first(OptionCode::Preference)
                .and_then(<[u8]>::first)
                .map_or(0, |preference| *preference),
            status: read.first(OptionCode::StatusCode).map(read_status),
            associations: associations(&read),
            rapid_commit: read.first(OptionCode::RapidCommit).is_some(),
            configuration: configuration(&read),
            solicit_max_rt: max_rt(OptionCode::SolMaxRt),
            information_max_rt: max_rt(OptionCode::InfMaxRt),
            information_refresh: read
                .first(OptionCode::InformationRefreshTime)
                .map(|body| number(body, 0)),
            reconfigure_key: read
                .all(OptionCode::Authentication)
                .filter_map(Authentication::read)
                .find_map(|authentication| ReconfigureKey::given(&authentication)),
            reconfigure,
        })
    }

    /// Whether the message, or an association in it, has a status.
    pub(super) fn has_status(&self, code: u16) -> bool {
        self.statuses().any(|status| status.code == code)
    }

    /// The statuses by which the server refuses something.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &ServerStatus> {
        self.statuses().filter(|status| status.code != 0)
    }

    fn statuses(&self) -> impl Iterator<Item = &ServerStatus> {
        let inside = self.associations.iter().filter_map(|granted| granted.status.as_ref());
        self.status.iter().chain(inside)
    }
}

impl Granted {
    /// Parses an association; `None` if it makes no sense (sections 21.4 and 21.21).
    fn read(code: u16, body: &[u8]) -> Option<Self> {
        let kind = match OptionCode::from(code) {
            OptionCode::IANA => Kind::Address,
            OptionCode::IAPD => Kind::Prefix,
            _ => return None,
        };
        let (t1, t2) = (number(body, 4), number(body, 8));
        let nested = body.get(12..)?;
        let leases = sound(Options(nested)).filter_map(|(code, body)| GrantedLease::read(kind, code, body));
        let granted = Self {
            kind,
            iaid: Iaid(number(body, 0)),
            t1,
            t2,
            leases: leases.take(LEASES).collect(),
            status: sound(Options(nested))
                .find(|(code, _)| *code == u16::from(OptionCode::StatusCode))
                .map(|(_, body)| read_status(body)),
        };
        (t1 <= t2 || t2 == 0).then_some(granted)
    }
}

impl GrantedLease {
    /// Parses an address or prefix; `None` if it makes no sense (sections 21.6 and 21.22).
    fn read(kind: Kind, code: u16, body: &[u8]) -> Option<Self> {
        let lease = match (kind, OptionCode::from(code)) {
            (Kind::Address, OptionCode::IAAddr) => {
                let read = IAAddr::decode(&mut Decoder::new(body.get(..24)?)).ok()?;
                Self {
                    leased: Leased::Address(read.addr),
                    preferred: read.preferred_life,
                    valid: read.valid_life,
                }
            }
            (Kind::Prefix, OptionCode::IAPrefix) => {
                let read = IAPrefix::decode(&mut Decoder::new(body.get(..25)?)).ok()?;
                Self {
                    leased: Ipv6Net::new(read.prefix_ip, read.prefix_len).ok()?.into(),
                    preferred: read.preferred_lifetime,
                    valid: read.valid_lifetime,
                }
            }
            _ => return None,
        };
        (lease.preferred <= lease.valid && is_usable(lease.leased)).then_some(lease)
    }
}

/// Whether a host can use it.
fn is_usable(leased: Leased) -> bool {
    let first = leased.first();
    let reaches_all = leased.prefix().is_some_and(|prefix| prefix.prefix_len() < 3);
    !(first.is_unspecified()
        || first.is_loopback()
        || first.is_multicast()
        || first.is_unicast_link_local()
        || reaches_all)
}

/// The message that a Reconfigure asks for, and the position of its authentication option's body in the datagram.
///
/// # Errors
///
/// When any part of the message is malformed. No part is ignored, because the signature covers all of it.
fn read_reconfigure(datagram: &[u8]) -> Result<Option<(MessageType, usize)>, Ignored> {
    let frame = Frame::walk(datagram).map_err(Ignored::Malformed)?;
    let (message, authentication) = (u16::from(OptionCode::ReconfMsg), u16::from(OptionCode::Authentication));
    let asked = frame.options().find(|(code, _)| *code == message);
    let asked = asked.and_then(|(_, body)| body.first().map(|kind| MessageType::from(*kind)));
    let mut at = HEADER;
    for (code, body) in frame.options() {
        if code == authentication {
            return Ok(asked.zip(Some(at + OPTION_HEAD)));
        }
        at += OPTION_HEAD + body.len();
    }
    Ok(None)
}

/// The valid associations of a message. If several have one type and IAID, the first counts.
fn associations(read: &Lenient<'_>) -> Vec<Granted> {
    let mut associations: Vec<Granted> = Vec::new();
    for granted in read.options().filter_map(|(code, body)| Granted::read(code, body)) {
        let is_known = |known: &Granted| (known.kind, known.iaid) == (granted.kind, granted.iaid);
        if !associations.iter().any(is_known) {
            associations.push(granted);
        }
    }
    associations
}

/// The configuration in the message. A repeated option is added to the first one: some servers send one option for each
/// of their name servers.
fn configuration(read: &Lenient<'_>) -> Configuration {
    let mut found = Configuration::default();
    for server in read.all(OptionCode::DomainNameServers).flat_map(addresses) {
        if found.dns_servers.len() < CONFIGURED && !found.dns_servers.contains(&server) {
            found.dns_servers.push(server);
        }
    }
    for domain in read.all(OptionCode::DomainSearchList).flat_map(DomainName::read_all) {
        if found.domain_search.len() < CONFIGURED && !found.domain_search.contains(&domain) {
            found.domain_search.push(domain);
        }
    }
    found
}

/// Four bytes of a body as a number; zero if the body is too short.
fn number(body: &[u8], at: usize) -> u32 {
    let bytes = body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    u32::from_be_bytes(bytes.unwrap_or_default())
}

/// The option is long enough for its code, which was checked before.
fn read_status(body: &[u8]) -> ServerStatus {
    let (code, words) = body.split_first_chunk::<2>().unwrap_or((&[0, 0], &[]));
    let words = String::from_utf8_lossy(words);
    let printable = words.chars().filter(|c| !c.is_control()).take(WORDS);
    ServerStatus {
        code: u16::from_be_bytes(*code),
        words: printable.collect(),
    }
}

fn addresses(body: &[u8]) -> impl Iterator<Item = Ipv6Addr> {
    let all = body
        .chunks_exact(16)
        .filter_map(|octets| <[u8; 16]>::try_from(octets).ok());
    all.map(Ipv6Addr::from)
}
