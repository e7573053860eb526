//! What the kernel can do.

use crate::{Area, Code, Examined, Facts, FeatureFacts, FeatureState, Finding};

const AREA: Area = Area::Kernel;

pub(super) fn examine(facts: &Facts) -> Examined {
    let features = match &facts.machine {
        Ok(machine) => &machine.features,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let there = features.iter().filter(|one| one.state == FeatureState::There);
    let seen = super::list(there.map(|one| &one.name));
    let mut examined = Examined::new(AREA, seen).with(features.iter().filter_map(missing));
    for feature in features {
        if let FeatureState::Unknown(reason) = &feature.state {
            examined = examined.lacking(&format!("{} ({reason})", feature.name));
        }
    }
    examined
}

fn missing(feature: &FeatureFacts) -> Option<Finding> {
    let FeatureState::Missing(reason) = &feature.state else {
        return None;
    };
    Some(
        Finding::error(AREA, Code::KernelFeatureMissing)
            .what(format!("this kernel lacks {}: {reason}", feature.name))
            .means(feature.needed_for.clone())
            .mend(feature.mend.clone()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_feature_is_an_error_and_an_unknown_one_is_none() {
        let mut facts = Facts::healthy();
        facts.machine_mut().features[0].state = FeatureState::Missing("no such file".to_owned());
        let found = examine(&facts).findings;
        assert_eq!(found[0].code, Code::KernelFeatureMissing);
        assert!(
            found[0].what.contains("lacks the packet filter: no such file"),
            "{found:?}"
        );
        facts.machine_mut().features[0].state = FeatureState::Unknown("not permitted".to_owned());
        let examined = examine(&facts);
        assert!(
            examined.findings.is_empty() && examined.seen.contains("not permitted"),
            "{examined:?}"
        );
    }
}
