//! Sets of options for clients that ask for them.
//!
//! A set has values for some options and none for the others, so that one set can be laid over another: a link's over
//! the one for all links. A value is encoded when it is added; an answer only copies bytes.

mod code;
mod value;

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use dhcproto::v6::OptionCode;

use crate::DomainName;
use crate::lifetime::seconds;

pub use code::{OwnedOption, is_settable, is_suppliable};
pub use value::{OptionValue, TimeServer};

/// Simple Network Time Protocol servers (RFC 4075).
const SNTP_SERVERS: u16 = 31;
/// Network Time Protocol server (RFC 5908): one option for each.
const NTP_SERVER: u16 = 56;
/// Boot file URL and its parameters (RFC 5970).
const BOOT_FILE_URL: u16 = 59;
const BOOT_FILE_PARAMETERS: u16 = 60;
/// Captive portal (RFC 8910).
const CAPTIVE_PORTAL: u16 = 103;

/// Bounds of SOL_MAX_RT and INF_MAX_RT in seconds (RFC 9915, sections 21.24 and 21.25).
const MAX_RT: (u32, u32) = (60, 86_400);
/// Least information refresh time in seconds (RFC 9915, section 21.23).
const LEAST_REFRESH: u32 = 600;

/// Bytes before the body of an option: code and length.
const HEAD: usize = 4;

/// The body of an option.
type Body = Box<[u8]>;

/// Options for clients.
///
/// An option that is set to nothing, such as an empty list of servers, is sent to nobody, even if a set below has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionSet {
    /// By code. There are several bodies if the option occurs once for each server.
    options: BTreeMap<u16, Vec<Body>>,
    /// Vendor options (RFC 9915, section 21.17), by enterprise number and the vendor's own code.
    vendors: BTreeMap<u32, BTreeMap<u16, Body>>,
    /// Whether names of clients are left as they are.
    names_complete: bool,
}

impl OptionSet {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays this set over another: options that are missing here are taken from there.
    #[must_use]
    pub fn over(mut self, below: &Self) -> Self {
        if !self.contains(OptionCode::DomainSearchList.into()) {
            self.names_complete = below.names_complete;
        }
        for (code, bodies) in &below.options {
            self.options.entry(*code).or_insert_with(|| bodies.clone());
        }
        for (enterprise, options) in &below.vendors {
            let own = self.vendors.entry(*enterprise).or_default();
            for (code, body) in options {
                own.entry(*code).or_insert_with(|| body.clone());
            }
        }
        self
    }

