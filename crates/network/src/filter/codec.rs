//! Elements as messages to nftables, and back.

use std::collections::BTreeSet;

use super::element::{Family, FilterElement, SetName, Value};
use crate::netfilter::nftables::{BEGIN, DELETE_ELEMENT, END, GET_ELEMENT, NEW_ELEMENT, SUBSYSTEM};
use crate::netfilter::{Attributes, Message, attributes};

/// Elements of one message: an attribute holds at most 64 KiB.
const IN_ONE_MESSAGE: usize = 200;
const JUMP: i32 = -3;

// Attributes of a list of elements.
const TABLE: u16 = 1;
const SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ONE: u16 = 1;
// Attributes of an element.
const KEY: u16 = 1;
const DATA: u16 = 2;
const EXPRESSION: u16 = 7;
const KEY_END: u16 = 10;
const EXPRESSIONS: u16 = 11;
// Attributes of data.
const BYTES: u16 = 1;
const VERDICT: u16 = 2;
const CODE: u16 = 1;
const CHAIN: u16 = 2;

/// One transaction that removes elements and then adds others.
pub(crate) fn transaction(table: &str, remove: &[&FilterElement], add: &[&FilterElement]) -> Vec<Message> {
    let mut messages = vec![Message::mark(BEGIN, SUBSYSTEM)];
    for (kind, elements) in [(DELETE_ELEMENT, remove), (NEW_ELEMENT, add)] {
        let mut sorted = elements.to_vec();
        sorted.sort_unstable_by_key(|element| (element.family, element.set));
        let same = |one: &&FilterElement, other: &&FilterElement| (one.family, one.set) == (other.family, other.set);
        for of_one_set in sorted.chunk_by(same) {
            for some in of_one_set.chunks(IN_ONE_MESSAGE) {
                messages.extend(change(table, kind, some));
            }
        }
    }
    messages.push(Message::mark(END, SUBSYSTEM));
    messages
}

fn change(table: &str, kind: u16, elements: &[&FilterElement]) -> Option<Message> {
    let first = elements.first()?;
    let list = elements.iter().fold(Attributes::default(), |list, element| {
        list.with_nested(ONE, &encode(element, kind == NEW_ELEMENT))
    });
    let message = Message::new(SUBSYSTEM, kind).for_family(first.family.number());
    let message = if kind == NEW_ELEMENT {
        message.creating()
    } else {
        message
    };
    let of = Attributes::default()
        .with_text(TABLE, table)
        .with_text(SET, &first.set.to_string());
    Some(message.having(of.with_nested(ELEMENTS, &list)))
}

/// Asks for all elements of a set.
pub(crate) fn question(table: &str, family: Family, set: SetName) -> Message {
    let of = Attributes::default()
        .with_text(TABLE, table)
        .with_text(SET, &set.to_string());
    Message::new(SUBSYSTEM, GET_ELEMENT)
        .for_family(family.number())
        .for_all()
        .having(of)
}

fn encode(element: &FilterElement, with_value: bool) -> Attributes {
    let bytes = |value: &[u8]| Attributes::default().with(BYTES, value);
    let mut all = Attributes::default().with_nested(KEY, &bytes(&element.key));
    if let Some(end) = &element.end {
        all = all.with_nested(KEY_END, &bytes(end));
    }
    match element.value.as_ref().filter(|_| with_value) {
        None => all,
        Some(Value::Address(address)) => all.with_nested(DATA, &bytes(&address.octets())),
        Some(Value::Socket(address, port)) => {
            let [high, low] = port.to_be_bytes();
            let socket = [&address.octets()[..], &[high, low, 0, 0]].concat();
            all.with_nested(DATA, &bytes(&socket))
        }
        Some(Value::Jump(chain)) => {
            let verdict = Attributes::default()
                .with(CODE, &JUMP.to_be_bytes())
                .with_text(CHAIN, chain);
            all.with_nested(DATA, &Attributes::default().with_nested(VERDICT, &verdict))
        }
        Some(Value::Limit { rate, bytes }) => all.with_nested(EXPRESSION, &limit(*rate, *bytes)),
    }
}

/// A limit that is found when it is exceeded. A burst of one second is within it.
fn limit(rate: u64, bytes: bool) -> Attributes {
    const SECOND: u64 = 1;
    const INVERTED: u32 = 1;
    let burst = u32::try_from(rate).unwrap_or(u32::MAX);
    let of = Attributes::default()
        .with(1, &rate.to_be_bytes())
        .with(2, &SECOND.to_be_bytes())
        .with_number(3, burst)
        .with_number(4, u32::from(bytes))
        .with_number(5, INVERTED);
    Attributes::default().with_text(1, "limit").with_nested(2, &of)
}

/// The elements in a message of the kernel, each with what it counted.
pub(crate) fn elements(body: &[u8], family: Family, set: SetName) -> Vec<(FilterElement, Option<Counted>)> {
    let lists = attributes(body).filter(|(kind, _)| *kind == ELEMENTS);
    let each = lists
        .flat_map(|(_, list)| attributes(list))
        .filter(|(kind, _)| *kind == ONE);
    each.map(|(_, bytes)| decode(bytes, family, set)).collect()
}

/// Packets and bytes.
pub(crate) type Counted = (u64, u64);

