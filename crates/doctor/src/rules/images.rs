//! The images of the templates.

use crate::{Area, Code, EngineFacts, Examined, Facts, Finding, ImageNeed, TemplateNeeds};

const AREA: Area = Area::Images;

pub(super) fn examine(facts: &Facts) -> Examined {
    let (engines, templates) = match (&facts.engines, &facts.wanted) {
        (Ok(engines), Ok(wanted)) => (engines, &wanted.templates),
        (Err(reason), _) | (_, Err(reason)) => return Examined::unknown(AREA, reason),
    };
    let needs: Vec<(&TemplateNeeds, &ImageNeed)> = templates
        .iter()
        .flat_map(|template| template.images.iter().map(move |image| (template, image)))
        .collect();
    let mut examined = Examined::new(AREA, format!("{} images of templates", needs.len()));
    for (template, image) in needs {
        // An engine that does not answer has a finding of its own.
        let engine = engines
            .iter()
            .find(|engine| engine.name == template.engine && engine.product.is_ok());
        match engine.and_then(|engine| has(engine, image)) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => examined = examined.with([missing(template, image)]),
            Some(Err(reason)) => examined = examined.lacking(&format!("{} ({reason})", image.name)),
            None => examined = examined.lacking(&format!("{} on engine {}", image.name, template.engine)),
        }
    }
    examined
}

fn has<'e>(engine: &'e EngineFacts, image: &ImageNeed) -> Option<&'e Result<bool, String>> {
    engine.images.get(image.wanted())
}

fn missing(template: &TemplateNeeds, image: &ImageNeed) -> Finding {
    let TemplateNeeds { name, engine, .. } = template;
    let what = match &image.digest {
        None => format!(
            "engine {engine} has no image {}, which template {name} needs",
            image.name
        ),
        Some(digest) => format!(
            "engine {engine} does not have {digest} any more, which template {name} is pinned to for {}",
            image.name
        ),
    };
    let mend = match &image.digest {
        None => format!(
            "orchestrator image pull {} --engine {engine}, or orchestrator image load",
            image.name
        ),
        Some(_) => format!("load or pull it again, or: orchestrator template update {name}"),
    };
    Finding::error(AREA, Code::ImageMissing)
        .what(what)
        .means("no instance of the template is made")
        .mend(mend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AreaState;

    #[test]
    fn an_image_that_is_gone_is_an_error_with_its_template() {
        let mut facts = Facts::healthy();
        let images = &mut facts.engines.as_mut().unwrap()[0].images;
        images.insert("nginx".to_owned(), Ok(false));
        let found = examine(&facts).findings;
        assert!(
            found[0].what.contains("no image nginx, which template web needs"),
            "{found:?}"
        );
    }

    #[test]
    fn a_pinned_template_needs_its_digest_and_not_the_name() {
        let mut facts = Facts::healthy();
        facts.wanted.as_mut().unwrap().templates[0].images[0].digest = Some("sha256:12".to_owned());
        let images = &mut facts.engines.as_mut().unwrap()[0].images;
        images.insert("nginx".to_owned(), Ok(false));
        images.insert("sha256:12".to_owned(), Ok(true));
        assert_eq!(examine(&facts).state(), AreaState::Healthy);
        facts.engines.as_mut().unwrap()[0]
            .images
            .insert("sha256:12".to_owned(), Ok(false));
        assert!(examine(&facts).findings[0].mend.contains("template update web"));
    }

    #[test]
    fn an_engine_that_does_not_answer_has_lost_no_image() {
        let mut facts = Facts::healthy();
        facts.engines.as_mut().unwrap()[0].product = Err("refused".to_owned());
        facts.engines.as_mut().unwrap()[0].images.clear();
        assert_eq!(examine(&facts).state(), AreaState::Unknown);
    }
}
