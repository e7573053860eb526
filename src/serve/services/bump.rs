//! New instances of a service, of the same image or of another one.

use orchestrator_api::{Deployed, NewImage, ServiceError};
use orchestrator_model::OperationKind;
use orchestrator_service::ServiceSpec;
use orchestrator_settings::{Hidden, Settings};
use orchestrator_store::StoreError;
use serde_json::Value;

use super::Services;
use super::change::{Wanted, keep_count, refuse_removing};

/// The longest tag, in bytes.
const LONGEST_TAG: usize = 128;

impl Services {
    /// Deploys the version in force again as it was read, with new instances or with another image: a change that somebody
    /// else makes meanwhile is not undone by it.
    pub(super) async fn try_bump(
        &self,
        by: &str,
        name: &str,
        image: Option<&NewImage>,
        expect: Option<u64>,
        plan: bool,
    ) -> Result<Deployed, ServiceError> {
        let situation = self.situation(name).await?;
        refuse_removing(&situation.service)?;
        let version = situation.version(situation.service.version);
        let version = version.ok_or_else(|| StoreError::NoSuchService(name.to_owned()))?;
        let settings = self.settings.get();
        let mut spec = Self::read(version, &settings)?;
        if let Some(image) = image {
            spec = with_image(&spec, image, &settings)?;
        }
        keep_count(&mut spec, &situation.service);
        let wanted = Wanted {
            kind: OperationKind::Bump,
            spec,
            renews: image.is_none(),
        };
        let seen = expect.unwrap_or(situation.service.generation);
        self.try_deploy(&wanted, Some(seen), plan, by).await
    }
}

/// The same service with another image, checked as its file would be.
fn with_image(spec: &ServiceSpec, image: &NewImage, settings: &Settings) -> Result<ServiceSpec, ServiceError> {
    let image = match image {
        NewImage::Whole(image) => image.clone(),
        NewImage::Tag(tag) => tagged(&spec.template.main.image, tag).map_err(ServiceError::Refused)?,
    };
    let mut keys = spec.written(Hidden::Nothing);
    keys["image"] = Value::String(image);
    ServiceSpec::reread(&keys, settings).map_err(ServiceError::Wrong)
}

/// The name of an image with this tag in place of its own, or of its digest.
///
/// # Errors
///
/// What is wrong with the tag, or that the image has no name, and what to do.
fn tagged(image: &str, tag: &str) -> Result<String, String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_known = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-');
    let is_tag = tag.len() <= LONGEST_TAG && tag.bytes().all(is_known) && tag.bytes().next().is_some_and(is_word);
    if !is_tag {
        return Err(format!(
            "{tag:?} is no tag; write a tag alone, like 1.2, or the whole image, like registry.example/web:1.2, as `image`"
        ));
    }
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let (place, last) = match name.rsplit_once('/') {
        Some((place, last)) => (format!("{place}/"), last),
        None => (String::new(), name),
    };
    // A colon before the last slash is that of a port.
    let bare = last.split_once(':').map_or(last, |(bare, _)| bare);
    if name.starts_with("sha256:") || bare.is_empty() {
        return Err(format!(
            "the image is recorded as {image}, which has no name that a tag could belong to; give the whole image as `image`"
        ));
    }
    Ok(format!("{place}{bare}:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_takes_the_place_of_another_or_of_a_digest() {
        for (image, expected) in [
            ("web", "web:1.2"),
            ("web:1.1", "web:1.2"),
            ("registry.example:5000/shop/web", "registry.example:5000/shop/web:1.2"),
            ("registry.example:5000/shop/web:1", "registry.example:5000/shop/web:1.2"),
            ("some/web:1@sha256:0123", "some/web:1.2"),
            ("some/web@sha256:0123", "some/web:1.2"),
        ] {
            assert_eq!(tagged(image, "1.2").as_deref(), Ok(expected), "{image}");
        }
    }

    #[test]
    fn what_is_no_tag_or_has_no_name_is_refused() {
        let long = "x".repeat(LONGEST_TAG + 1);
        for tag in ["", ".1", "-1", "a:b", "a/b", "a b", "sha256:0123", long.as_str()] {
            let reason = tagged("web", tag).unwrap_err();
            assert!(reason.contains("is no tag"), "{tag}: {reason}");
        }
        assert!(tagged("sha256:0123", "1").unwrap_err().contains("as `image`"));
    }
}
