//! The daemon, and what it waits for.

use crate::{Area, Code, ConditionFacts, DaemonState, Examined, Facts, Finding};

const AREA: Area = Area::Daemon;

/// Conditions that an area of their own is about.
const ELSEWHERE: [&str; 3] = ["database", "policy", "orphans"];

pub(super) fn examine(facts: &Facts) -> Examined {
    let daemon = &facts.daemon;
    let seen = match &daemon.state {
        DaemonState::Running => "it runs",
        DaemonState::Starting => "it runs, and waits for its database",
        DaemonState::Stopped { .. } => "it does not answer",
    };
    let unmet = daemon.unmet.iter().filter(|one| !has_an_area(&one.name));
    Examined::new(AREA, seen)
        .with(state(&daemon.state))
        .with(unmet.map(condition))
}

fn has_an_area(name: &str) -> bool {
    name.starts_with("engine ") || ELSEWHERE.contains(&name)
}

fn state(state: &DaemonState) -> Option<Finding> {
    match state {
        DaemonState::Running => None,
        DaemonState::Starting => Some(
            Finding::warning(AREA, Code::DaemonStarting)
                .what("the daemon waits for its database")
                .means("leases are neither given nor renewed, and instances that run go on running")
                .mend("see the findings about the database"),
        ),
        DaemonState::Stopped { reason } => Some(
            Finding::error(AREA, Code::DaemonStopped)
                .what(format!("no daemon answers: {reason}"))
                .means(
                    "leases are neither given nor renewed; instances that run go on running, and the rules stay; what \
                     only the daemon knows was not examined",
                )
                .mend("systemctl start orchestrator, and if it ends again: journalctl -u orchestrator"),
        ),
    }
}

fn condition(unmet: &ConditionFacts) -> Finding {
    let finding = match unmet.is_needed {
        true => Finding::error(AREA, Code::ConditionUnmet).means("the daemon waits for it, and is not ready meanwhile"),
        false => Finding::warning(AREA, Code::ConditionUnmet).means("the daemon works on, without this"),
    };
    finding
        .what(format!("{}: {}", unmet.name, unmet.reason))
        .mend("do what the reason says; the daemon goes on by itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_answer_is_an_error() {
        let mut facts = Facts::healthy();
        facts.daemon.state = DaemonState::Stopped {
            reason: "connection refused".to_owned(),
        };
        let found = examine(&facts).findings;
        assert_eq!(found[0].code, Code::DaemonStopped);
        assert!(found[0].what.contains("connection refused"));
        facts.daemon.state = DaemonState::Starting;
        assert_eq!(examine(&facts).findings[0].code, Code::DaemonStarting);
    }

    #[test]
    fn a_condition_is_shown_unless_another_area_has_it() {
        let mut facts = Facts::healthy();
        let unmet = |name: &str, is_needed| ConditionFacts {
            name: name.to_owned(),
            is_needed,
            reason: "it is down".to_owned(),
        };
        facts.daemon.unmet = vec![
            unmet("link br0", true),
            unmet("engine docker", true),
            unmet("database", true),
            unmet("wrong template", false),
        ];
        let found = examine(&facts).findings;
        let severities: Vec<_> = found
            .iter()
            .map(|one| (one.severity.word(), one.what.as_str()))
            .collect();
        assert_eq!(
            severities,
            [
                ("error", "link br0: it is down"),
                ("warning", "wrong template: it is down")
            ]
        );
    }
}
