//! The diagnosis in the words of the API.

use orchestrator_api_types as wire;

use crate::{AreaState, DaemonState, Diagnosis, Finding, Severity};

impl Diagnosis {
    /// The diagnosis as the API answers it, with what was done before it was made.
    pub fn report(&self, daemon: &DaemonState, done: Vec<wire::Mended>) -> wire::Doctor {
        wire::Doctor {
            daemon: match daemon {
                DaemonState::Running => wire::DaemonState::Running,
                DaemonState::Starting => wire::DaemonState::Starting,
                DaemonState::Stopped { .. } => wire::DaemonState::Stopped,
            },
            findings: self.findings().into_iter().map(finding).collect(),
            areas: self
                .areas
                .iter()
                .map(|area| wire::ExaminedArea {
                    area: area.area.word().to_owned(),
                    state: match area.state() {
                        AreaState::Healthy => wire::AreaState::Healthy,
                        AreaState::Wrong => wire::AreaState::Wrong,
                        AreaState::Unknown => wire::AreaState::Unknown,
                    },
                    seen: area.seen.clone(),
                })
                .collect(),
            done,
        }
    }
}

fn finding(finding: &Finding) -> wire::Finding {
    wire::Finding {
        code: finding.code.word().to_owned(),
        severity: match finding.severity {
            Severity::Error => wire::Severity::Error,
            Severity::Warning => wire::Severity::Warning,
        },
        area: finding.area.word().to_owned(),
        what: finding.what.clone(),
        means: finding.means.clone(),
        mend: finding.mend.clone(),
        fixable: finding.fix.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, diagnose};

    #[test]
    fn errors_come_first_and_every_area_is_listed() {
        let mut facts = Facts::healthy();
        facts.machine_mut().clock = Ok(false);
        facts.machine_mut().forwarding = Ok(false);
        let report = diagnose(&facts).report(&facts.daemon.state, Vec::new());
        let codes: Vec<&str> = report.findings.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(codes, ["forwarding-off", "clock-unsynchronised"]);
        assert_eq!((report.findings[0].fixable, report.findings[1].fixable), (true, false));
        let wrong = report.areas.iter().filter(|area| area.state == wire::AreaState::Wrong);
        assert_eq!(wrong.count(), 2);
        assert_eq!(report.daemon, wire::DaemonState::Running);
    }
}
