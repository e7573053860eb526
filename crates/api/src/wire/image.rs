//! Images of templates.

use orchestrator_api_types as wire;
use orchestrator_api_types::TemplateImageState as State;

use super::IntoWire;
use crate::control::{Meaning, TemplateImage};

impl IntoWire for TemplateImage {
    type Wire = wire::TemplateImage;

    fn into_wire(self) -> wire::TemplateImage {
        let state = state(&self);
        let Self {
            host,
            engine,
            image,
            pin,
            now,
            is_there: _,
        } = self;
        wire::TemplateImage {
            host: host.as_str().to_owned(),
            engine,
            image,
            digest: pin.as_ref().map(|pin| pin.digest.clone()),
            pinned: pin.map(|pin| pin.pinned),
            present: match now {
                Meaning::Image(id) => Some(id),
                Meaning::Missing | Meaning::Unknown => None,
            },
            state,
        }
    }
}

fn state(image: &TemplateImage) -> State {
    match (&image.pin, &image.now, image.is_there) {
        (None, Meaning::Image(_), _) => State::Unpinned,
        (None, Meaning::Missing, _) => State::Missing,
        (None, Meaning::Unknown, _) | (Some(_), _, None) => State::Unknown,
        (Some(_), _, Some(false)) => State::Gone,
        (Some(pin), Meaning::Image(now), Some(true)) if *now != pin.digest => State::Newer,
        (Some(_), _, Some(true)) => State::Pinned,
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_model::{HostId, ImagePin, Timestamp};

    use super::*;

    #[test]
    fn a_pinned_image_is_compared_with_what_its_name_means_now() {
        let pin = ImagePin {
            template: "web".to_owned(),
            version: 1,
            host: HostId::local(),
            engine: "docker".to_owned(),
            image: "web:1".to_owned(),
            digest: "sha256:a".to_owned(),
            pinned: Timestamp(0),
        };
        let of = |pin: Option<&ImagePin>, now: &Meaning, is_there| {
            let image = TemplateImage {
                host: HostId::local(),
                engine: "docker".to_owned(),
                image: "web:1".to_owned(),
                pin: pin.cloned(),
                now: now.clone(),
                is_there,
            };
            image.into_wire().state
        };
        let (a, b) = (
            Meaning::Image("sha256:a".to_owned()),
            Meaning::Image("sha256:b".to_owned()),
        );
        for (pinned, now, is_there, expected) in [
            (false, &a, None, State::Unpinned),
            (false, &Meaning::Missing, None, State::Missing),
            (false, &Meaning::Unknown, None, State::Unknown),
            (true, &a, Some(true), State::Pinned),
            (true, &b, Some(true), State::Newer),
            (true, &b, Some(false), State::Gone),
            (true, &Meaning::Missing, Some(true), State::Pinned),
            (true, &Meaning::Missing, Some(false), State::Gone),
            (true, &Meaning::Unknown, None, State::Unknown),
        ] {
            assert_eq!(
                of(pinned.then_some(&pin), now, is_there),
                expected,
                "{now:?} {is_there:?}"
            );
        }
    }
}
