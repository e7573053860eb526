//! Names by which people refer to clients and instances, and the SQL that finds them.

use std::net::Ipv6Addr;

use orchestrator_model::Leased;

/// The longest name in bytes: a DUID of 130 bytes with its colons.
const LONGEST: usize = 389;

/// A name of a client or an instance, or the beginning of one.
///
/// The names of a client are its id, its DUID, its link-layer address, its host name (also without its domain), and the
/// addresses and prefixes that it or its instance has. The names of an instance are its id, its address, and the names
/// of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    text: String,
    /// The text in the form of recorded addresses and prefixes, if it is one.
    leased: Option<String>,
}

/// How a name matches. The first way that matches anything is used.
///
/// The daemon chooses ids, but clients choose host names. This order prevents that a client takes over another's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The name is a whole id.
    Id = 0,
    /// The name is one of the other names as a whole.
    Whole = 1,
    /// The name is the beginning of an id or a host name.
    Beginning = 2,
    /// The name is the beginning of a DUID or a link-layer address.
    BeginningOfDuid = 3,
    /// The name is the beginning of one of these, or of an address.
    BeginningOfAddress = 4,
}

impl Name {
    /// A name, in upper or lower case.
    ///
    /// `None` if it is empty or longer than any name.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let text = text.replace('\0', "").to_lowercase();
        let address = text.parse::<Ipv6Addr>().map(|address| address.to_string()).ok();
        let leased = address.or_else(|| text.parse::<Leased>().map(|leased| leased.to_string()).ok());
        Some(Self { text, leased })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn leased(&self) -> &str {
        self.leased.as_deref().unwrap_or(&self.text)
    }

    /// The ways in which it may match, in order of precedence.
    ///
    /// A text with colons is neither an id nor a host name. A whole address is not the beginning of another one.
    pub(super) fn fits(&self) -> [Fit; 3] {
        let beginning = match (self.text.contains(':'), &self.leased) {
            (false, _) => Fit::Beginning,
            (true, Some(_)) => Fit::BeginningOfDuid,
            (true, None) => Fit::BeginningOfAddress,
        };
        [Fit::Id, Fit::Whole, beginning]
    }
}

/// The SQL condition that client `c` has a name. Its parameters are the text of the name, its leased form, and the
/// number of a [`Fit`].
macro_rules! client_goes_by {
    () => {
        "($3 = 0 and c.id = $1)
            or ($3 = 1 and (c.duid = $1 or c.link_layer = $1 or lower(c.hostname) = $1
                or substr(lower(c.hostname), 1, length($1) + 1) = $1 || '.'
                or c.id in (select l.client from leases l where l.address = $2 and l.state = 'active')
                or c.id in (select o.owner from attachments n join instances o on o.id = n.instance
                    where n.address = $2 and n.live = 1 and o.owner_kind = 'client')))
            or ($3 = 2 and (substr(c.id, 1, length($1)) = $1 or substr(lower(c.hostname), 1, length($1)) = $1))
            or ($3 >= 3 and (substr(c.duid, 1, length($1)) = $1 or substr(c.link_layer, 1, length($1)) = $1))
            or ($3 = 4 and c.id in (select l.client from leases l
                where substr(l.address, 1, length($1)) = $1 and l.state = 'active'))"
    };
}
pub(super) use client_goes_by;

/// The SQL condition that instance `i` of client `c` has a name, with the parameters of [`client_goes_by!`].
macro_rules! instance_goes_by {
    () => {
        concat!(
            "($3 = 0 and i.id = $1)
            or ($3 = 1 and exists (select 1 from attachments n where n.instance = i.id and n.address = $2))
            or ($3 = 2 and substr(i.id, 1, length($1)) = $1)
            or ($3 = 4 and exists (select 1 from attachments n
                where n.instance = i.id and substr(n.address, 1, length($1)) = $1)) or ",
            $crate::names::client_goes_by!()
        )
    };
}
pub(super) use instance_goes_by;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_addresses_in_any_form() {
        for (text, read, leased) in [
            ("Laptop", "laptop", "laptop"),
            ("FD39:0::1:7", "fd39:0::1:7", "fd39::1:7"),
            ("fd40:0::/56", "fd40:0::/56", "fd40::/56"),
            // Eight bytes of a DUID are an address as well.
            (
                "00:03:00:01:02:00:5E:10",
                "00:03:00:01:02:00:5e:10",
                "0:3:0:1:2:0:5e:10",
            ),
        ] {
            let name = Name::new(text).unwrap();
            assert_eq!((name.text(), name.leased()), (read, leased));
        }
        assert_eq!(Name::new(""), None);
        assert_eq!(Name::new(&"a".repeat(LONGEST + 1)), None);
        assert_eq!(Name::new("a").unwrap().fits()[2], Fit::Beginning);
        assert_eq!(Name::new("a:").unwrap().fits()[2], Fit::BeginningOfAddress);
        assert_eq!(Name::new("a::1").unwrap().fits()[2], Fit::BeginningOfDuid);
    }
}
