//! The response to a query.

mod records;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, RecordType};

use self::records::Filling;
use super::names::{Directory, Found};

/// The most that a response over UDP has, in bytes: what passes every link without fragments (DNS flag day 2020).
pub(crate) const LARGEST: u16 = 1232;
/// The most that a client without EDNS takes (RFC 1035, section 2.3.4).
pub(crate) const WITHOUT_EDNS: u16 = 512;
/// The most records of an answer. More would not fit into a message; the rest has its turn.
const MOST_RECORDS: usize = 400;
/// Bytes of a header. What is shorter is no message.
const HEADER: usize = 12;

/// By what a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP: a long response is cut, and the client asks again by TCP.
    Udp,
    /// TCP.
    Tcp,
}

/// What to do about a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send these bytes.
    Response(Vec<u8>, Outcome),
    /// The name is in none of our zones. Forward the query, or send these bytes, which refuse it.
    Elsewhere(Vec<u8>),
    /// Send nothing: it was no query.
    Nothing,
}

/// What a response says, for a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Records.
    Records,
    /// The name exists, and has no records of the type.
    NoRecords,
    /// The name does not exist.
    NoName,
    /// The query is refused: a transfer, or a name elsewhere.
    Refused,
    /// The query is none that is understood.
    Malformed,
}

impl Outcome {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::NoRecords => "no-records",
            Self::NoName => "no-name",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }
}

/// Answers a query. Of several addresses or ports, another one is the first with each `turn`.
pub fn answer(directory: &Directory, query: &[u8], transport: Transport, turn: usize) -> Answer {
    let Some(id) = query.first_chunk().copied().map(u16::from_be_bytes) else {
        return Answer::Nothing;
    };
    // A response is never answered, so that two servers do not talk for ever.
    let is_response = query.get(2).is_none_or(|flags| flags & 0x80 != 0);
    if query.len() < HEADER || is_response {
        return Answer::Nothing;
    }
    let Ok(asked) = Message::from_vec(query) else {
        let fault = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
        return fault
            .to_vec()
            .map_or(Answer::Nothing, |bytes| Answer::Response(bytes, Outcome::Malformed));
    };
    let mut response = Message::response(id, asked.metadata.op_code);
    response.metadata.recursion_desired = asked.metadata.recursion_desired;
    response.add_queries(asked.queries.iter().cloned());
    if asked.edns.is_some() {
        let mut own = Edns::new();
        own.set_max_payload(LARGEST).set_version(0);
        response.set_edns(own);
    }
    let filled = fill(directory, &asked, &mut response, turn);
    response.metadata.response_code = filled.map_or(ResponseCode::Refused, |(code, _)| code);
    let Some(bytes) = fit(response, room(&asked, transport)) else {
        return Answer::Nothing;
    };
    match filled {
        Some((_, outcome)) => Answer::Response(bytes, outcome),
        None => Answer::Elsewhere(bytes),
    }
}

/// The most bytes that a response may have.
pub(crate) fn room(asked: &Message, transport: Transport) -> usize {
    usize::from(match (transport, &asked.edns) {
        (Transport::Tcp, _) => u16::MAX,
        (Transport::Udp, None) => WITHOUT_EDNS,
        (Transport::Udp, Some(edns)) => edns.max_payload().clamp(WITHOUT_EDNS, LARGEST),
    })
}

/// Fills the response. Returns its code; `None` if the name is none of ours.
fn fill(
    directory: &Directory,
    asked: &Message,
    response: &mut Message,
    turn: usize,
) -> Option<(ResponseCode, Outcome)> {
    if asked.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Some((ResponseCode::BADVERS, Outcome::Malformed));
    }
    if asked.metadata.op_code != OpCode::Query || asked.metadata.message_type != MessageType::Query {
        return Some((ResponseCode::NotImp, Outcome::Malformed));
    }
    let [query] = asked.queries.as_slice() else {
        return Some((ResponseCode::FormErr, Outcome::Malformed));
    };
    if !is_answered(query) {
        return Some((ResponseCode::Refused, Outcome::Refused));
    }
    let found = directory.find(query.name())?;
    let filling = Filling {
        directory,
        query,
        origin: found.origin,
        front: found.front,
    };
    response.metadata.authoritative = true;
    let mut records = filling.records(found.found);
    if records.is_empty() {
        response.add_authority(filling.absent());
        return Some(match found.found {
            Found::Nothing => (ResponseCode::NXDomain, Outcome::NoName),
            _ => (ResponseCode::NoError, Outcome::NoRecords),
        });
    }
    let turn = turn % records.len();
    records.rotate_left(turn);
    records.truncate(MOST_RECORDS);
    response.add_additionals(filling.additional(found.found, &records));
    response.add_answers(records);
    Some((ResponseCode::NoError, Outcome::Records))
}

/// Whether queries of this kind are answered at all. There are no transfers of zones: resolvers forward queries.
fn is_answered(query: &Query) -> bool {
    matches!(query.query_class(), DNSClass::IN | DNSClass::ANY)
        && !matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR)
}

/// The bytes of a response. One that is too long has as many of its records as fit, and says that it is cut.
fn fit(mut response: Message, room: usize) -> Option<Vec<u8>> {
    let bytes = response.to_vec().ok()?;
    if bytes.len() <= room {
        return Some(bytes);
    }
    // Nobody needs these.
    response.additionals.clear();
    let mut bytes = response.to_vec().ok()?;
    if bytes.len() > room {
        response.metadata.truncation = true;
        let all = response.answers.len().max(1);
        // Each answer takes about the same room.
        let each = (bytes.len() / all).max(1);
        response.answers.truncate(room / each);
        bytes = response.to_vec().ok()?;
        while bytes.len() > room {
            if response.answers.pop().is_none() {
                response.authorities.clear();
            }
            bytes = response.to_vec().ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
