//! Chains and rules of nftables, read from the kernel.
//!
//! They belong to strangers: what is not understood is left out, and every length is checked.

use std::collections::BTreeSet;
use std::io;

use netlink_sys::Socket;

use crate::netfilter::nftables::{GET_CHAIN, GET_ELEMENT, GET_RULE, GET_TABLE, SUBSYSTEM};
use crate::netfilter::{Attributes, Message, attributes, dump};

/// Attributes that tables, chains, rules and sets have.
const TABLE: u16 = 1;
const SECOND_NAME: u16 = 2;
/// The hook of forwarded packets, which has one number in all families that we read (`NF_INET_FORWARD`, `NF_BR_FORWARD`).
const FORWARD: u32 = 2;
const DROP: u32 = 0;
/// A list's element.
const ONE: u16 = 1;
/// `NFT_META_IIFNAME` and `NFT_META_OIFNAME`.
const INTERFACE_NAMES: [u32; 2] = [6, 7];
/// `meta ibrname` and `obrname`: the names of bridges.
const BRIDGE_NAMES: [u32; 2] = [21, 22];

/// A chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) table: String,
    pub(super) name: String,
    /// Whether it filters forwarded packets.
    pub(super) is_filter_of_forwarded: bool,
    pub(super) policy_drops: bool,
}

/// A rule, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) table: String,
    pub(super) chain: String,
    /// Whether it drops or rejects every packet.
    pub(super) drops_everything: bool,
    /// The interfaces that it names.
    pub(super) interfaces: BTreeSet<String>,
    /// The sets in which it looks up interfaces.
    pub(super) interface_sets: Vec<String>,
}

/// The names of the tables of a family.
pub(super) fn tables(socket: &Socket, family: u8) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    each(socket, Message::new(SUBSYSTEM, GET_TABLE), family, |body| {
        found.extend(find(body, TABLE).map(text));
    })?;
    Ok(found)
}

/// The chains of a family.
pub(super) fn chains(socket: &Socket, family: u8) -> io::Result<Vec<Chain>> {
    let mut found = Vec::new();
    each(socket, Message::new(SUBSYSTEM, GET_CHAIN), family, |body| {
        found.extend(chain(body))
    })?;
    Ok(found)
}

/// The rules of a family, those of each chain in their order.
pub(super) fn rules(socket: &Socket, family: u8) -> io::Result<Vec<Rule>> {
    let mut found = Vec::new();
    each(socket, Message::new(SUBSYSTEM, GET_RULE), family, |body| {
        found.extend(rule(body))
    })?;
    Ok(found)
}

/// The names of interfaces that the elements of a set begin with.
pub(super) fn interfaces_in_set(socket: &Socket, family: u8, table: &str, set: &str) -> io::Result<BTreeSet<String>> {
    let of = Attributes::default()
        .with_text(TABLE, table)
        .with_text(SECOND_NAME, set);
    let question = Message::new(SUBSYSTEM, GET_ELEMENT).having(of);
    let mut found = BTreeSet::new();
    each(socket, question, family, |body| found.extend(elements(body)))?;
    Ok(found)
}

fn each(socket: &Socket, question: Message, family: u8, take: impl FnMut(&[u8])) -> io::Result<()> {
    // What changes meanwhile may be missing: this is one look.
    dump(socket, &question.for_family(family).for_all(), take).map(drop)
}

fn chain(body: &[u8]) -> Option<Chain> {
    const NAME: u16 = 3;
    const HOOK: u16 = 4;
    const HOOK_NUMBER: u16 = 1;
    const POLICY: u16 = 5;
    const TYPE: u16 = 7;
    let hook = find(body, HOOK)
        .and_then(|hook| find(hook, HOOK_NUMBER))
        .and_then(number);
    let is_filter = find(body, TYPE).map(text).as_deref() == Some("filter");
    Some(Chain {
        table: text(find(body, TABLE)?),
        name: text(find(body, NAME)?),
        is_filter_of_forwarded: is_filter && hook == Some(FORWARD),
        policy_drops: find(body, POLICY).and_then(number) == Some(DROP),
    })
}

fn rule(body: &[u8]) -> Option<Rule> {
    const EXPRESSIONS: u16 = 4;
    let expressions: Vec<(String, &[u8])> = attributes(find(body, EXPRESSIONS).unwrap_or_default())
        .filter(|(kind, _)| *kind == ONE)
        .map(|(_, expression)| {
            let (name, data) = (find(expression, 1), find(expression, 2));
            (name.map(text).unwrap_or_default(), data.unwrap_or_default())
        })
        .collect();
    let mut rule = Rule {
        table: text(find(body, TABLE)?),
        chain: text(find(body, SECOND_NAME)?),
        drops_everything: drops_everything(&expressions),
        ..Rule::default()
    };
    let is_about_interfaces = expressions.iter().any(|(name, data)| {
        let key = find(data, 2).and_then(number);
        name == "meta" && key.is_some_and(|key| INTERFACE_NAMES.contains(&key) || BRIDGE_NAMES.contains(&key))
    });
    for (name, data) in expressions.iter().filter(|_| is_about_interfaces) {
        match name.as_str() {
            "cmp" => rule
                .interfaces
                .extend(find(data, 3).and_then(|value| find(value, 1)).and_then(interface)),
            "lookup" => rule.interface_sets.extend(find(data, 1).map(text)),
            _ => {}
        }
    }
    Some(rule)
}

