//! What bears the site's mark, compared with what is recorded.
//!
//! An instance is recorded before it is made, and changes while both are read. So what is recorded is read before and
//! after what is there is listed: a thing is a stray only if neither reading knows it, and lost only if both want it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The phase of an instance, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Everything of it has to be there.
    Ready,
    /// It is being made, stopped or removed.
    Changing,
}

/// An instance that is recorded and not removed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownInstance {
    /// Its phase.
    pub phase: Phase,
    /// Its engine.
    pub engine: String,
    /// Its interfaces on the host.
    pub interfaces: BTreeSet<String>,
}

/// What was found that bears the site's mark.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundMarks {
    /// The instances of each engine that answered, and whether all containers of it run.
    pub containers: BTreeMap<String, BTreeMap<String, bool>>,
    /// Each interface, with the instance that its mark names; `None` if they could not be listed.
    pub interfaces: Option<BTreeMap<String, Option<String>>>,
    /// The volumes in the directory; `None` if it could not be read.
    pub volumes: Option<BTreeSet<String>>,
}

/// What is recorded at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The instances, by id.
    pub instances: BTreeMap<String, KnownInstance>,
    /// The volumes, each with whether its directory has to be there: a ready instance holds it.
    pub volumes: BTreeMap<String, bool>,
}

/// Something that bears the mark and is recorded nowhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stray {
    /// The containers of an instance.
    Container {
        /// The engine.
        engine: String,
        /// The instance that their mark names.
        instance: String,
        /// Whether they run.
        runs: bool,
    },
    /// An interface.
    Interface {
        /// Its name.
        name: String,
        /// The instance that its mark names.
        instance: Option<String>,
    },
    /// A directory among the volumes.
    Volume {
        /// Its name.
        id: String,
    },
}

/// A part of an instance that is recorded and not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LostPart {
    /// Its containers are gone, or do not run.
    Containers {
        /// The instance.
        instance: String,
        /// The engine that does not have them.
        engine: String,
    },
    /// An interface of it is gone.
    Interface {
        /// The instance.
        instance: String,
        /// The name of the interface.
        name: String,
    },
    /// The directory of a volume is gone.
    Volume {
        /// The volume.
        id: String,
    },
}

/// The comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkFacts {
    /// How many instances are recorded.
    pub instances: u64,
    /// What is there and recorded nowhere.
    pub strays: Vec<Stray>,
    /// What is recorded and not there.
    pub lost: Vec<LostPart>,
    /// What could not be listed, and why.
    pub unlisted: Vec<String>,
}

/// Compares what was found with what was recorded before and after it was listed.
pub fn compare_marks(before: &Compared, found: &FoundMarks, after: &Compared) -> MarkFacts {
    let mut facts = MarkFacts {
        instances: u64::try_from(after.instances.len()).unwrap_or(u64::MAX),
        strays: strays(before, found, after),
        lost: lost(before, found, after),
        unlisted: Vec::new(),
    };
    facts.strays.sort();
    facts.lost.sort();
    facts
}

fn strays(before: &Compared, found: &FoundMarks, after: &Compared) -> Vec<Stray> {
    let is_known = |id: &str| before.instances.contains_key(id) || after.instances.contains_key(id);
    let containers = found.containers.iter().flat_map(|(engine, instances)| {
        let unknown = instances.iter().filter(|(id, _)| !is_known(id));
        unknown.map(|(id, runs)| Stray::Container {
            engine: engine.clone(),
            instance: id.clone(),
            runs: *runs,
        })
    });
    let interfaces = found.interfaces.iter().flatten();
    let interfaces = interfaces.filter(|(_, instance)| !instance.as_deref().is_some_and(is_known));
    let volumes = found.volumes.iter().flatten();
    let volumes = volumes.filter(|id| !before.volumes.contains_key(*id) && !after.volumes.contains_key(*id));
    containers
        .chain(interfaces.map(|(name, instance)| Stray::Interface {
            name: name.clone(),
            instance: instance.clone(),
        }))
        .chain(volumes.map(|id| Stray::Volume { id: id.clone() }))
        .collect()
}

