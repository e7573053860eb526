//! Our own packet filter, compared with what is recorded.

use crate::{Area, Code, Examined, Facts, Finding, Fix, PolicyFacts};

const AREA: Area = Area::Rules;

pub(super) fn examine(facts: &Facts) -> Examined {
    let policy = match &facts.policy {
        Ok(Some(policy)) => policy,
        Ok(None) => return Examined::new(AREA, "no link has isolation"),
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let examined = Examined::new(AREA, seen(policy));
    match (policy.is_loaded, policy.wanted) {
        (false, _) => examined.with([missing(facts)]),
        (true, Some(_)) => examined.with(differ(policy)),
        (true, None) => examined.lacking("what they allow, because only the daemon knows what it is to be"),
    }
}

fn seen(policy: &PolicyFacts) -> String {
    match (policy.is_loaded, policy.wanted) {
        (true, Some(wanted)) => format!("the rules are loaded, with {wanted} elements"),
        (true, None) => "the rules are loaded".to_owned(),
        (false, _) => "the rules are not loaded".to_owned(),
    }
}

fn missing(facts: &Facts) -> Finding {
    let links = match &facts.wanted {
        Ok(wanted) => super::list(&wanted.isolated),
        Err(_) => "with isolation".to_owned(),
    };
    Finding::error(AREA, Code::RulesMissing)
        .what("the rules of the packet filter are missing, changed, or of another version")
        .means(format!(
            "nothing is checked on the links {links}: whoever is there may pretend to be anybody"
        ))
        .mend("start the daemon, which loads them; if it runs, orchestrator doctor --fix")
        .fix(Fix::Rules)
}

fn differ(policy: &PolicyFacts) -> Option<Finding> {
    let PolicyFacts { missing, surplus, .. } = policy;
    let means = match (missing, surplus) {
        (0, 0) => return None,
        (_, 0) => "clients or instances are kept from what they are allowed",
        (0, _) => "somebody is allowed what is not recorded",
        _ => "clients or instances are kept from what they are allowed, and somebody is allowed what is not recorded",
    };
    Some(
        Finding::error(AREA, Code::RulesDiffer)
            .what(format!(
                "the packet filter lacks {missing} elements, and has {surplus} too many"
            ))
            .means(means)
            .mend("orchestrator doctor --fix")
            .fix(Fix::Rules),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AreaState;

    fn examined(policy: Option<PolicyFacts>) -> Examined {
        let mut facts = Facts::healthy();
        facts.policy = Ok(policy);
        examine(&facts)
    }

    fn loaded(missing: u64, surplus: u64) -> PolicyFacts {
        PolicyFacts {
            is_loaded: true,
            wanted: Some(7),
            missing,
            surplus,
        }
    }

    #[test]
    fn rules_that_are_not_loaded_name_the_links() {
        let found = examined(Some(PolicyFacts::default())).findings;
        assert_eq!(
            (found[0].code, found[0].fix.clone()),
            (Code::RulesMissing, Some(Fix::Rules))
        );
        assert!(found[0].means.contains("links br0"), "{found:?}");
    }

    #[test]
    fn elements_are_compared_in_both_directions() {
        assert_eq!(examined(Some(loaded(0, 0))).findings, []);
        for (missing, surplus, means) in [(2, 0, "kept from"), (0, 3, "not recorded"), (1, 1, "and somebody")] {
            let found = examined(Some(loaded(missing, surplus))).findings;
            assert_eq!(found[0].code, Code::RulesDiffer);
            assert!(found[0].means.contains(means), "{found:?}");
        }
    }

    #[test]
    fn without_isolation_there_is_nothing_to_be_found() {
        assert_eq!(examined(None).state(), AreaState::Healthy);
    }
}