/// Whether a rule consists of nothing but a verdict that drops, besides what only counts or logs.
fn drops_everything(expressions: &[(String, &[u8])]) -> bool {
    let mut drops = false;
    for (name, data) in expressions {
        match name.as_str() {
            "counter" | "log" => {}
            "reject" => drops = true,
            "target" => {
                drops |= find(data, 1)
                    .map(text)
                    .is_some_and(|name| name == "REJECT" || name == "DROP")
            }
            "immediate" => {
                let verdict = find(data, 2).and_then(|data| find(data, 2));
                match verdict.and_then(|verdict| find(verdict, 1)).and_then(number) {
                    Some(DROP) => drops = true,
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
    drops
}

fn elements(body: &[u8]) -> Vec<String> {
    const LIST: u16 = 3;
    const KEY: u16 = 1;
    let list = attributes(find(body, LIST).unwrap_or_default()).filter(|(kind, _)| *kind == ONE);
    list.filter_map(|(_, element)| find(element, KEY).and_then(|key| find(key, 1)).and_then(interface))
        .collect()
}

/// The value of the first attribute of a kind.
fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?))
}

/// The text before the first zero byte.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// The name of an interface; `None` for other values.
fn interface(value: &[u8]) -> Option<String> {
    const LONGEST: usize = 15;
    let name = text(value);
    let is_name = !name.is_empty() && name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(attributes: Attributes) -> Vec<u8> {
        let mut bytes = Vec::new();
        Message::new(SUBSYSTEM, GET_CHAIN)
            .having(attributes)
            .encode(1, &mut bytes);
        bytes.split_off(20)
    }

    fn expression(name: &str, data: &Attributes) -> Attributes {
        Attributes::default().with_text(1, name).with_nested(2, data)
    }

    fn verdict(code: u32) -> Attributes {
        let verdict = Attributes::default().with_number(1, code);
        let data = Attributes::default().with_nested(2, &verdict);
        expression("immediate", &Attributes::default().with_nested(2, &data))
    }

    fn read_rule(expressions: &[Attributes]) -> Rule {
        let list = expressions
            .iter()
            .fold(Attributes::default(), |list, one| list.with_nested(ONE, one));
        let of = Attributes::default().with_text(1, "filter").with_text(2, "FORWARD");
        rule(&body(of.with_nested(4, &list))).unwrap()
    }

    #[test]
    fn a_chain_is_read_with_its_hook_and_policy() {
        let hook = Attributes::default().with_number(1, FORWARD).with_number(2, 0);
        let of = |kind: &str, policy| {
            let named = Attributes::default().with_text(1, "filter").with_text(3, "FORWARD");
            body(named.with_nested(4, &hook).with_number(5, policy).with_text(7, kind))
        };
        let docker = chain(&of("filter", DROP)).unwrap();
        assert!(docker.is_filter_of_forwarded && docker.policy_drops, "{docker:?}");
        assert!(!chain(&of("filter", 1)).unwrap().policy_drops);
        assert!(!chain(&of("nat", DROP)).unwrap().is_filter_of_forwarded);
    }

    #[test]
    fn a_rule_that_drops_everything_has_no_condition() {
        let counter = expression("counter", &Attributes::default());
        let condition = expression("cmp", &Attributes::default());
        assert!(read_rule(&[counter.clone(), verdict(DROP)]).drops_everything);
        assert!(read_rule(&[expression("reject", &Attributes::default())]).drops_everything);
        assert!(!read_rule(&[condition, verdict(DROP)]).drops_everything);
        assert!(!read_rule(&[counter.clone(), verdict(1)]).drops_everything);
        assert!(!read_rule(&[counter]).drops_everything);
    }

    #[test]
    fn the_interfaces_of_a_rule_are_read() {
        let meta = expression("meta", &Attributes::default().with_number(2, INTERFACE_NAMES[0]));
        let name = Attributes::default().with(1, b"br0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let compare = expression("cmp", &Attributes::default().with_nested(3, &name));
        let lookup = expression("lookup", &Attributes::default().with_text(1, "ports"));
        let rule = read_rule(&[meta, compare.clone(), lookup]);
        assert_eq!(rule.interfaces, BTreeSet::from(["br0".to_owned()]));
        assert_eq!(rule.interface_sets, ["ports"]);
        assert_eq!(
            read_rule(&[compare]).interfaces,
            BTreeSet::new(),
            "it compares something else"
        );
    }

    #[test]
    fn what_is_cut_is_left_out() {
        let whole = body(Attributes::default().with_text(1, "filter").with_text(3, "FORWARD"));
        for length in 0..whole.len() {
            let _ = (
                chain(&whole[..length]),
                rule(&whole[..length]),
                elements(&whole[..length]),
            );
        }
    }
}
