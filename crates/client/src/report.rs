//! The client's reports: one line each, for people or as JSON.

use std::fmt;
use std::net::Ipv6Addr;

use orchestrator_dhcp6::client::{Bound, Configuration, Event, Lease};
use serde_json::{Map, Value, json};

use orchestrator_model::Timestamp;

/// An event of the client, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The time in milliseconds since 1970.
    pub(super) at: i64,
    pub(super) what: What,
}

/// The kind of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// An event of the protocol.
    Protocol(Event),
    /// An address is ready: no other host has it.
    Ready(Ipv6Addr),
    /// Another host has an address.
    Duplicate(Ipv6Addr),
    /// The interface is down, has no carrier, or has no address to send from yet.
    LinkDown,
    /// The interface is up.
    LinkUp,
    /// A datagram was ignored.
    PassedOver {
        /// Its sender.
        from: Ipv6Addr,
        /// The reason.
        reason: String,
    },
}

impl Report {
    /// The report as JSON: `time`, `event`, and the keys of the event.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("time".to_owned(), json!(Timestamp(self.at)));
        fields.insert("event".to_owned(), json!(self.what.word()));
        if let Value::Object(more) = self.what.details() {
            fields.extend(more);
        }
        Value::Object(fields)
    }
}

impl What {
    /// The word for the event.
    fn word(&self) -> &'static str {
        match self {
            Self::Protocol(event) => match event {
                Event::Offered { .. } => "offered",
                Event::Bound(bound) => bound.how.word(),
                Event::Lost { .. } => "lost",
                Event::Refused { .. } => "refused",
                Event::Unanswered(_) => "unanswered",
                Event::Informed { .. } => "informed",
                Event::Released => "released",
            },
            Self::Ready(_) => "ready",
            Self::Duplicate(_) => "duplicate",
            Self::LinkDown => "link-down",
            Self::LinkUp => "link-up",
            Self::PassedOver { .. } => "passed-over",
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Protocol(event) => details(event),
            Self::Ready(address) | Self::Duplicate(address) => json!({ "address": address }),
            Self::LinkDown | Self::LinkUp => Value::Null,
            Self::PassedOver { from, reason } => json!({ "from": from, "reason": reason }),
        }
    }
}

fn details(event: &Event) -> Value {
    match event {
        Event::Offered { server, preference } => json!({ "server": server, "preference": preference }),
        Event::Bound(bound) => json!({
            "server": bound.server,
            "leases": bound.leases.iter().map(lease).collect::<Vec<_>>(),
            "renew_at": Timestamp(bound.renew_at),
            "rebind_at": Timestamp(bound.rebind_at),
            "dns_servers": bound.configuration.dns_servers,
            "domain_search": names(&bound.configuration),
        }),
        Event::Lost { leased, cause } => json!({ "leased": leased.to_string(), "cause": cause.word() }),
        Event::Refused { server, status } => {
            json!({ "server": server, "status": status.code, "words": status.words })
        }
        Event::Unanswered(kind) => json!({ "message": kind.word() }),
        Event::Informed {
            server,
            configuration,
            until,
        } => json!({
            "server": server,
            "until": Timestamp(*until),
            "dns_servers": configuration.dns_servers,
            "domain_search": names(configuration),
        }),
        Event::Released => Value::Null,
    }
}

fn lease(lease: &Lease) -> Value {
    json!({
        "leased": lease.leased.to_string(),
        "preferred_until": Timestamp(lease.preferred_until),
        "valid_until": Timestamp(lease.valid_until),
    })
}

fn names(configuration: &Configuration) -> Vec<String> {
    configuration.domain_search.iter().map(ToString::to_string).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.what.word();
        match &self.what {
            What::LinkUp | What::Protocol(Event::Released) => f.write_str(word),
            What::LinkDown => write!(f, "{word:<10} waiting for a carrier and a link-local address"),
            What::Ready(address) => write!(f, "{word:<10} {address}"),
            What::Duplicate(address) => write!(f, "{word:<10} {address}: someone else has it"),
            What::PassedOver { from, reason } => write!(f, "{word:<10} an answer from {from}: {reason}"),
            What::Protocol(event) => {
                write!(f, "{word:<10}")?;
                write_event(f, event, self.at)
            }
        }
    }
}

