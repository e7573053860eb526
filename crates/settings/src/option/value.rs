//! The value of an option that is given by its number, with its type.

use std::net::Ipv6Addr;

use orchestrator_dhcp6::OptionValue;

use super::parse;
use crate::reader::{Entry, Table};

/// The largest number of addresses or names of an option.
const MOST: usize = 64;

/// The type of a value. It decides how the value is written and encoded.
#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Addresses,
    Names,
    U8,
    U16,
    U32,
    Bytes,
}

const TYPES: [(&str, Type); 7] = [
    ("string", Type::Text),
    ("ipv6", Type::Addresses),
    ("domain", Type::Names),
    ("u8", Type::U8),
    ("u16", Type::U16),
    ("u32", Type::U32),
    ("hex", Type::Bytes),
];

/// Reads `type` and `value`; `None` only after a fault.
pub(super) fn read(table: &mut Table<'_>) -> Option<OptionValue> {
    let kind = table.need(
        "type",
        "take \"string\", \"ipv6\", \"domain\", \"u8\", \"u16\", \"u32\" or \"hex\"",
    );
    let kind = kind.and_then(|entry| entry.choice(&TYPES));
    let value = table.need("value", "give what the option says");
    let (kind, value) = kind.zip(value)?;
    match kind {
        Type::Text => value
            .parse("take at most 1024 bytes without NUL", parse::text)
            .map(OptionValue::Text),
        Type::Addresses => one_or_more(value, |entry| {
            entry.parse("write it like \"fd39:9706:2786:6333::1\"", parse_address)
        })
        .map(OptionValue::Addresses),
        Type::Names => one_or_more(value, |entry| entry.parse("write it like \"example.org\"", parse::name))
            .map(OptionValue::Names),
        Type::U8 => value.whole(0..=i64::from(u8::MAX)).map(OptionValue::U8),
        Type::U16 => value.whole(0..=i64::from(u16::MAX)).map(OptionValue::U16),
        Type::U32 => value.whole(0..=i64::from(u32::MAX)).map(OptionValue::U32),
        Type::Bytes => value
            .parse("write at most 1024 bytes like \"00ff1a\" or \"00:ff:1a\"", parse::hex)
            .map(OptionValue::Bytes),
    }
}

/// Reads one element, or a list of them.
fn one_or_more<'a, T>(value: Entry<'a>, read: impl Fn(Entry<'a>) -> Option<T>) -> Option<Vec<T>> {
    if value.is_list() {
        value.list_of(MOST, read)
    } else {
        read(value).map(|one| vec![one])
    }
}

fn parse_address(text: &str) -> Result<Ipv6Addr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an IPv6 address"))
}