fn lost(before: &Compared, found: &FoundMarks, after: &Compared) -> Vec<LostPart> {
    let mut lost = Vec::new();
    for (id, instance) in &before.instances {
        let is_unchanged = after.instances.get(id) == Some(instance);
        if !is_unchanged || instance.phase != Phase::Ready {
            continue;
        }
        let runs = found
            .containers
            .get(&instance.engine)
            .map(|all| all.get(id) == Some(&true));
        if runs == Some(false) {
            lost.push(LostPart::Containers {
                instance: id.clone(),
                engine: instance.engine.clone(),
            });
        }
        let Some(interfaces) = &found.interfaces else { continue };
        let gone = instance
            .interfaces
            .iter()
            .filter(|name| !interfaces.contains_key(*name));
        lost.extend(gone.map(|name| LostPart::Interface {
            instance: id.clone(),
            name: name.clone(),
        }));
    }
    if let Some(volumes) = &found.volumes {
        let held = (before.volumes.iter()).filter(|(id, held)| **held && after.volumes.get(*id) == Some(&true));
        let gone = held.filter(|(id, _)| !volumes.contains(*id));
        lost.extend(gone.map(|(id, _)| LostPart::Volume { id: id.clone() }));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(phase: Phase) -> KnownInstance {
        KnownInstance {
            phase,
            engine: "docker".to_owned(),
            interfaces: BTreeSet::from(["or1".to_owned()]),
        }
    }

    fn recorded(instances: &[(&str, Phase)]) -> Compared {
        Compared {
            instances: instances
                .iter()
                .map(|(id, phase)| ((*id).to_owned(), known(*phase)))
                .collect(),
            volumes: BTreeMap::from([("v1".to_owned(), true)]),
        }
    }

    fn found(containers: &[(&str, bool)], interfaces: &[(&str, &str)]) -> FoundMarks {
        let containers = containers.iter().map(|(id, runs)| ((*id).to_owned(), *runs));
        let interfaces = interfaces
            .iter()
            .map(|(name, id)| ((*name).to_owned(), Some((*id).to_owned())));
        FoundMarks {
            containers: BTreeMap::from([("docker".to_owned(), containers.collect())]),
            interfaces: Some(interfaces.collect()),
            volumes: Some(BTreeSet::from(["v1".to_owned()])),
        }
    }

    #[test]
    fn nothing_is_wrong_where_both_agree() {
        let recorded = recorded(&[("a", Phase::Ready)]);
        let facts = compare_marks(&recorded, &found(&[("a", true)], &[("or1", "a")]), &recorded);
        assert_eq!((facts.strays.len(), facts.lost.len(), facts.instances), (0, 0, 1));
    }

    #[test]
    fn what_nobody_recorded_is_a_stray() {
        let recorded = recorded(&[]);
        let mut found = found(&[("a", true)], &[("or1", "a")]);
        found.volumes = Some(BTreeSet::from(["v1".to_owned(), "v2".to_owned()]));
        let facts = compare_marks(&recorded, &found, &recorded);
        assert_eq!(facts.strays.len(), 3, "{:?}", facts.strays);
        assert!(facts.strays.contains(&Stray::Volume { id: "v2".to_owned() }));
    }

    #[test]
    fn what_began_or_ended_meanwhile_is_no_stray() {
        let (nothing, one) = (recorded(&[]), recorded(&[("a", Phase::Changing)]));
        let found = found(&[("a", true)], &[("or1", "a")]);
        assert_eq!(compare_marks(&nothing, &found, &one).strays, []);
        assert_eq!(compare_marks(&one, &found, &nothing).strays, []);
    }

    #[test]
    fn a_ready_instance_without_its_parts_is_lost() {
        let recorded = recorded(&[("a", Phase::Ready)]);
        let facts = compare_marks(&recorded, &found(&[], &[]), &recorded);
        assert_eq!(facts.lost.len(), 2, "{:?}", facts.lost);
        let stopped = compare_marks(&recorded, &found(&[("a", false)], &[("or1", "a")]), &recorded);
        assert_eq!(
            stopped.lost.len(),
            1,
            "a container that does not run: {:?}",
            stopped.lost
        );
    }

    #[test]
    fn what_changes_meanwhile_is_not_lost() {
        let ready = recorded(&[("a", Phase::Ready)]);
        for other in [recorded(&[("a", Phase::Changing)]), recorded(&[])] {
            assert_eq!(compare_marks(&ready, &found(&[], &[]), &other).lost, []);
            assert_eq!(compare_marks(&other, &found(&[], &[]), &ready).lost, []);
        }
    }

    #[test]
    fn an_engine_that_does_not_answer_has_lost_nothing() {
        let recorded = recorded(&[("a", Phase::Ready)]);
        let silent = FoundMarks::default();
        let facts = compare_marks(&recorded, &silent, &recorded);
        assert_eq!((facts.strays, facts.lost), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_volume_without_its_directory_is_lost() {
        let mut recorded = recorded(&[]);
        let mut found = found(&[], &[]);
        found.volumes = Some(BTreeSet::new());
        let lost = compare_marks(&recorded, &found, &recorded).lost;
        assert_eq!(lost, [LostPart::Volume { id: "v1".to_owned() }]);
        recorded.volumes.insert("v1".to_owned(), false);
        let lost = compare_marks(&recorded, &found, &recorded).lost;
        assert_eq!(lost, [], "it was perhaps not made yet");
    }
}
