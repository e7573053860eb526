//! What VERSION settles: the version of the protocol, and what the executable can do.

use orchestrator_plugin::{Capabilities, Capability, EngineFacts};

use crate::errors::words;
use crate::protocol::{PROTOCOLS, Version};

/// The capabilities that the protocol has room for.
pub(crate) const KNOWN: [Capability; 10] = [
    Capability::EngineNamespace,
    Capability::PreparedNamespace,
    Capability::SharedNamespace,
    Capability::EnginePort,
    Capability::Tap,
    Capability::Devices,
    Capability::Volumes,
    Capability::Files,
    Capability::Resolver,
    Capability::ImagePins,
];

/// How many of them are ways to a network. They come first.
const NETWORKS: usize = 5;

/// What was settled with an executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) protocol: u32,
    pub(crate) facts: EngineFacts,
    pub(crate) capabilities: Capabilities,
}

/// Settles what to speak with an executable that answers this; or why nothing can be spoken.
pub(crate) fn settle(version: &Version) -> Result<Settled, String> {
    let common = PROTOCOLS
        .into_iter()
        .filter(|number| version.protocols.contains(number));
    let protocol = common.max().ok_or_else(|| {
        format!(
            "it speaks protocol {:?} and this daemon {PROTOCOLS:?}; use another version of the executable",
            version.protocols
        )
    })?;
    let mut capabilities = Capabilities::NONE;
    for word in &version.capabilities {
        let known = KNOWN.iter().find(|capability| capability.code() == word);
        let capability = known.ok_or_else(|| {
            let known: Vec<_> = KNOWN.iter().map(|capability| capability.code()).collect();
            format!("its capability {:?} is not one of {}", words(word), known.join(", "))
        })?;
        capabilities = capabilities.with(*capability);
    }
    if !KNOWN[..NETWORKS].iter().any(|network| capabilities.has(*network)) {
        let ways: Vec<_> = KNOWN[..NETWORKS].iter().map(|network| network.code()).collect();
        return Err(format!(
            "it gives containers no network; it must be capable of one of {}",
            ways.join(", ")
        ));
    }
    Ok(Settled {
        protocol,
        facts: EngineFacts {
            name: words(&version.name),
            version: words(&version.version),
        },
        capabilities,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(protocols: &[u32], capabilities: &[&str]) -> Version {
        Version {
            protocols: protocols.to_vec(),
            name: "Boxes".to_owned(),
            version: "1".to_owned(),
            capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        let settled = settle(&version(&[0, 1, 2, 99], &["prepared-namespace", "files"])).unwrap();
        assert_eq!(settled.protocol, 1);
        assert_eq!(
            settled.capabilities,
            Capabilities::of(&[Capability::PreparedNamespace, Capability::Files])
        );
    }

    #[test]
    fn what_cannot_be_spoken_with_says_why() {
        for (bad, why) in [
            (version(&[2], &["tap"]), "speaks protocol [2] and this daemon [1]"),
            (version(&[], &["tap"]), "speaks protocol []"),
            (version(&[1], &["tap", "logs"]), "\"logs\" is not one of"),
            (version(&[1], &["files"]), "gives containers no network"),
        ] {
            let fault = settle(&bad).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }
}