fn write_event(f: &mut fmt::Formatter<'_>, event: &Event, now: i64) -> fmt::Result {
    match event {
        Event::Offered { server, preference } => write!(f, " by {server}, preference {preference}"),
        Event::Bound(bound) => write_bound(f, bound, now),
        Event::Lost { leased, cause } => write!(f, " {leased}: {}", cause.word()),
        Event::Refused { server, status } => write!(f, " by {server}: {status}"),
        Event::Unanswered(kind) => write!(f, " {kind}"),
        Event::Informed {
            server,
            configuration,
            until,
        } => {
            write!(f, " by {server}, again in {}", Span(*until, now))?;
            write_configuration(f, configuration)
        }
        Event::Released => Ok(()),
    }
}

fn write_bound(f: &mut fmt::Formatter<'_>, bound: &Bound, now: i64) -> fmt::Result {
    for lease in &bound.leases {
        write!(f, " {} for {},", lease.leased, Span(lease.valid_until, now))?;
    }
    write!(f, " by {}, renewed in {}", bound.server, Span(bound.renew_at, now))?;
    write_configuration(f, &bound.configuration)
}

fn write_configuration(f: &mut fmt::Formatter<'_>, configuration: &Configuration) -> fmt::Result {
    let servers: Vec<String> = configuration.dns_servers.iter().map(ToString::to_string).collect();
    for (what, values) in [("dns", servers), ("search", names(configuration))] {
        if !values.is_empty() {
            write!(f, "; {what} {}", values.join(" "))?;
        }
    }
    Ok(())
}

/// The time between two moments, in milliseconds.
struct Span(i64, i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            i64::MAX => f.write_str("ever"),
            until => write!(f, "{} s", (until - self.1).max(0) / 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_dhcp6::MessageKind;
    use orchestrator_dhcp6::client::{How, Loss, ServerStatus};

    use super::*;

    fn shown(what: What) -> (String, Value) {
        let report = Report {
            at: 1_700_000_000_000,
            what,
        };
        (report.to_string(), report.to_json())
    }

    #[test]
    fn a_lease() {
        let bound = Bound {
            how: How::Granted,
            server: "00:02:00:00:ab:11:01".parse().unwrap(),
            leases: vec![Lease {
                leased: "2001:db8::7".parse().unwrap(),
                preferred_until: 1_700_000_060_000,
                valid_until: i64::MAX,
            }],
            renew_at: 1_700_000_030_000,
            rebind_at: 1_700_000_048_000,
            configuration: Configuration {
                dns_servers: vec!["2001:db8::53".parse().unwrap()],
                domain_search: vec!["lan.example".parse().unwrap()],
            },
        };
        let (text, json) = shown(What::Protocol(Event::Bound(bound)));
        assert_eq!(
            text,
            "granted    2001:db8::7 for ever, by 00:02:00:00:ab:11:01, renewed in 30 s; dns 2001:db8::53; search lan.example"
        );
        assert_eq!(
            json,
            json!({
                "time": "2023-11-14T22:13:20.000Z",
                "event": "granted",
                "server": "00:02:00:00:ab:11:01",
                "leases": [{
                    "leased": "2001:db8::7",
                    "preferred_until": "2023-11-14T22:14:20.000Z",
                    "valid_until": "never",
                }],
                "renew_at": "2023-11-14T22:13:50.000Z",
                "rebind_at": "2023-11-14T22:14:08.000Z",
                "dns_servers": ["2001:db8::53"],
                "domain_search": ["lan.example"],
            })
        );
    }

    #[test]
    fn other_events() {
        let leased = "2001:db8:1::/64".parse().unwrap();
        let cause = Loss::NotOnLink;
        let (text, json) = shown(What::Protocol(Event::Lost { leased, cause }));
        assert_eq!(text, "lost       2001:db8:1::/64: not-on-link");
        assert_eq!(
            (&json["leased"], &json["cause"]),
            (&json!("2001:db8:1::/64"), &json!("not-on-link"))
        );
        let server = "00:02:00:00:ab:11:01".parse().unwrap();
        let status = ServerStatus {
            code: 2,
            words: "all gone".to_owned(),
        };
        let (text, json) = shown(What::Protocol(Event::Refused { server, status }));
        assert_eq!(text, "refused    by 00:02:00:00:ab:11:01: NoAddrsAvail: all gone");
        assert_eq!(json["status"], 2);
        let (text, _) = shown(What::Protocol(Event::Unanswered(MessageKind::Release)));
        assert_eq!(text, "unanswered release");
        assert_eq!(shown(What::LinkUp).0, "link-up");
        assert_eq!(
            shown(What::LinkUp).1,
            json!({ "time": "2023-11-14T22:13:20.000Z", "event": "link-up" })
        );
    }
}
