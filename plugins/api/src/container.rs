//! The containers of an instance, and their names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::InstanceId;

/// The prefix of the names that our containers have on the engine.
const PREFIX: &str = "orchestrator-";

/// The longest name of a container within its instance, in bytes.
const LONGEST: usize = 32;

/// The name of a container among the containers of its instance: lower-case letters, digits and hyphens, with a letter
/// first, at most 32 bytes. The first container of an instance is named `main`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerName(Option<Arc<str>>);

/// The text is not a name of a container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a container's name: write lower-case letters, digits and hyphens with a letter first, 32 at most, \
     like proxy"
)]
pub struct ContainerNameError(pub String);

impl ContainerName {
    /// The name of the first container. Others may share its network namespace.
    pub const MAIN: Self = Self(None);

    /// The name of the first container as text.
    pub const MAIN_TEXT: &str = "main";

    /// Whether this is the first container of its instance.
    pub fn is_main(&self) -> bool {
        self.0.is_none()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(Self::MAIN_TEXT)
    }
}

impl Default for ContainerName {
    fn default() -> Self {
        Self::MAIN
    }
}

impl FromStr for ContainerName {
    type Err = ContainerNameError;

    fn from_str(text: &str) -> Result<Self, ContainerNameError> {
        let known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !begins || text.len() > LONGEST || !text.bytes().all(known) {
            return Err(ContainerNameError(text.to_owned()));
        }
        Ok(match text {
            Self::MAIN_TEXT => Self::MAIN,
            other => Self(Some(other.into())),
        })
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ContainerName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ContainerName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The key of a container: its instance, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerKey {
    /// The instance.
    pub instance: InstanceId,
    /// The name of the container within its instance.
    pub name: ContainerName,
}

impl ContainerKey {
    /// The first container of an instance.
    pub fn main(instance: InstanceId) -> Self {
        Self {
            instance,
            name: ContainerName::MAIN,
        }
    }

    /// Another container of the same instance.
    #[must_use]
    pub fn sibling(&self, name: &ContainerName) -> Self {
        Self {
            instance: self.instance,
            name: name.clone(),
        }
    }

    /// The name on the engine: `orchestrator-<instance>` for the first container, with `-<name>` for the others.
    pub fn engine_name(&self) -> String {
        match self.name.is_main() {
            true => format!("{PREFIX}{}", self.instance),
            false => format!("{PREFIX}{}-{}", self.instance, self.name),
        }
    }
}

impl fmt::Display for ContainerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_main() {
            true => self.instance.fmt(f),
            false => write!(f, "{}/{}", self.instance, self.name),
        }
    }
}

/// One container as the caller of an engine knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// Its key, from which its name is made.
    pub key: ContainerKey,
    /// The engine's own name for it, as the caller recorded it after [`ensure`](crate::Engine::ensure).
    ///
    /// With it, only the container of this very reference is the caller's, or one that `ensure` made in its place and
    /// that was not recorded yet. A copy of it, which bears the same labels, is a stranger's.
    ///
    /// Without it, a container is known by its mark alone; when several bear the mark, the caller's is the one with the
    /// name that ours has, or else the oldest. Leave it out when nothing was recorded, or when the record is older than
    /// what runs (after a backup was restored).
    pub reference: Option<String>,
}

impl Container {
    /// The first container of an instance without a recorded reference.
    pub fn main(instance: InstanceId) -> Self {
        ContainerKey::main(instance).into()
    }

    /// The same container with its recorded reference.
    #[must_use]
    pub fn recorded(self, reference: impl Into<String>) -> Self {
        Self {
            reference: Some(reference.into()),
            ..self
        }
    }
}

impl From<ContainerKey> for Container {
    fn from(key: ContainerKey) -> Self {
        Self { key, reference: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_main_is_the_first() {
        for text in ["a", "proxy", "web-2", &"x".repeat(32)] {
            assert_eq!(text.parse::<ContainerName>().unwrap().to_string(), text);
        }
        for text in ["", "2web", "Web", "a_b", "../a", "-a", &"x".repeat(33)] {
            assert_eq!(text.parse::<ContainerName>(), Err(ContainerNameError(text.to_owned())));
        }
        assert_eq!("main".parse(), Ok(ContainerName::MAIN));
        assert_eq!(ContainerName::MAIN.to_string(), "main");
    }

    #[test]
    fn the_engine_s_name_has_the_instance_and_of_others_the_name_too() {
        let key = ContainerKey::main(InstanceId::from_bytes([1; 6]));
        assert_eq!(key.engine_name(), "orchestrator-010101010101");
        let proxy = key.sibling(&"proxy".parse().unwrap());
        assert_eq!(proxy.engine_name(), "orchestrator-010101010101-proxy");
        assert_eq!(
            (key.to_string(), proxy.to_string()),
            ("010101010101".into(), "010101010101/proxy".into())
        );
    }
}
