//! Pauses: for what no new instance is made now.

use std::fmt;

use super::Timestamp;

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseScope {
    /// Every link and template.
    All,
    /// A link.
    Link(String),
    /// A template.
    Template(String),
}

impl PauseScope {
    /// The scope of this kind and name; `None` if there is no such kind.
    pub fn new(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "all" => Some(Self::All),
            "link" => Some(Self::Link(name.to_owned())),
            "template" => Some(Self::Template(name.to_owned())),
            _ => None,
        }
    }

    /// The word for its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Link(_) => "link",
            Self::Template(_) => "template",
        }
    }

    /// The name of the link or template; empty for everything.
    pub fn name(&self) -> &str {
        match self {
            Self::All => "",
            Self::Link(name) | Self::Template(name) => name,
        }
    }

    /// Whether an instance of this template on this link is in the scope.
    pub fn covers(&self, link: &str, template: &str) -> bool {
        match self {
            Self::All => true,
            Self::Link(name) => name == link,
            Self::Template(name) => name == template,
        }
    }
}

/// In words: "everything", "link br0", "template web".
impl fmt::Display for PauseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Link(name) => write!(f, "link {name}"),
            Self::Template(name) => write!(f, "template {name}"),
        }
    }
}

/// A pause: no new instance is made in its scope. Leases go on, and what runs stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What is paused.
    pub scope: PauseScope,
    /// When it began.
    pub since: Timestamp,
    /// Who asked for it.
    pub by: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_back_from_its_words() {
        for scope in [
            PauseScope::All,
            PauseScope::Link("br0".to_owned()),
            PauseScope::Template("web".to_owned()),
        ] {
            assert_eq!(PauseScope::new(scope.kind(), scope.name()), Some(scope));
        }
        assert_eq!(PauseScope::new("host", "a"), None);
    }

    #[test]
    fn a_pause_covers_its_link_or_template_and_no_other() {
        let link = PauseScope::Link("br0".to_owned());
        assert!(link.covers("br0", "web") && !link.covers("br1", "br0"));
        let template = PauseScope::Template("web".to_owned());
        assert!(template.covers("br1", "web") && !template.covers("web", "shell"));
        assert!(PauseScope::All.covers("br0", "web"));
    }
}
