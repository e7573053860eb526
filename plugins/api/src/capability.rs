//! Capabilities of an engine.

use std::fmt;

use crate::EngineError;

/// A capability that an engine may or may not have, beyond making, finding, stopping and removing containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Makes an empty network namespace for a container ([`NetworkMode::EngineNamespace`](crate::NetworkMode)).
    EngineNamespace,
    /// Runs a container in a network namespace that the caller made ([`NetworkMode::Prepared`](crate::NetworkMode)).
    PreparedNamespace,
    /// Runs a container in the network namespace of another one ([`NetworkMode::Shared`](crate::NetworkMode)).
    SharedNamespace,
    /// Connects a container to a network of the engine ([`NetworkMode::EnginePort`](crate::NetworkMode)).
    EnginePort,
    /// Opens a tap device of the host ([`NetworkMode::Tap`](crate::NetworkMode)).
    Tap,
    /// Gives a container devices of the host.
    Devices,
    /// Mounts volumes and directories of the host in a container.
    Volumes,
    /// Writes files into a container before its first start.
    Files,
    /// Configures the name servers of a container.
    Resolver,
    /// Reports the environment variables with which a container was made.
    Environment,
    /// Runs further commands in a container.
    Exec,
    /// Runs further commands with a terminal.
    ExecTerminal,
    /// Keeps the output of a container, and returns it.
    Logs,
    /// Measures the resource usage of a container.
    Stats,
    /// Measures what a container wrote into its file system.
    Disk,
    /// Copies files into and out of a container.
    Copy,
    /// Freezes the processes of a container.
    Pause,
    /// Loads images from archives, lists them and removes them.
    Images,
    /// Fetches images from registries.
    Pull,
    /// Makes a container from an image by the id that [`check_image`](crate::Engine::check_image) gave, even when the
    /// image's name means another image by then.
    ImagePins,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Self; 20] = [
        Self::EngineNamespace,
        Self::PreparedNamespace,
        Self::SharedNamespace,
        Self::EnginePort,
        Self::Tap,
        Self::Devices,
        Self::Volumes,
        Self::Files,
        Self::Resolver,
        Self::Environment,
        Self::Exec,
        Self::ExecTerminal,
        Self::Logs,
        Self::Stats,
        Self::Disk,
        Self::Copy,
        Self::Pause,
        Self::Images,
        Self::Pull,
        Self::ImagePins,
    ];

    /// A stable word for the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::EngineNamespace => "engine-namespace",
            Self::PreparedNamespace => "prepared-namespace",
            Self::SharedNamespace => "shared-namespace",
            Self::EnginePort => "engine-port",
            Self::Tap => "tap",
            Self::Devices => "devices",
            Self::Volumes => "volumes",
            Self::Files => "files",
            Self::Resolver => "resolver",
            Self::Environment => "environment",
            Self::Exec => "exec",
            Self::ExecTerminal => "exec-terminal",
            Self::Logs => "logs",
            Self::Stats => "stats",
            Self::Disk => "disk",
            Self::Copy => "copy",
            Self::Pause => "pause",
            Self::Images => "images",
            Self::Pull => "pull",
            Self::ImagePins => "image-pins",
        }
    }
}

/// The second half of an error message that begins with "it cannot".
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EngineNamespace => "make a network namespace for a container",
            Self::PreparedNamespace => "run a container in a network namespace that was made for it",
            Self::SharedNamespace => "run a container in the network namespace of another one",
            Self::EnginePort => "connect a container to a network of its own",
            Self::Tap => "connect a container to a tap device",
            Self::Devices => "give a container devices of the host",
            Self::Volumes => "mount volumes in a container",
            Self::Files => "write files into a container before it starts",
            Self::Resolver => "configure the name servers of a container",
            Self::Environment => "report the environment of a container",
            Self::Exec => "run a further command in a container",
            Self::ExecTerminal => "run a command with a terminal",
            Self::Logs => "hand out what a container wrote",
            Self::Stats => "measure what a container uses",
            Self::Disk => "measure what a container wrote",
            Self::Copy => "copy files into or out of a container",
            Self::Pause => "freeze the processes of a container",
            Self::Images => "load, list or remove images",
            Self::Pull => "fetch images from registries",
            Self::ImagePins => "make a container from an image by its id",
        })
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// The set of these capabilities.
    pub fn of(capabilities: &[Capability]) -> Self {
        capabilities.iter().fold(Self::NONE, |all, one| all.with(*one))
    }

    /// The set of all capabilities.
    pub fn all() -> Self {
        Self::of(&Capability::ALL)
    }

    /// The same set with one more.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        Self(self.0 | bit(capability))
    }

    /// The same set without one.
    #[must_use]
    pub fn without(self, capability: Capability) -> Self {
        Self(self.0 & !bit(capability))
    }

    /// Whether the set has this one.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & bit(capability) != 0
    }

    /// The capabilities of the set, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |one| self.has(*one))
    }

    /// Checks that this set, of the engine with this name, includes `needed`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] with the first missing capability.
    pub fn require(self, engine: &str, needed: Self) -> Result<(), EngineError> {
        match needed.iter().find(|one| !self.has(*one)) {
            None => Ok(()),
            Some(capability) => Err(EngineError::Unsupported {
                engine: engine.to_owned(),
                capability,
            }),
        }
    }
}

impl From<Capability> for Capabilities {
    fn from(capability: Capability) -> Self {
        Self::NONE.with(capability)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

fn bit(capability: Capability) -> u32 {
    1 << capability as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let some = Capabilities::of(&[Capability::Exec, Capability::Pause]);
        assert_eq!(some.iter().collect::<Vec<_>>(), [Capability::Exec, Capability::Pause]);
        assert!(!some.has(Capability::ExecTerminal));
        assert_eq!(some.without(Capability::Exec), Capability::Pause.into());
        assert_eq!(Capabilities::all().iter().count(), Capability::ALL.len());
    }

    #[test]
    fn every_capability_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Capability::ALL.iter().map(|one| one.code()).collect();
        let sentences: BTreeSet<_> = Capability::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(
            (words.len(), sentences.len()),
            (Capability::ALL.len(), Capability::ALL.len())
        );
    }

    #[test]
    fn the_first_that_is_missing_is_named_with_a_remedy() {
        let can = Capabilities::of(&[Capability::Exec]);
        can.require("box", Capability::Exec.into()).unwrap();
        let fault = can.require("box", Capabilities::all()).unwrap_err();
        assert_eq!(fault.code(), "engine-unsupported");
        assert_eq!(
            fault.to_string(),
            "engine box cannot make a network namespace for a container; choose another engine for it, or do without"
        );
    }
}
