//! `option` and `vendor_option`: options that are given by their number.

use std::collections::BTreeSet;

use orchestrator_dhcp6::{OptionSet, is_settable};

use super::value;
use crate::reader::{Entry, Table};

/// The largest number of such options.
const MOST: usize = 64;

/// Options with a key of their own.
const NAMED: [(u16, &str); 12] = [
    (7, "preference"),
    (17, "vendor_option"),
    (23, "dns_servers"),
    (24, "domain_search"),
    (31, "sntp_servers"),
    (32, "information_refresh_time"),
    (56, "ntp_servers"),
    (59, "boot_file_url"),
    (60, "boot_file_parameters"),
    (82, "solicit_max_rt"),
    (83, "information_max_rt"),
    (103, "captive_portal"),
];

/// Reads both lists.
pub(super) fn read(table: &mut Table<'_>, set: &mut OptionSet) {
    let mut seen = BTreeSet::new();
    for vendor in tables(table, "vendor_option") {
        read_vendor_option(vendor, set, &mut seen);
    }
    let mut seen = BTreeSet::new();
    for option in tables(table, "option") {
        read_option(option, set, &mut seen);
    }
}

fn tables<'a>(table: &mut Table<'a>, key: &'static str) -> Vec<Table<'a>> {
    let entries = table.take(key).and_then(|entry| entry.list(MOST));
    entries.into_iter().flatten().filter_map(Entry::table).collect()
}

fn read_option(mut table: Table<'_>, set: &mut OptionSet, seen: &mut BTreeSet<u16>) {
    let code: Option<u16> = table
        .need("code", "give the option's number, like 41")
        .and_then(|entry| entry.whole(1..=i64::from(u16::MAX)));
    let code = code.filter(|code| is_allowed(&table, *code));
    if let Some(code) = code.filter(|code| !seen.insert(*code)) {
        table.fault("code", format!("option {code} was given before"), "give it once");
    }
    if let Some((code, value)) = code.zip(value::read(&mut table))
        && let Err(fault) = set.set(code, &value)
    {
        table.fault("code", fault.to_string(), "remove it");
    }
    table.finish();
}

/// Reports an option that must not be set by its number.
fn is_allowed(table: &Table<'_>, code: u16) -> bool {
    if let Some((_, key)) = NAMED.iter().find(|(named, _)| *named == code) {
        table.fault(
            "code",
            format!("option {code} has a key of its own"),
            format!("use {key:?}"),
        );
        return false;
    }
    if !is_settable(code) {
        let what = format!("option {code} is the protocol's own, or a client's or relay's to send");
        table.fault("code", what, "remove it");
        return false;
    }
    true
}

fn read_vendor_option(mut table: Table<'_>, set: &mut OptionSet, seen: &mut BTreeSet<(u32, u16)>) {
    let remedy = "give the vendor's number at IANA, like 311";
    let enterprise: Option<u32> = table
        .need("enterprise", remedy)
        .and_then(|entry| entry.whole(0..=i64::from(u32::MAX)));
    let code: Option<u16> = table
        .need("code", "give the number that the vendor has for the option, like 1")
        .and_then(|entry| entry.whole(0..=i64::from(u16::MAX)));
    let value = value::read(&mut table);
    if let Some((enterprise, code)) = enterprise.zip(code) {
        if !seen.insert((enterprise, code)) {
            let what = format!("option {code} of enterprise {enterprise} was given before");
            table.fault("code", what, "give it once");
        }
        if let Some(value) = value {
            set.set_vendor_option(enterprise, code, &value);
        }
    }
    table.finish();
}
