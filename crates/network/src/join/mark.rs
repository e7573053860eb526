//! The names and marks of joined bridges.

/// The word in a mark that tells a joined bridge from an instance.
const WORD: &str = "joined";
/// The words for the instances that a joined bridge takes.
const APART: &str = "apart";
const OPEN: &str = "open";

/// What a joined bridge is for. Its alias, and that of both ends of its join, say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinMark {
    /// The beginning of all marks of this daemon, such as `orchestrator:SITE:`.
    pub(crate) prefix: String,
    /// Whether it takes isolated instances, or those that are not.
    pub(crate) isolated: bool,
    /// The bridge of the link.
    pub(crate) bridge: String,
}

impl JoinMark {
    /// The mark of a bridge that is joined with `bridge`. `mark` is any mark of the daemon that makes it.
    pub(crate) fn new(mark: &str, isolated: bool, bridge: &str) -> Self {
        Self {
            prefix: prefix_of(mark).to_owned(),
            isolated,
            bridge: bridge.to_owned(),
        }
    }

    /// The alias.
    pub(crate) fn alias(&self) -> String {
        let kind = if self.isolated { APART } else { OPEN };
        format!("{}{WORD}:{kind}:{}", self.prefix, self.bridge)
    }

    /// Reads an alias; `None` if it is none of a joined bridge.
    pub(crate) fn parse(alias: &str) -> Option<Self> {
        let mut parts = alias.rsplitn(3, ':');
        let (bridge, kind, head) = (parts.next()?, parts.next()?, parts.next()?);
        let prefix = head.strip_suffix(WORD)?;
        let isolated = match kind {
            APART => true,
            OPEN => false,
            _ => return None,
        };
        let whole_word = prefix.is_empty() || prefix.ends_with(':');
        (whole_word && !bridge.is_empty()).then(|| Self {
            prefix: prefix.to_owned(),
            isolated,
            bridge: bridge.to_owned(),
        })
    }

    /// The name of the joined bridge with this number.
    pub(crate) fn name(&self, number: u32) -> String {
        format!("{}{number}", stem(&self.prefix))
    }

    /// The number in the name of a joined bridge of the daemon with this prefix.
    pub(crate) fn number(prefix: &str, name: &str) -> Option<u32> {
        name.strip_prefix(&stem(prefix))?.parse().ok()
    }
}

/// The bridge of the link that a joined bridge, or an end of its join, belongs to. `prefix` begins all marks of the daemon
/// that made it.
pub fn joined_to(alias: &str, prefix: &str) -> Option<String> {
    let mark = JoinMark::parse(alias)?;
    (mark.prefix == prefix).then_some(mark.bridge)
}

/// The names of both ends of a join: the near one is a port of the link's bridge, the far one of the joined bridge.
pub(crate) fn ends_of(joined: &str) -> [String; 2] {
    [format!("{joined}a"), format!("{joined}b")]
}

/// The name of the joined bridge that an end belongs to.
pub(crate) fn bridge_of_end(end: &str) -> Option<&str> {
    end.strip_suffix(['a', 'b'])
}

/// The beginning of a mark that all marks of a daemon have.
pub(crate) fn prefix_of(mark: &str) -> &str {
    mark.rfind(':').and_then(|colon| mark.get(..=colon)).unwrap_or_default()
}

/// The beginning of the names of a daemon's joined bridges. It leaves room for seven digits and the letter of an end.
fn stem(prefix: &str) -> String {
    // FNV-1a: the same in every version. The mark decides what is whose; the name only keeps two daemons apart.
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = prefix.bytes().fold(0x811c_9dc5, step);
    format!("oj{:05x}-", hash & 0x000f_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::check_name;

    #[test]
    fn a_mark_is_read_back_and_others_are_not() {
        for isolated in [true, false] {
            let mark = JoinMark::new("orchestrator:a1:0123", isolated, "br0");
            assert_eq!(mark.prefix, "orchestrator:a1:");
            assert_eq!(JoinMark::parse(&mark.alias()), Some(mark.clone()));
            assert_eq!(joined_to(&mark.alias(), "orchestrator:a1:").as_deref(), Some("br0"));
            assert_eq!(joined_to(&mark.alias(), "orchestrator:b2:"), None);
        }
        for other in [
            "",
            "orchestrator:a1:0123",
            "orchestrator:a1:link",
            "joined:apart",
            "o:joined:some:br0",
            "o:rejoined:apart:br0",
            "o:joined:apart:",
        ] {
            assert_eq!(JoinMark::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_short_enough_and_have_their_number() {
        let mark = JoinMark::new("orchestrator:0123456789ab:link", true, "a-bridge-of-15b");
        for number in [1, 999_999] {
            let name = mark.name(number);
            assert_eq!(JoinMark::number(&mark.prefix, &name), Some(number));
            assert_eq!(JoinMark::number("another:", &name), None);
            for end in ends_of(&name) {
                assert_eq!(check_name(&end), Ok(()));
                assert_eq!(bridge_of_end(&end), Some(name.as_str()));
            }
        }
    }
}
