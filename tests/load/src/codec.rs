//! The few messages that a simulated client sends and reads (RFC 9915, section 8), as bytes.
//!
//! A client is a number. Its DUID is a DUID-LL around a link-layer address that ends in the number, and its one IAID
//! is the number itself.

/// SOLICIT.
pub(crate) const SOLICIT: u8 = 1;
/// ADVERTISE.
pub(crate) const ADVERTISE: u8 = 2;
/// REQUEST.
pub(crate) const REQUEST: u8 = 3;
/// RENEW.
pub(crate) const RENEW: u8 = 5;
/// REPLY.
pub(crate) const REPLY: u8 = 7;
/// RELEASE.
pub(crate) const RELEASE: u8 = 8;

/// Transaction ids have 24 bits.
pub(crate) const XID_MASK: u32 = 0x00ff_ffff;

const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_ADDR: u16 = 5;
const STATUS: u16 = 13;
/// A DUID-LL of an Ethernet address, up to where the client's number begins.
const DUID_HEAD: [u8; 6] = [0, 3, 0, 1, 2, 0];

/// What a client sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Message type.
    pub(crate) kind: u8,
    /// Transaction id.
    pub(crate) xid: u32,
    /// The client's number.
    pub(crate) client: u32,
    /// The server's DUID; empty in a message to any server.
    pub(crate) server: &'a [u8],
    /// The address it asks for or has.
    pub(crate) address: Option<u128>,
}

/// What a server answers, as far as a client looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    /// Message type.
    pub(crate) kind: u8,
    /// Transaction id.
    pub(crate) xid: u32,
    /// The number of the client whose DUID it carries.
    pub(crate) client: Option<u32>,
    /// The server's DUID.
    pub(crate) server: &'a [u8],
    /// The first address with its valid lifetime in seconds.
    pub(crate) address: Option<(u128, u32)>,
    /// The IAID around that address.
    pub(crate) iaid: Option<u32>,
    /// The first status that is no success, of the message or of its association; 0 where all is well.
    pub(crate) status: u16,
}

/// The DUID of a client.
pub(crate) fn duid(client: u32) -> [u8; 10] {
    let mut duid = [0; 10];
    duid[..6].copy_from_slice(&DUID_HEAD);
    duid[6..].copy_from_slice(&client.to_be_bytes());
    duid
}

/// Appends a message to `out`.
pub(crate) fn write(message: &Message<'_>, out: &mut Vec<u8>) {
    let [_, a, b, c] = message.xid.to_be_bytes();
    out.extend_from_slice(&[message.kind, a, b, c]);
    put(out, CLIENT_ID, &duid(message.client));
    // Elapsed time zero; DNS servers and the search list are wanted.
    out.extend_from_slice(&[0, 8, 0, 2, 0, 0, 0, 6, 0, 4, 0, 23, 0, 24]);
    if !message.server.is_empty() {
        put(out, SERVER_ID, message.server);
    }
    let length: u16 = if message.address.is_some() { 40 } else { 12 };
    out.extend_from_slice(&IA_NA.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&message.client.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    if let Some(address) = message.address {
        out.extend_from_slice(&[0, 5, 0, 24]);
        out.extend_from_slice(&address.to_be_bytes());
        out.extend_from_slice(&[0; 8]);
    }
}

/// Reads an answer; nothing when it is none.
pub(crate) fn read(datagram: &[u8]) -> Option<Answer<'_>> {
    let (&[kind, a, b, c], rest) = datagram.split_first_chunk()?;
    let mut answer = Answer {
        kind,
        xid: u32::from_be_bytes([0, a, b, c]),
        client: None,
        server: &[],
        address: None,
        iaid: None,
        status: 0,
    };
    walk(rest, |code, body| {
        match code {
            CLIENT_ID => answer.client = number(body),
            SERVER_ID => answer.server = body,
            STATUS => answer.status = first_fault(answer.status, body)?,
            IA_NA => read_association(body, &mut answer)?,
            _ => {}
        }
        Some(())
    })?;
    Some(answer)
}

/// What a server has to know of a client's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    /// Message type.
    pub(crate) kind: u8,
    /// Transaction id.
    pub(crate) xid: [u8; 3],
    /// The client's DUID: of any client, simulated by this crate or not.
    pub(crate) duid: &'a [u8],
    /// The IAID of its first association; 0 when it has none.
    pub(crate) iaid: [u8; 4],
}

/// Reads a client's message; nothing when it is none or names no client.
pub(crate) fn question(datagram: &[u8]) -> Option<Question<'_>> {
    let (&[kind, xid @ ..], rest) = datagram.split_first_chunk::<4>()?;
    let mut question = Question {
        kind,
        xid,
        duid: &[],
        iaid: [0; 4],
    };
    walk(rest, |code, body| {
        match code {
            CLIENT_ID => question.duid = body,
            IA_NA => question.iaid = *body.first_chunk()?,
            _ => {}
        }
        Some(())
    })?;
    (!question.duid.is_empty()).then_some(question)
}