    /// The same set without options that are set to nothing, once it lies over no other.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.options.retain(|_, bodies| !bodies.is_empty());
        self
    }

    /// Sets the recursive name servers (RFC 3646).
    pub fn set_dns_servers(&mut self, servers: &[Ipv6Addr]) {
        self.set_one(OptionCode::DomainNameServers.into(), value::addresses(servers));
    }

    /// Sets the search list (RFC 3646). A client whose name is a single label gets the first of these as its domain
    /// (RFC 4704, section 4.2).
    pub fn set_domain_search(&mut self, names: &[DomainName]) {
        self.set_one(OptionCode::DomainSearchList.into(), value::names(names));
    }

    /// Leaves the name of a client as it is: the search list has no domain for it.
    pub fn set_names_complete(&mut self) {
        self.names_complete = true;
    }

    /// Sets the servers of the Network Time Protocol (RFC 5908).
    pub fn set_ntp_servers(&mut self, servers: &[TimeServer]) {
        let bodies = servers.iter().map(|server| server.encode().into()).collect();
        self.options.insert(NTP_SERVER, bodies);
    }

    /// Sets the servers of the Simple Network Time Protocol (RFC 4075).
    pub fn set_sntp_servers(&mut self, servers: &[Ipv6Addr]) {
        self.set_one(SNTP_SERVERS, value::addresses(servers));
    }

    /// Sets the URI of the captive portal's API (RFC 8910).
    pub fn set_captive_portal(&mut self, uri: &str) {
        self.set_one(CAPTIVE_PORTAL, uri.as_bytes().into());
    }

    /// Sets the URL of the boot file for clients that boot from the network (RFC 5970, section 3.1).
    pub fn set_boot_file_url(&mut self, url: &str) {
        self.set_one(BOOT_FILE_URL, url.as_bytes().into());
    }

    /// Sets the parameters of the boot file (RFC 5970, section 3.2).
    pub fn set_boot_file_parameters(&mut self, parameters: &[String]) {
        self.set_one(BOOT_FILE_PARAMETERS, value::texts(parameters));
    }

    /// Sets the longest pause between a client's Solicits (RFC 9915, section 21.24), limited to a minute to a day.
    pub fn set_solicit_max_rt(&mut self, pause: Duration) {
        let pause = seconds(pause).clamp(MAX_RT.0, MAX_RT.1);
        self.set_one(OptionCode::SolMaxRt.into(), pause.to_be_bytes().into());
    }

    /// Sets the longest pause between a client's Information-requests (RFC 9915, section 21.25), with the same limits.
    pub fn set_information_max_rt(&mut self, pause: Duration) {
        let pause = seconds(pause).clamp(MAX_RT.0, MAX_RT.1);
        self.set_one(OptionCode::InfMaxRt.into(), pause.to_be_bytes().into());
    }

    /// Sets when a client without leases asks again (RFC 9915, section 21.23); at least ten minutes.
    pub fn set_information_refresh(&mut self, after: Duration) {
        let after = seconds(after).max(LEAST_REFRESH);
        self.set_one(OptionCode::InformationRefreshTime.into(), after.to_be_bytes().into());
    }

    /// Sets an option of a vendor, by its enterprise number.
    pub fn set_vendor_option(&mut self, enterprise: u32, code: u16, value: &OptionValue) {
        let options = self.vendors.entry(enterprise).or_default();
        options.insert(code, value.encode().into());
    }

    /// Sets any other option.
    ///
    /// # Errors
    ///
    /// When the option belongs to the protocol, or has its own setter.
    pub fn set(&mut self, code: u16, value: &OptionValue) -> Result<(), OwnedOption> {
        if !is_settable(code) {
            return Err(OwnedOption(code));
        }
        self.options.insert(code, vec![value.encode().into()]);
        Ok(())
    }

    /// The encoded size of all options, in bytes.
    pub fn size(&self) -> usize {
        let bodies = self.options.values().flatten().map(|body| HEAD + body.len());
        let vendors = self.vendor_bodies(|_| true).map(|body| HEAD + body.len());
        bodies.chain(vendors).sum()
    }

    /// Every option, with its bodies in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &[Body])> {
        self.options.iter().map(|(code, bodies)| (*code, &bodies[..]))
    }

    /// Whether it has an option.
    pub(crate) fn contains(&self, code: u16) -> bool {
        self.options.contains_key(&code)
    }

    /// The body of the vendor options of each wanted enterprise (RFC 9915, section 21.17).
    pub(crate) fn vendor_bodies(&self, is_wanted: impl Fn(u32) -> bool) -> impl DoubleEndedIterator<Item = Vec<u8>> {
        let wanted = self
            .vendors
            .iter()
            .filter(move |(enterprise, _)| is_wanted(**enterprise));
        wanted.map(|(enterprise, options)| value::vendor(*enterprise, options))
    }

    /// Whether there are vendor options.
    pub(crate) fn has_vendors(&self) -> bool {
        !self.vendors.is_empty()
    }

    /// The domain for the names of clients: the first of the search list, as it is on the wire.
    pub(crate) fn domain(&self) -> Option<&[u8]> {
        if self.names_complete {
            return None;
        }
        let list = self.options.get(&OptionCode::DomainSearchList.into())?.first()?;
        DomainName::first_of(list)
    }

    /// Sets an option that comes at most once. With an empty body it is sent to nobody.
    fn set_one(&mut self, code: u16, body: Body) {
        let bodies = if body.is_empty() { Vec::new() } else { vec![body] };
        self.options.insert(code, bodies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(set: &OptionSet, code: u16) -> Option<Vec<&[u8]>> {
        let (_, bodies) = set.iter().find(|(own, _)| *own == code)?;
        Some(bodies.iter().map(|body| &**body).collect())
    }

    #[test]
    fn what_a_set_says_nothing_of_is_as_below() {
        let (mut above, mut below) = (OptionSet::new(), OptionSet::new());
        below.set_boot_file_url("tftp://a");
        below.set_captive_portal("https://a");
        below.set_sntp_servers(&[Ipv6Addr::LOCALHOST]);
        above.set_captive_portal("https://b");
        above.set_sntp_servers(&[]);
        let both = above.over(&below);
        assert_eq!(bodies(&both, BOOT_FILE_URL), Some(vec![&b"tftp://a"[..]]));
        assert_eq!(bodies(&both, CAPTIVE_PORTAL), Some(vec![&b"https://b"[..]]));
        assert_eq!(bodies(&both, SNTP_SERVERS), Some(vec![]));
    }

    #[test]
    fn vendor_options_are_laid_over_each_other_one_by_one() {
        let (mut above, mut below) = (OptionSet::new(), OptionSet::new());
        below.set_vendor_option(9, 1, &OptionValue::U8(1));
        below.set_vendor_option(9, 2, &OptionValue::U8(2));
        above.set_vendor_option(9, 2, &OptionValue::U16(3));
        let both = above.over(&below);
        let expected = vec![0, 0, 0, 9, 0, 1, 0, 1, 1, 0, 2, 0, 2, 0, 3];
        assert_eq!(both.vendor_bodies(|_| true).collect::<Vec<_>>(), [expected]);
        assert_eq!(both.vendor_bodies(|enterprise| enterprise == 10).count(), 0);
    }

    #[test]
    fn boot_parameters_are_told_one_by_one() {
        let mut set = OptionSet::new();
        set.set_boot_file_parameters(&["a".to_owned(), String::new(), "bc".to_owned()]);
        assert_eq!(
            bodies(&set, BOOT_FILE_PARAMETERS),
            Some(vec![&b"\x00\x01a\x00\x00\x00\x02bc"[..]])
        );
    }

    #[test]
    fn what_has_a_setter_is_not_set_by_its_number() {
        let mut set = OptionSet::new();
        assert_eq!(
            set.set(BOOT_FILE_URL, &OptionValue::U8(1)),
            Err(OwnedOption(BOOT_FILE_URL))
        );
        assert_eq!(set.set(1, &OptionValue::U8(1)), Err(OwnedOption(1)));
        assert_eq!(set.set(41, &OptionValue::Text("UTC".to_owned())), Ok(()));
        assert_eq!(bodies(&set, 41), Some(vec![&b"UTC"[..]]));
    }
}
