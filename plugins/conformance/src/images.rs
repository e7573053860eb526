//! Images are loaded, pulled, listed and removed.

use bytes::Bytes;
use futures_util::stream;
use orchestrator_plugin::{
    ByteStream, Capability, ContainerSpec, Credentials, Engine, EngineError, FoundState, Image, PullProgress,
    PullRequest, Remedy,
};
use tokio::sync::mpsc;

use crate::Subject;
use crate::support::{OWN, can, fresh, new_id, spec};

/// Bytes in one piece of an archive on its way to the engine.
const PIECE: usize = 64 << 10;

pub(crate) fn archive(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes
        .chunks(PIECE)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Box::pin(stream::iter(pieces))
}

/// A name that no image has.
pub(crate) fn new_name() -> String {
    format!("orchestrator-test/{}:1", new_id())
}

/// The image of this id, when the engine has it.
async fn listed(engine: &dyn Engine, id: &str) -> Option<Image> {
    let images = engine.images().await.expect("the engine lists its images");
    images.into_iter().find(|image| image.id == id)
}

/// The images without the time of their last use, which each call that names one moves.
fn timeless(images: &[Image]) -> Vec<Image> {
    let mut timeless = images.to_vec();
    for image in &mut timeless {
        image.used = None;
    }
    timeless
}

/// Loads an image under a new name. Returns it with the name that the engine gave it.
async fn load(subject: &impl Subject, engine: &dyn Engine) -> (Image, String) {
    let name = new_name();
    let bytes = subject.archive(&name).await;
    let mut loaded = engine.load_images(archive(&bytes)).await.expect("it is loaded");
    assert_eq!(loaded.len(), 1, "{loaded:?}");
    let image = loaded.remove(0);
    // An engine may put the name of its own machine in front.
    let [given] = &image.names[..] else {
        panic!("{image:?} has not one name");
    };
    assert!(given.ends_with(&name), "{given}");
    let given = given.clone();
    (image, given)
}

/// Every call that needs [`Capability::Images`], with its error.
pub(crate) async fn calls(engine: &dyn Engine) -> Vec<EngineError> {
    let loaded = engine.load_images(archive(b"")).await.err();
    let listed = engine.images().await.err();
    let removed = engine.remove_image("nowhere").await.err();
    [loaded, listed, removed]
        .into_iter()
        .map(|fault| fault.expect("it is refused"))
        .collect()
}

/// Pulls what everybody may have.
pub(crate) async fn pull_of(engine: &dyn Engine, reference: &str) -> Result<Image, EngineError> {
    let request = PullRequest {
        reference: reference.to_owned(),
        credentials: None,
    };
    let (progress, _) = mpsc::channel(1);
    engine.pull_image(&request, progress).await
}

/// It is found by its name and by its digest; what is loaded again is the same.
pub async fn an_archive_is_loaded_and_its_image_started_and_removed(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Images) {
        return;
    }
    let name = new_name();
    let bytes = subject.archive(&name).await;
    let loaded = engine.load_images(archive(&bytes)).await.unwrap();
    let again = engine.load_images(archive(&bytes)).await.unwrap();
    assert_eq!(timeless(&again), timeless(&loaded));
    let id = &loaded[0].id;
    let of_list = listed(engine.as_ref(), id).await.expect("it is listed");
    assert_eq!(of_list.names, loaded[0].names);
    assert!(of_list.size.is_none_or(|size| size > 0), "{of_list:?}");
    for named in [&name, id] {
        assert_eq!(&engine.check_image(named).await.unwrap().id, id, "{named}");
    }
    let of_it = ContainerSpec {
        image: name.clone(),
        ..spec(subject)
    };
    let made = engine.ensure(&container, &of_it, &OWN).await.unwrap();
    assert!(matches!(made.state, FoundState::Running(_)), "{made:?}");
    engine.remove(&container).await.unwrap();

    engine.remove_image(id).await.unwrap();
    assert_eq!(listed(engine.as_ref(), id).await, None);
    let gone = engine.check_image(&name).await.unwrap_err();
    assert_eq!(gone.code(), "image-missing", "{gone}");
    for named in [&name, id] {
        engine.remove_image(named).await.expect("it is gone already");
    }
}

/// The error is the operator's to mend.
pub async fn an_archive_that_ends_too_early_or_is_none_leaves_nothing(subject: &impl Subject) {
    let (engine, _) = fresh(subject);
    if !can(engine.as_ref(), Capability::Images) {
        return;
    }
    let fault = engine.load_images(archive(b"this is no archive")).await.unwrap_err();
    assert_eq!(fault.remedy(), Remedy::Operator, "{fault}");
    let name = new_name();
    let bytes = subject.archive(&name).await;
    let lost = EngineError::Failed {
        verb: "read",
        subject: "an archive".to_owned(),
        reason: "the sender is gone".to_owned(),
    };
    let half = [Ok(Bytes::copy_from_slice(&bytes[..bytes.len() / 2])), Err(lost)];
    engine.load_images(Box::pin(stream::iter(half))).await.unwrap_err();
    let missing = engine.check_image(&name).await.unwrap_err();
    assert_eq!(missing.code(), "image-missing", "{missing}");
}

