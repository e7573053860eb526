//! The whole of the rules over the whole of the facts.

use serde::{Deserialize, Serialize};

use crate::rules;
use crate::{Examined, Facts, Finding, Severity};

/// What was found, area by area.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Every area, in a fixed order.
    pub areas: Vec<Examined>,
}

impl Diagnosis {
    /// All findings: errors first, each kind in the order of the areas.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.areas.iter().flat_map(|area| &area.findings).collect();
        all.sort_by_key(|finding| finding.severity);
        all
    }

    /// Whether there is a finding of this severity.
    pub fn has(&self, severity: Severity) -> bool {
        self.findings().iter().any(|finding| finding.severity == severity)
    }
}

/// Applies every rule to the facts.
pub fn diagnose(facts: &Facts) -> Diagnosis {
    Diagnosis {
        areas: rules::ALL.iter().map(|rule| rule(facts)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Area, AreaState, Code};

    #[test]
    fn every_area_is_examined_once() {
        let areas: Vec<Area> = diagnose(&Facts::healthy()).areas.iter().map(|one| one.area).collect();
        assert_eq!(areas, Area::ALL);
    }

    #[test]
    fn a_healthy_system_has_no_findings() {
        let diagnosis = diagnose(&Facts::healthy());
        assert_eq!(diagnosis.findings(), Vec::<&Finding>::new());
        for area in &diagnosis.areas {
            assert_eq!(area.state(), AreaState::Healthy, "{area:?}");
            assert!(!area.seen.is_empty(), "{:?} says nothing", area.area);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_no_fault() {
        let diagnosis = diagnose(&Facts::unknown());
        assert_eq!(diagnosis.findings(), Vec::<&Finding>::new());
        let complete: Vec<Area> = (diagnosis.areas.iter().filter(|area| area.is_complete))
            .map(|area| area.area)
            .collect();
        assert_eq!(complete, [Area::Daemon], "only the daemon was asked");
    }

    #[test]
    fn every_word_is_a_word_of_its_own() {
        let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        let areas: BTreeSet<&str> = Area::ALL.iter().map(|area| area.word()).collect();
        assert_eq!((codes.len(), areas.len()), (Code::ALL.len(), Area::ALL.len()));
    }

    #[test]
    fn the_documentation_has_every_code() {
        let page = include_str!("../../../docs/doctor.md");
        for code in Code::ALL {
            assert!(
                page.contains(&format!("`{code}`")),
                "docs/doctor.md says nothing of {code}"
            );
        }
    }
}
