//! Parses the arguments and the environment of dnsmasq's `dhcp-script`.

use std::collections::BTreeMap;

use super::{DnsmasqEvent, DnsmasqVerb, EventError, HookCall, Ignored, Written, cut, is_hostname};
use orchestrator_model::{Iaid, LinkLayerAddress, Timestamp};

/// The last second that has a date, in seconds since 1970.
const YEAR_9999: i64 = 253_402_300_799;

/// The values for a lease without end: dnsmasq's, and DHCPv6's (RFC 9915, section 7.7).
const ENDLESS: [u32; 2] = [0, u32::MAX];

/// The input from dnsmasq: the arguments after the program's name, and the environment.
struct Given<'a> {
    args: &'a [String],
    env: &'a BTreeMap<String, String>,
}

impl DnsmasqEvent {
    /// Parses the input of a hook that ran `at`: the arguments after the program's name, and the environment.
    ///
    /// # Errors
    ///
    /// When it is an event of a DHCPv6 lease of which something is missing or cannot be parsed. A host name or
    /// link-layer address that cannot be parsed is left out instead, because no decision depends on it.
    pub fn read(args: &[String], env: &BTreeMap<String, String>, at: Timestamp) -> Result<HookCall, EventError> {
        let given = Given { args, env };
        let verb = match given.argument(0, "verb")? {
            "add" => DnsmasqVerb::Add,
            "old" => DnsmasqVerb::Old,
            "del" => DnsmasqVerb::Del,
            "init" => return Ok(HookCall::Ignored(Ignored::Init)),
            verb => return Ok(HookCall::Ignored(Ignored::Verb(cut(verb)))),
        };
        let Some(iaid) = given.variable("DNSMASQ_IAID") else {
            // Only DHCPv6 events have these two. If one of them is missing, the event is faulty.
            return match given.variable("DNSMASQ_SERVER_DUID") {
                None => Ok(HookCall::Ignored(Ignored::Dhcp4)),
                Some(_) => Err(EventError::Missing("DNSMASQ_IAID")),
            };
        };
        if iaid.starts_with('T') {
            return Ok(HookCall::Ignored(Ignored::Temporary));
        }
        let (expires, length) = given.lifetime()?;
        let written = Written {
            version: Written::VERSION,
            verb,
            interface: given.interface(verb)?.to_owned(),
            duid: parse("the client's DUID", given.argument(1, "DUID")?)?,
            iaid: Iaid(parse("DNSMASQ_IAID", iaid)?),
            address: parse("the leased address", given.argument(2, "address")?)?,
            expires,
            remaining: given.number("DNSMASQ_TIME_REMAINING")?,
            length,
            link_layer: given.variable("DNSMASQ_MAC").and_then(read_link_layer),
            hostname: given.hostname().map(str::to_owned),
            at,
        };
        Ok(HookCall::Event(Box::new(written.try_into()?)))
    }
}

impl<'a> Given<'a> {
    fn argument(&self, index: usize, what: &'static str) -> Result<&'a str, EventError> {
        let argument = self.args.get(index).map(String::as_str);
        argument.ok_or(EventError::Missing(what))
    }

    fn variable(&self, name: &str) -> Option<&'a str> {
        self.env.get(name).map(String::as_str)
    }

    fn number(&self, name: &'static str) -> Result<Option<u32>, EventError> {
        self.variable(name).map(|text| parse(name, text)).transpose()
    }

    /// The end of the lease, or its length in seconds from a dnsmasq without a clock; neither for a lease without end.
    /// One of the two is always present: dnsmasq's build decides which.
    fn lifetime(&self) -> Result<(Option<Timestamp>, Option<u32>), EventError> {
        if let Some(text) = self.variable("DNSMASQ_LEASE_EXPIRES") {
            return Ok((read_expiry(text)?, None));
        }
        let length = self.number("DNSMASQ_LEASE_LENGTH")?;
        let length = length.ok_or(EventError::Missing("DNSMASQ_LEASE_EXPIRES"))?;
        Ok((None, Some(length).filter(|seconds| !ENDLESS.contains(seconds))))
    }

    /// The name of the interface; empty if dnsmasq cannot name it and the verb does not require it.
    fn interface(&self, verb: DnsmasqVerb) -> Result<&'a str, EventError> {
        match (self.variable("DNSMASQ_INTERFACE"), verb) {
            (Some(interface), _) => Ok(interface),
            (None, DnsmasqVerb::Add) => Err(EventError::Missing("DNSMASQ_INTERFACE")),
            (None, DnsmasqVerb::Old | DnsmasqVerb::Del) => Ok(""),
        }
    }

    fn hostname(&self) -> Option<&'a str> {
        let given = self.args.get(3).map(String::as_str);
        let given = given.or_else(|| self.variable("DNSMASQ_SUPPLIED_HOSTNAME"));
        given.filter(|name| is_hostname(name))
    }
}

fn parse<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, EventError> {
    text.parse()
        .map_err(|_| EventError::Unreadable { what, text: cut(text) })
}

/// dnsmasq writes zero for a lease without end.
fn read_expiry(text: &str) -> Result<Option<Timestamp>, EventError> {
    const WHAT: &str = "DNSMASQ_LEASE_EXPIRES";
    match parse(WHAT, text)? {
        0 => Ok(None),
        seconds @ 1..=YEAR_9999 => Ok(Some(Timestamp(seconds * 1000))),
        _ => Err(EventError::Unreadable {
            what: WHAT,
            text: cut(text),
        }),
    }
}

/// dnsmasq writes the hardware type before an address of other networks than Ethernet: `20-00:11:…`.
fn read_link_layer(text: &str) -> Option<LinkLayerAddress> {
    text.split_once('-').map_or(text, |(_, address)| address).parse().ok()
}
