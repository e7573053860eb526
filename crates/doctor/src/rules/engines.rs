//! The engines: whether each answers, and can do what its templates ask.

use crate::{Area, Code, EngineFacts, Examined, Facts, Finding, TemplateNeeds};

const AREA: Area = Area::Engines;

pub(super) fn examine(facts: &Facts) -> Examined {
    let engines = match &facts.engines {
        Ok(engines) => engines,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let templates = facts.wanted.as_ref().map(|wanted| wanted.templates.as_slice());
    let examined = Examined::new(AREA, seen(engines)).with(engines.iter().filter_map(broken));
    match templates {
        Ok(templates) => examined.with(engines.iter().flat_map(|engine| cannot(engine, templates))),
        Err(reason) => examined.lacking(reason),
    }
}

fn seen(engines: &[EngineFacts]) -> String {
    let one = |engine: &EngineFacts| match &engine.product {
        Ok(product) => format!("{}: {} {}", engine.name, product.name, product.version),
        Err(_) => format!("{}: away", engine.name),
    };
    match engines {
        [] => "no template uses an engine".to_owned(),
        engines => engines.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn broken(engine: &EngineFacts) -> Option<Finding> {
    let name = &engine.name;
    match (&engine.product, &engine.equipment) {
        (Err(reason), _) => Some(
            Finding::error(AREA, Code::EngineAway)
                .what(format!("engine {name} does not answer: {reason}"))
                .means(
                    "no instance of its templates is made, restarted or removed; containers that run may go on running",
                )
                .mend(format!(
                    "start it (systemctl start {name}), or correct [engine.{name}] in the settings; the daemon goes on \
                     by itself"
                )),
        ),
        (Ok(_), Err(reason)) => Some(
            Finding::error(AREA, Code::EngineIncomplete)
                .what(format!("engine {name} cannot start containers: {reason}"))
                .means("no instance of its templates is made")
                .mend("install what the reason names"),
        ),
        (Ok(_), Ok(())) => None,
    }
}

fn cannot<'f>(engine: &'f EngineFacts, templates: &'f [TemplateNeeds]) -> impl Iterator<Item = Finding> + use<'f> {
    let answers = engine.product.is_ok();
    let own = templates.iter().filter(move |one| answers && one.engine == engine.name);
    own.flat_map(move |template| {
        let lacking = (template.capabilities.iter()).filter(|(word, _)| !engine.capabilities.contains(*word));
        lacking.map(move |(_, what)| {
            Finding::error(AREA, Code::EngineCannot)
                .what(format!(
                    "template {}: engine {} cannot {what}",
                    template.name, engine.name
                ))
                .means("instances of the template are not made")
                .mend("use another engine for the template, or remove from it what the engine cannot do")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(facts: &Facts) -> Vec<Code> {
        examine(facts).findings.iter().map(|one| one.code).collect()
    }

    #[test]
    fn an_engine_that_does_not_answer_is_one_finding() {
        let mut facts = Facts::healthy();
        let engine = &mut facts.engines.as_mut().unwrap()[0];
        engine.product = Err("connection refused".to_owned());
        engine.equipment = Err("connection refused".to_owned());
        engine.capabilities.clear();
        assert_eq!(codes(&facts), [Code::EngineAway]);
    }

    #[test]
    fn an_engine_that_lacks_something_is_found() {
        let mut facts = Facts::healthy();
        facts.engines.as_mut().unwrap()[0].equipment = Err("there is no init program".to_owned());
        assert_eq!(codes(&facts), [Code::EngineIncomplete]);
        facts.engines.as_mut().unwrap()[0].equipment = Ok(());
        facts.engines.as_mut().unwrap()[0].capabilities.clear();
        assert_eq!(codes(&facts), [Code::EngineCannot]);
        facts.wanted.as_mut().unwrap().templates[0].engine = "podman".to_owned();
        assert_eq!(codes(&facts), [], "no template asks it");
    }
}