/// Appends an answer of a server that gives each client the address made of `prefix` and the end of its DUID.
pub(crate) fn write_answer(kind: u8, question: &Question<'_>, server: &[u8], prefix: u128, out: &mut Vec<u8>) {
    let number = question.duid.last_chunk().map_or(0, |end| u32::from_be_bytes(*end));
    out.push(kind);
    out.extend_from_slice(&question.xid);
    put(out, CLIENT_ID, question.duid);
    put(out, SERVER_ID, server);
    out.extend_from_slice(&[0, 3, 0, 40]);
    out.extend_from_slice(&question.iaid);
    out.extend_from_slice(&900_u32.to_be_bytes());
    out.extend_from_slice(&1500_u32.to_be_bytes());
    out.extend_from_slice(&[0, 5, 0, 24]);
    out.extend_from_slice(&(prefix | u128::from(number)).to_be_bytes());
    out.extend_from_slice(&3600_u32.to_be_bytes());
    out.extend_from_slice(&3600_u32.to_be_bytes());
}

fn read_association(body: &[u8], answer: &mut Answer<'_>) -> Option<()> {
    let (iaid, rest) = body.split_first_chunk::<4>()?;
    answer.iaid = Some(u32::from_be_bytes(*iaid));
    walk(rest.get(8..)?, |code, body| {
        match code {
            IA_ADDR if answer.address.is_none() => {
                let (address, rest) = body.split_first_chunk::<16>()?;
                let valid = rest.get(4..)?.first_chunk::<4>()?;
                answer.address = Some((u128::from_be_bytes(*address), u32::from_be_bytes(*valid)));
            }
            STATUS => answer.status = first_fault(answer.status, body)?,
            _ => {}
        }
        Some(())
    })
}

fn first_fault(known: u16, body: &[u8]) -> Option<u16> {
    let status = u16::from_be_bytes(*body.first_chunk()?);
    Some(if known == 0 { status } else { known })
}

fn number(duid: &[u8]) -> Option<u32> {
    let (head, number) = duid.split_first_chunk::<6>()?;
    let number: [u8; 4] = number.try_into().ok()?;
    (*head == DUID_HEAD).then_some(u32::from_be_bytes(number))
}

fn put(out: &mut Vec<u8>, code: u16, body: &[u8]) {
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(body);
}

/// Goes through options; ends with nothing where a length does not fit or `each` says so.
fn walk<'a>(mut options: &'a [u8], mut each: impl FnMut(u16, &'a [u8]) -> Option<()>) -> Option<()> {
    while !options.is_empty() {
        let (&[a, b, c, d], rest) = options.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
        each(u16::from_be_bytes([a, b]), body)?;
        options = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: [u8; 3] = [0, 2, 9];

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let duid = duid(70_000);
        let question = Question {
            kind: REQUEST,
            xid: [1, 2, 3],
            duid: &duid,
            iaid: 70_000_u32.to_be_bytes(),
        };
        let mut bytes = Vec::new();
        write_answer(REPLY, &question, &SERVER, 0xfd39 << 112, &mut bytes);
        let answer = read(&bytes).unwrap();
        assert_eq!(
            (answer.kind, answer.xid, answer.client),
            (REPLY, 0x01_0203, Some(70_000))
        );
        assert_eq!(
            (answer.server, answer.iaid, answer.status),
            (&SERVER[..], Some(70_000), 0)
        );
        assert_eq!(answer.address, Some(((0xfd39 << 112) | 70_000, 3600)));
    }

    #[test]
    fn a_message_tells_who_sent_it() {
        let mut bytes = Vec::new();
        let message = Message {
            kind: RENEW,
            xid: 0x0a_0b0c,
            client: 5,
            server: &SERVER,
            address: Some(7),
        };
        write(&message, &mut bytes);
        let asked = Question {
            kind: RENEW,
            xid: [10, 11, 12],
            duid: &duid(5),
            iaid: [0, 0, 0, 5],
        };
        assert_eq!(question(&bytes), Some(asked));
    }

    #[test]
    fn a_status_inside_the_association_is_seen() {
        let no_binding = [0, 3, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0, 2, 0, 3];
        let bytes = [&[REPLY, 0, 0, 1][..], &no_binding].concat();
        let answer = read(&bytes).unwrap();
        assert_eq!((answer.status, answer.address), (3, None));
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        let question = Question {
            kind: SOLICIT,
            xid: [1, 2, 3],
            duid: &duid(1),
            iaid: [0, 0, 0, 1],
        };
        let mut bytes = Vec::new();
        write_answer(REPLY, &question, &SERVER, 0, &mut bytes);
        let whole = |length: usize| read(&bytes[..length]).is_some_and(|answer| answer.address.is_some());
        assert!((0..bytes.len()).all(|length| !whole(length)));
    }
}