/// By its name and by its digest, whether the container runs or not.
pub async fn an_image_that_a_container_uses_is_kept(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Images) {
        return;
    }
    let (image, name) = load(subject, engine.as_ref()).await;
    let of_it = ContainerSpec {
        image: name.clone(),
        ..spec(subject)
    };
    engine.ensure(&container, &of_it, &OWN).await.unwrap();
    for _ in 0..2 {
        for named in [&name, &image.id] {
            let fault = engine.remove_image(named).await.unwrap_err();
            assert!(matches!(fault, EngineError::Refused { .. }), "{named}: {fault}");
        }
        assert_eq!(
            listed(engine.as_ref(), &image.id).await.map(|image| image.names),
            Some(vec![name.clone()])
        );
        engine.stop(&container).await.unwrap();
    }
    engine.remove(&container).await.unwrap();
    engine.remove_image(&name).await.unwrap();
    assert_eq!(listed(engine.as_ref(), &image.id).await, None);
}

/// The other names stay.
pub async fn an_image_goes_with_its_last_name(subject: &impl Subject) {
    let (engine, _) = fresh(subject);
    if !can(engine.as_ref(), Capability::Images) {
        return;
    }
    let (image, name) = load(subject, engine.as_ref()).await;
    engine.remove_image(&name).await.unwrap();
    assert_eq!(listed(engine.as_ref(), &image.id).await, None);

    let other = format!("orchestrator-test/{}", new_id());
    let kept = engine.check_image(&subject.image()).await.unwrap().id;
    subject.tag(&other).await;
    assert_eq!(engine.check_image(&other).await.unwrap().id, kept);
    engine.remove_image(&other).await.unwrap();
    assert_eq!(engine.check_image(&subject.image()).await.unwrap().id, kept);
    let gone = engine.check_image(&other).await.unwrap_err();
    assert_eq!(gone.code(), "image-missing", "{gone}");
}

/// The name means another image by then.
pub async fn a_container_is_made_by_the_digest_after_the_name_has_moved(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Images) {
        return;
    }
    let (before, name) = load(subject, engine.as_ref()).await;
    let bytes = subject.archive(&name).await;
    let after = engine.load_images(archive(&bytes)).await.unwrap().remove(0);
    assert_ne!(after.id, before.id);
    assert_eq!(engine.check_image(&name).await.unwrap().id, after.id);
    assert_eq!(engine.check_image(&before.id).await.unwrap().id, before.id);
    let of_it = ContainerSpec {
        image: before.id.clone(),
        ..spec(subject)
    };
    let made = engine.ensure(&container, &of_it, &OWN).await.unwrap();
    assert!(matches!(made.state, FoundState::Running(_)), "{made:?}");
    // The new one is not what the container uses.
    engine.remove_image(&after.id).await.unwrap();
    engine.remove_image(&before.id).await.unwrap_err();
    engine.remove(&container).await.unwrap();
    engine.remove_image(&before.id).await.unwrap();
    assert_eq!(listed(engine.as_ref(), &before.id).await, None);
}

/// Another password is refused, and an image that is not there is missing.
pub async fn an_image_is_pulled_with_credentials_and_progress(subject: &impl Subject) {
    let (engine, _) = fresh(subject);
    if !can(engine.as_ref(), Capability::Pull) {
        return;
    }
    let Some(published) = subject.published().await else {
        return;
    };
    let wrong = Credentials {
        password: "wrong".to_owned(),
        ..published.credentials.clone()
    };
    for credentials in [None, Some(wrong)] {
        let request = PullRequest {
            reference: published.reference.clone(),
            credentials,
        };
        let (progress, _) = mpsc::channel(64);
        let fault = engine.pull_image(&request, progress).await.unwrap_err();
        assert_eq!(fault.remedy(), Remedy::Operator, "{fault}");
        assert!(!fault.to_string().contains("wrong"), "{fault}");
    }
    let mut request = PullRequest {
        reference: published.reference.clone(),
        credentials: Some(published.credentials),
    };
    let (progress, mut steps) = mpsc::channel(256);
    let pulled = engine.pull_image(&request, progress).await.unwrap();
    let first: PullProgress = steps.recv().await.expect("it is reported on");
    assert!(!first.status.is_empty(), "{first:?}");
    assert_eq!(engine.check_image(&request.reference).await.unwrap().id, pulled.id);
    engine.remove_image(&pulled.id).await.unwrap();
    request.reference = request.reference.replace(":1", ":no-such");
    let (progress, _) = mpsc::channel(64);
    let missing = engine.pull_image(&request, progress).await.unwrap_err();
    assert_eq!(missing.code(), "image-missing", "{missing}");
}
