//! DHCPv6 options for clients: the same keys for all links (`[options]`), for a link, and for a class.
//!
//! Each level overrides the one before, key by key; `option` and `vendor_option` are merged option by option.

mod numbered;
mod parse;
mod value;

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use orchestrator_dhcp6::OptionSet;

use super::lifetimes::{LONGEST, seconds};
use super::prefix::{parse_domain, parse_server};
use super::reader::{Entry, Table};

pub(super) use parse::hex as parse_hex;

/// The largest number of servers or names of an option, so that they fit into one message.
const MOST_SERVERS: usize = 16;
/// The largest number of parameters of a boot file.
const MOST_PARAMETERS: usize = 64;
/// The largest size of all options together, in bytes. An answer has room for so much besides its leases.
const MOST_BYTES: usize = 8192;
/// Bounds of SOL_MAX_RT and INF_MAX_RT (RFC 9915, sections 21.24 and 21.25).
const MAX_RT: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);
/// Bounds of the information refresh time (RFC 9915, section 21.23).
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(600)..=LONGEST;

/// The options that one table of the settings gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Given {
    /// Unencoded, for router advertisements.
    pub(super) dns_servers: Option<Vec<Ipv6Addr>>,
    /// Unencoded, for router advertisements.
    pub(super) domain_search: Option<Vec<String>>,
    /// Unencoded, for router advertisements.
    pub(super) captive_portal: Option<String>,
    /// All options, encoded.
    pub(super) set: OptionSet,
}

impl Given {
    /// The keys that have no effect when dnsmasq answers the clients. The DNS keys and the captive portal are not among
    /// them, because they are also used in router advertisements.
    pub(super) const OF_LISTENER: [&'static str; 9] = [
        "ntp_servers",
        "sntp_servers",
        "boot_file_url",
        "boot_file_parameters",
        "solicit_max_rt",
        "information_max_rt",
        "information_refresh_time",
        "vendor_option",
        "option",
    ];

    /// Reads the keys that are present.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let mut given = Self::default();
        given.read_dns(table);
        given.read_time(table);
        given.read_boot(table);
        given.read_pauses(table);
        numbered::read(table, &mut given.set);
        given
    }

    /// Lays these options over others: a key that is missing here keeps its value from there.
    pub(super) fn over(self, below: &Self) -> Self {
        Self {
            dns_servers: self.dns_servers.or_else(|| below.dns_servers.clone()),
            domain_search: self.domain_search.or_else(|| below.domain_search.clone()),
            captive_portal: self.captive_portal.or_else(|| below.captive_portal.clone()),
            set: self.set.over(&below.set),
        }
    }

    /// Tells clients of this captive portal, unless the settings say otherwise.
    pub(super) fn ensure_captive_portal(&mut self, url: &str) {
        if self.captive_portal.is_none() {
            self.set.set_captive_portal(url);
            self.captive_portal = Some(url.to_owned());
        }
    }

    /// Tells clients of this DNS server, with its domains, unless the settings name servers or say that there are none.
    pub(super) fn ensure_dns(&mut self, server: Ipv6Addr, domains: &[String]) {
        if self.dns_servers.is_some() {
            return;
        }
        self.set.set_dns_servers(&[server]);
        self.dns_servers = Some(vec![server]);
        if self.domain_search.is_none() {
            let names: Vec<_> = domains.iter().filter_map(|name| name.parse().ok()).collect();
            self.set.set_domain_search(&names);
            // What a client calls itself is found below none of these.
            self.set.set_names_complete();
            self.domain_search = Some(domains.to_vec());
        }
    }

    /// Checks that all options together fit into an answer.
    pub(super) fn check_size(&self, table: &Table<'_>) {
        let bytes = self.set.size();
        if bytes > MOST_BYTES {
            let what = format!("and the other options have {bytes} bytes together");
            table.fault("option", what, format!("give at most {MOST_BYTES}"));
        }
    }

    fn read_dns(&mut self, table: &mut Table<'_>) {
        let server = |entry: Entry<'_>| entry.parse("write it like \"fd39:9706:2786:6333::1\"", parse_server);
        self.dns_servers = list(table, "dns_servers", server);
        if let Some(servers) = &self.dns_servers {
            self.set.set_dns_servers(servers);
        }
        let domain = |entry: Entry<'_>| entry.parse("write it like \"example.org\"", parse_domain);
        self.domain_search = list(table, "domain_search", domain);
        if let Some(names) = &self.domain_search {
            // Every name that passed the check can be encoded.
            let names: Vec<_> = names.iter().filter_map(|name| name.parse().ok()).collect();
            self.set.set_domain_search(&names);
        }
    }

    fn read_time(&mut self, table: &mut Table<'_>) {
        let remedy = "write it like \"fd39:9706:2786:6333::1\" or \"ntp.example.org\"";
        let server = |entry: Entry<'_>| entry.parse(remedy, parse::time_server);
        if let Some(servers) = list(table, "ntp_servers", server) {
            self.set.set_ntp_servers(&servers);
        }
        let server = |entry: Entry<'_>| entry.parse("write it like \"fd39:9706:2786:6333::1\"", parse_server);
        if let Some(servers) = list(table, "sntp_servers", server) {
            self.set.set_sntp_servers(&servers);
        }
    }

    fn read_boot(&mut self, table: &mut Table<'_>) {
        let remedy = "write it like \"https://portal.example.org/api\"";
        let portal = table.take("captive_portal");
        self.captive_portal = portal.and_then(|entry| entry.parse(remedy, parse::captive_portal));
        if let Some(uri) = &self.captive_portal {
            self.set.set_captive_portal(uri);
        }
        let remedy = "write it like \"tftp://[fd39:9706:2786:6333::1]/boot.efi\"";
        let url = table.take("boot_file_url");
        if let Some(url) = url.and_then(|entry| entry.parse(remedy, parse::url)) {
            self.set.set_boot_file_url(&url);
        }
        let word = |entry: Entry<'_>| entry.parse("take at most 1024 bytes without NUL", parse::text);
        let parameters = table.take("boot_file_parameters");
        if let Some(parameters) = parameters.and_then(|entry| entry.list_of(MOST_PARAMETERS, word)) {
            self.set.set_boot_file_parameters(&parameters);
        }
    }

    fn read_pauses(&mut self, table: &mut Table<'_>) {
        let mut span = |key, bounds| table.take(key).and_then(|entry| seconds(entry, bounds));
        if let Some(pause) = span("solicit_max_rt", MAX_RT) {
            self.set.set_solicit_max_rt(pause);
        }
        if let Some(pause) = span("information_max_rt", MAX_RT) {
            self.set.set_information_max_rt(pause);
        }
        if let Some(after) = span("information_refresh_time", REFRESH) {
            self.set.set_information_refresh(after);
        }
    }
}

fn list<'a, T>(table: &mut Table<'a>, key: &'static str, read: impl Fn(Entry<'a>) -> Option<T>) -> Option<Vec<T>> {
    table.take(key)?.list_of(MOST_SERVERS, read)
}

#[cfg(test)]
mod tests;
