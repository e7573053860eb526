//! What is recorded and not there.

use crate::{Area, Code, Examined, Facts, Finding, Fix, LostPart};

const AREA: Area = Area::Lost;

pub(super) fn examine(facts: &Facts) -> Examined {
    let marks = match &facts.marks {
        Ok(marks) => marks,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let examined = Examined::new(AREA, format!("{} instances are recorded", marks.instances));
    let examined = examined.with(marks.lost.iter().map(lost));
    marks
        .unlisted
        .iter()
        .fold(examined, |examined, reason| examined.lacking(reason))
}

fn lost(part: &LostPart) -> Finding {
    let instance_lost = |what: String| {
        Finding::warning(AREA, Code::InstanceLost)
            .what(what)
            .means("its client does not reach it until the daemon has made it again, which it does by itself")
            .mend("orchestrator doctor --fix has the daemon do so at once; orchestrator events shows why if it cannot")
            .fix(Fix::Pass)
    };
    match part {
        LostPart::Containers { instance, engine } => instance_lost(format!(
            "instance {instance} is recorded as ready, and its containers on engine {engine} are gone or do not run"
        )),
        LostPart::Interface { instance, name } => instance_lost(format!(
            "instance {instance} is recorded as ready, and its interface {name} is gone"
        )),
        LostPart::Volume { id } => Finding::error(AREA, Code::VolumeLost)
            .what(format!("volume {id} is recorded, and its directory is gone"))
            .means("its files are lost, unless the file system is only not mounted; the next instance finds it empty")
            .mend("mount the file system of volumes.directory, or put the directory back from a copy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_instance_is_made_again_and_a_lost_volume_is_for_the_operator() {
        let mut facts = Facts::healthy();
        facts.marks.as_mut().unwrap().lost = vec![
            LostPart::Containers {
                instance: "a".to_owned(),
                engine: "docker".to_owned(),
            },
            LostPart::Interface {
                instance: "a".to_owned(),
                name: "or1".to_owned(),
            },
            LostPart::Volume { id: "v".to_owned() },
        ];
        let fixes: Vec<Option<Fix>> = examine(&facts).findings.into_iter().map(|one| one.fix).collect();
        assert_eq!(fixes, [Some(Fix::Pass), Some(Fix::Pass), None]);
    }
}
