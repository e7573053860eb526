//! The few messages of simulated clients (RFC 9915, section 8), appended to a buffer and read without an allocation.
//!
//! A load generator sends and reads millions of these, and must not be what is measured. That is why they have a form
//! of their own beside the general one; a property test holds the two together.
//!
//! A client is a number. Its DUID is a DUID-LL around a link-layer address that ends in the number, and its one IAID
//! is the number itself.

use crate::{CLIENT_ID, IA_ADDRESS, IA_NA, SERVER_ID, STATUS, Xid, put, walk};

/// Transaction ids have 24 bits.
pub const XID_MASK: u32 = 0x00ff_ffff;

/// A DUID-LL of an Ethernet address, up to where the client's number begins.
const DUID_HEAD: [u8; 6] = [0, 3, 0, 1, 2, 0];

/// What a client sends.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Message type.
    pub kind: u8,
    /// Transaction id.
    pub xid: u32,
    /// The client's number.
    pub client: u32,
    /// The server's DUID; empty in a message to any server.
    pub server: &'a [u8],
    /// The address it asks for or has.
    pub address: Option<u128>,
}

/// What a server answers, as far as a client looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Message type.
    pub kind: u8,
    /// Transaction id.
    pub xid: u32,
    /// The number of the client whose DUID it carries.
    pub client: Option<u32>,
    /// The server's DUID.
    pub server: &'a [u8],
    /// The first address with its valid lifetime in seconds.
    pub address: Option<(u128, u32)>,
    /// The IAID around that address.
    pub iaid: Option<u32>,
    /// The first status that is no success, of the message or of its association; 0 where all is well.
    pub status: u16,
}

/// The DUID of a client.
pub fn duid(client: u32) -> [u8; 10] {
    let mut duid = [0; 10];
    duid[..6].copy_from_slice(&DUID_HEAD);
    duid[6..].copy_from_slice(&client.to_be_bytes());
    duid
}

/// Appends a message to `out`.
#[inline]
pub fn write(message: &Message<'_>, out: &mut Vec<u8>) {
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
#[inline]
pub fn read(datagram: &[u8]) -> Option<Answer<'_>> {
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
    for option in walk(rest) {
        let (code, body) = option.ok()?;
        match code {
            CLIENT_ID => answer.client = number(body),
            SERVER_ID => answer.server = body,
            STATUS => answer.status = first_fault(answer.status, body)?,
            IA_NA => read_association(body, &mut answer)?,
            _ => {}
        }
    }
    Some(answer)
}

/// What a server has to know of a client's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Message type.
    pub kind: u8,
    /// Transaction id.
    pub xid: Xid,
    /// The client's DUID: of any client, simulated by this crate or not.
    pub duid: &'a [u8],
    /// The IAID of its first association; 0 when it has none.
    pub iaid: [u8; 4],
}

/// Reads a client's message; nothing when it is none or names no client.
#[inline]
pub fn question(datagram: &[u8]) -> Option<Question<'_>> {
    let (&[kind, xid @ ..], rest) = datagram.split_first_chunk::<4>()?;
    let mut question = Question {
        kind,
        xid,
        duid: &[],
        iaid: [0; 4],
    };
    for option in walk(rest) {
        let (code, body) = option.ok()?;
        match code {
            CLIENT_ID => question.duid = body,
            IA_NA => question.iaid = *body.first_chunk()?,
            _ => {}
        }
    }
    (!question.duid.is_empty()).then_some(question)
}

/// Appends an answer of a server that gives each client the address made of `prefix` and the end of its DUID.
#[inline]
pub fn write_answer(kind: u8, question: &Question<'_>, server: &[u8], prefix: u128, out: &mut Vec<u8>) {
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
    for option in walk(rest.get(8..)?) {
        let (code, body) = option.ok()?;
        match code {
            IA_ADDRESS if answer.address.is_none() => {
                let (address, rest) = body.split_first_chunk::<16>()?;
                let valid = rest.get(4..)?.first_chunk::<4>()?;
                answer.address = Some((u128::from_be_bytes(*address), u32::from_be_bytes(*valid)));
            }
            STATUS => answer.status = first_fault(answer.status, body)?,
            _ => {}
        }
    }
    Some(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        RENEW, REPLY, REQUEST, SOLICIT, client_id, ia_address, ia_na, ia_na_timed, message, option, option_request,
        server_id, status,
    };

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

    proptest! {
        #[test]
        fn a_message_is_what_the_general_form_makes_of_it(
            kind in 1u8..12, xid in 0..=XID_MASK, client in any::<u32>(), named in any::<bool>(),
            address in proptest::option::of(any::<u128>()),
        ) {
            let server = if named { &SERVER[..] } else { &[] };
            let mut bytes = Vec::new();
            write(&Message { kind, xid, client, server, address }, &mut bytes);
            let [_, xid @ ..] = xid.to_be_bytes();
            let addresses: Vec<_> = address.map(Into::into).into_iter().collect();
            let mut options = vec![client_id(&duid(client)), option(crate::ELAPSED_TIME, &[0; 2]), option_request(&[23, 24])];
            options.extend(named.then(|| server_id(&SERVER)));
            options.push(ia_na(client, &addresses));
            prop_assert_eq!(bytes, message(kind, xid, &options));
        }

        #[test]
        fn an_answer_is_read_as_the_general_form_reads_it(
            xid in any::<Xid>(), client in any::<u32>(), iaid in any::<u32>(), ip in any::<u128>(),
            (preferred, valid) in any::<(u32, u32)>(), code in 0u16..7, cut in any::<prop::sample::Index>(),
        ) {
            let nested = [ia_address(ip.into(), preferred, valid), status(code, "a word")];
            let options = [client_id(&duid(client)), server_id(&SERVER), ia_na_timed(iaid, (1, 2), &nested)];
            let bytes = message(REPLY, xid, &options);
            let (quick, slow) = (read(&bytes).unwrap(), crate::Message::parse(&bytes));
            let ia = slow.only_ia();
            prop_assert_eq!(quick.xid.to_be_bytes()[1..].to_vec(), slow.xid);
            prop_assert_eq!((quick.kind, quick.iaid, Some(quick.status)), (slow.kind, Some(ia.iaid), ia.status));
            prop_assert_eq!(quick.address, Some((ia.addresses[0].ip.into(), ia.addresses[0].valid)));
            prop_assert_eq!(quick.client.map(|client| duid(client).to_vec()), slow.options.get(CLIENT_ID).map(<[u8]>::to_vec));
            prop_assert_eq!(Some(quick.server), slow.options.get(SERVER_ID));
            // Whatever is cut off, it does not panic.
            let _ = (read(&bytes[..cut.index(bytes.len())]), question(&bytes[..cut.index(bytes.len())]));
        }
    }
}
