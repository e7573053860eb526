//! The engine under test, as the suite needs it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_plugin::{Container, Credentials, Device, Engine, Mark, Running};

/// The behaviour of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// It runs until it is stopped.
    Run,
    /// It ends at once with this exit code.
    Exit(i64),
    /// It writes a text to its standard output and one to its standard error, and runs on.
    Say(&'static str, &'static str),
    /// It runs on its first start. On each later one it ends with exit code 9, because it finds what it wrote before.
    Once,
}

/// The behaviour of a further command in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// It writes what it reads, to the end of its input.
    Echo,
    /// It ends with this exit code.
    Exit(i64),
    /// It writes a text to its standard output and one to its standard error.
    Say(&'static str, &'static str),
    /// It writes the file at this path to its standard output.
    Show(&'static str),
    /// It writes this text to the file at this path, and ends with another code than 0 when it cannot.
    Write(&'static str, &'static str),
    /// It ends with 0 when there is a file or device at this path.
    Exists(&'static str),
    /// For each line that it reads, it writes the size of its terminal: `ROWS COLUMNS`.
    Size,
}

/// An action on a container without the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Kills its first process.
    Kill,
    /// Starts it.
    Start,
    /// Freezes it.
    Pause,
    /// Removes it in any state.
    Remove,
    /// Gives it this name.
    Rename(String),
}

/// Something that a case needs a subject to do behind the plugin's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// [`Act::Kill`].
    Kill,
    /// [`Act::Start`].
    Start,
    /// [`Act::Pause`].
    Pause,
    /// [`Act::Remove`], and [`Subject::has`].
    Remove,
    /// [`Act::Rename`].
    Rename,
    /// [`Subject::add_created`].
    Created,
    /// [`Subject::add_stranger`].
    Strangers,
    /// [`Subject::copy`].
    Copy,
    /// [`Subject::tag`] and [`Subject::untag`].
    Tag,
    /// [`Subject::held`].
    Hold,
    /// [`Subject::archive`].
    Archive,
    /// [`Subject::publish`].
    Publish,
    /// [`Subject::remove_volume`].
    Volumes,
}

/// What would have to be done, in the words of a report: "nobody here can …".
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill the process of a container",
            Self::Start => "start a container by hand",
            Self::Pause => "freeze a container by hand",
            Self::Remove => "remove a container by hand",
            Self::Rename => "rename a container by hand",
            Self::Created => "leave a container half made",
            Self::Strangers => "make a container that is not ours",
            Self::Copy => "copy a container by hand",
            Self::Tag => "name an image by hand",
            Self::Hold => "hold a request back",
            Self::Archive => "write an archive of an image",
            Self::Publish => "give the name of an image to another one",
            Self::Volumes => "remove a volume by hand",
        })
    }
}

/// An image that a registry gives to one user.
#[derive(Debug, Clone)]
pub struct Published {
    /// The image, with the registry.
    pub reference: String,
    /// The user who may have it.
    pub credentials: Credentials,
}

/// A request that is held back.
#[async_trait]
pub trait Held: Send + Sync {
    /// Waits until the request has come.
    async fn arrived(&self);

    /// Lets it pass. The engine carries it out even when its caller is gone.
    fn open(&self);

    /// Waits until the engine has carried it out.
    async fn served(&self);
}

/// The engine under test, with actions on it that bypass the plugin.
#[async_trait]
pub trait Subject: Send + Sync {
    /// A plugin for this site.
    fn engine(&self, mark: Mark) -> Arc<dyn Engine>;

    /// Whether the subject can do this. Cases that need what it cannot are left out.
    fn lends(&self, _need: Need) -> bool {
        true
    }

    /// Removes what a case has left that failed half-way.
    async fn clean_up(&self) {}

    /// A plugin for this site. Of its requests to the engine, the one after so many others is held back.
    fn held(&self, mark: Mark, after: usize) -> (Arc<dyn Engine>, Box<dyn Held>);

    /// An image that the engine has.
    fn image(&self) -> String;

    /// The command of a container that does this.
    fn program(&self, program: &Program) -> Vec<String>;

    /// The command that does this in a container.
    fn tool(&self, tool: &Tool) -> Vec<String>;

    /// Does something to a container.
    async fn act(&self, reference: &str, act: Act);

    /// Makes a container of this name that bears no mark. Returns its reference.
    async fn add_stranger(&self, name: &str) -> String;

    /// Makes a container as a plugin of this site leaves it that is killed before it starts it. Returns its reference.
    async fn add_created(&self, mark: Mark, container: &Container) -> String;

    /// Makes a running copy of a container with its labels and its image, as an updater does. Returns its reference.
    async fn copy(&self, reference: &str) -> String;

    /// Whether the engine has a container of this reference, whoever's it is.
    async fn has(&self, reference: &str) -> bool;

    /// Gives the [image](Self::image) one more name.
    async fn tag(&self, name: &str);

    /// Takes a name from an image.
    async fn untag(&self, name: &str);

    /// Removes a volume of the engine.
    async fn remove_volume(&self, name: &str);

    /// An archive of an image with this name alone, which runs the programs as the [image](Self::image) does. Each call
    /// makes another image. Needed when the engine loads images.
    async fn archive(&self, _name: &str) -> Vec<u8> {
        unreachable!("an engine that loads images has an archive in its tests")
    }

    /// Makes another image under this name, which runs the programs as the [image](Self::image) does. Each call makes
    /// another image. Needed when the engine pins images and loads none.
    async fn publish(&self, _name: &str) {
        unreachable!("an engine that pins images and loads none has other images in its tests")
    }

    /// An image on a registry that only one user may have. `None` when the tests have no registry that the engine
    /// reaches.
    async fn published(&self) -> Option<Published> {
        None
    }

    /// A device of the host that can be given to a container.
    fn device(&self) -> Device;

    /// A directory of the host in which there is a file `greeting` that holds `hello`.
    async fn directory(&self) -> PathBuf;

    /// A network namespace that is prepared for a container; needed when the engine takes any.
    async fn prepared(&self) -> PathBuf {
        unreachable!("an engine that runs containers in prepared namespaces has one in its tests")
    }

    /// A network of the engine; needed when the engine connects containers to any.
    fn network(&self) -> String {
        unreachable!("an engine that connects containers to networks has one in its tests")
    }

    /// A tap device; needed when the engine opens any.
    fn tap(&self) -> String {
        unreachable!("an engine that opens tap devices has one in its tests")
    }

    /// Looks behind the plugin at what it says of a running container.
    fn check_running(&self, _running: &Running) {}

    /// Looks behind the plugin at two processes that are to be in one network namespace.
    fn check_shared(&self, _one: u32, _other: u32) {}
}