fn decode(bytes: &[u8], family: Family, set: SetName) -> (FilterElement, Option<Counted>) {
    let mut element = FilterElement {
        family,
        set,
        key: Vec::new(),
        end: None,
        value: None,
    };
    let mut counted = None;
    for (kind, value) in attributes(bytes) {
        match kind {
            KEY => element.key = data(value),
            KEY_END => element.end = Some(data(value)),
            DATA => element.value = leads_to(value),
            EXPRESSION => read_expression(value, &mut element, &mut counted),
            EXPRESSIONS => {
                for (_, one) in attributes(value) {
                    read_expression(one, &mut element, &mut counted);
                }
            }
            _ => {}
        }
    }
    (element, counted)
}

fn data(value: &[u8]) -> Vec<u8> {
    let mut found = attributes(value).filter(|(kind, _)| *kind == BYTES);
    found.next().map(|(_, bytes)| bytes.to_vec()).unwrap_or_default()
}

fn leads_to(value: &[u8]) -> Option<Value> {
    attributes(value).find_map(|(kind, value)| match kind {
        VERDICT => attributes(value)
            .find(|(kind, _)| *kind == CHAIN)
            .map(|(_, name)| Value::Jump(text(name))),
        BYTES => match <[u8; 16]>::try_from(value) {
            Ok(address) => Some(Value::Address(address.into())),
            Err(_) => {
                let (address, port) = value.split_first_chunk::<16>()?;
                let port = port.first_chunk::<2>()?;
                Some(Value::Socket((*address).into(), u16::from_be_bytes(*port)))
            }
        },
        _ => None,
    })
}

fn read_expression(value: &[u8], element: &mut FilterElement, counted: &mut Option<Counted>) {
    let mut name = String::new();
    for (kind, value) in attributes(value) {
        match (kind, name.as_str()) {
            (1, _) => name = text(value),
            (2, "counter") => *counted = Some(read_counter(value)),
            (2, "limit") => {
                let [rate, .., kind] = [1, 4].map(|wanted| number(value, wanted));
                element.value = Some(Value::Limit { rate, bytes: kind == 1 });
            }
            _ => {}
        }
    }
}

/// What a counter holds.
pub(crate) fn read_counter(value: &[u8]) -> Counted {
    (number(value, 2), number(value, 1))
}

/// The number in network order in an attribute of this kind; 0 when there is none.
fn number(value: &[u8], wanted: u16) -> u64 {
    let found = attributes(value).find(|(kind, _)| *kind == wanted);
    let bytes = found.map(|(_, bytes)| bytes).unwrap_or_default();
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A text that ends with a zero byte.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// Removes what is twice, and what is both removed and added.
pub(crate) fn differences<'e>(
    remove: &'e BTreeSet<FilterElement>,
    add: &'e BTreeSet<FilterElement>,
) -> (Vec<&'e FilterElement>, Vec<&'e FilterElement>) {
    (remove.difference(add).collect(), add.difference(remove).collect())
}

#[cfg(test)]
mod tests {
    use super::super::element::Key;
    use super::*;
    use crate::netfilter::messages;

    fn read(messages_of: &[Message], family: Family, set: SetName) -> Vec<FilterElement> {
        let mut bytes = Vec::new();
        for message in messages_of {
            message.encode(1, &mut bytes);
        }
        let bodies: Vec<Vec<u8>> = messages(&bytes).map(|(_, body)| body[4..].to_vec()).collect();
        let all = bodies.iter().flat_map(|body| elements(body, family, set));
        all.map(|(element, _)| element).collect()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let port = || Key::default().interface("or1");
        let all = [
            port()
                .mac([1; 6])
                .prefix("fd39::/64".parse().unwrap())
                .bridge("o_pd_at"),
            port()
                .bridge("o_pd_at")
                .leading_to(Value::Jump("from_client".to_owned())),
            port()
                .bridge("o_pd_at")
                .leading_to(Value::Address("fd39::1".parse().unwrap())),
            port()
                .bridge("o_pd_at")
                .leading_to(Value::Socket("fd39::1".parse().unwrap(), 8080)),
            port().bridge("o_pd_at").leading_to(Value::Limit {
                rate: 70_000,
                bytes: true,
            }),
        ];
        let add: Vec<&FilterElement> = all.iter().collect();
        let messages = transaction("t", &[], &add);
        assert_eq!(read(&messages, Family::Bridge, SetName::Named("o_pd_at")), all);
    }

    #[test]
    fn a_message_is_about_one_set_and_holds_no_more_than_fits() {
        let many: Vec<FilterElement> = (0..500_u32)
            .map(|number| Key::default().interface(&number.to_string()).bridge("o_apart"))
            .chain([Key::default().interface("x").inet("o_links")])
            .collect();
        let all: Vec<&FilterElement> = many.iter().collect();
        // Begin, three and one to remove, as many to add, end.
        assert_eq!(transaction("t", &all, &all).len(), 1 + 4 + 4 + 1);
    }

    #[test]
    fn what_stays_is_not_touched() {
        let [a, b, c] = ["a", "b", "c"].map(|name| Key::default().interface(name).inet("o_links"));
        let (old, new) = ([a.clone(), b.clone()].into(), [b, c.clone()].into());
        assert_eq!(differences(&old, &new), (vec![&a], vec![&c]));
    }
}
