//! Images that an engine has.

use std::fmt;
use std::time::SystemTime;

/// One image on an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The engine's id of the image: the digest of its content, `sha256:…`. A container can be made from the image by
    /// this id, even when its names mean other images by then.
    pub id: String,
    /// Its names, such as `registry.example/web:1.2`. Empty if all its names were given to other images.
    pub names: Vec<String>,
    /// Its digests in registries, `registry.example/web@sha256:…`. Empty if it came from an archive.
    pub digests: Vec<String>,
    /// Its size in bytes, including parts that it shares with other images. `None` if the engine does not report it.
    pub size: Option<u64>,
    /// When it was built, according to the image itself.
    pub created: Option<SystemTime>,
    /// When a container was last made from it. `None` when the engine does not record this.
    pub used: Option<SystemTime>,
}

/// A request to fetch an image from a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The image: `web`, `registry.example:5000/web:1.2` or `registry.example/web@sha256:…`. Without a tag it is
    /// `latest`.
    pub reference: String,
    /// The user whose images may be fetched. `None` fetches public images.
    pub credentials: Option<Credentials>,
}

/// A user of a registry. The password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The user's password, or a token in its place.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A step of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// The part of the image, such as a layer. `None` means the whole image.
    pub part: Option<String>,
    /// The engine's word for the step: `Downloading`, `Extracting`.
    pub status: String,
    /// Bytes done, and bytes in total, if the engine reports them.
    pub bytes: Option<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let request = PullRequest {
            reference: "registry.example/web".to_owned(),
            credentials: Some(Credentials {
                user: "robot".to_owned(),
                password: "hunter2".to_owned(),
            }),
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("robot") && !shown.contains("hunter2"), "{shown}");
    }
}
