//! Requests to the fake's far side, and their failures.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::EngineError;
use tokio::sync::{Notify, Semaphore};

use crate::FakeWorld;
use crate::world::Contents;

/// How long a plugin waits for an answer.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Ask for the engine's name and version.
    Describe,
    /// Ask for an image.
    InspectImage,
    /// List the images.
    ListImages,
    /// Load images from an archive.
    LoadImages,
    /// Fetch an image from a registry.
    PullImage,
    /// Remove an image.
    RemoveImage,
    /// List the containers.
    List,
    /// Ask for a container.
    Inspect,
    /// Create a container.
    Create,
    /// Write files into a container.
    Upload,
    /// Start a container.
    Start,
    /// Stop a container.
    Stop,
    /// To freeze one, or to let it go on.
    Pause,
    /// To remove one.
    Remove,
    /// To run a command in one.
    Exec,
    /// Read a container's output, usage or files.
    Read,
}

impl Verb {
    /// The word for it in error messages.
    fn word(self) -> &'static str {
        match self {
            Self::Describe => "describe itself",
            Self::InspectImage => "inspect image",
            Self::ListImages => "list images",
            Self::LoadImages => "load images",
            Self::PullImage => "fetch image",
            Self::RemoveImage => "remove image",
            Self::List => "list",
            Self::Inspect => "inspect",
            Self::Create => "create",
            Self::Upload => "write files into",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Pause => "freeze",
            Self::Remove => "remove",
            Self::Exec => "run a command in",
            Self::Read => "read",
        }
    }
}

/// The failure of a request.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It never arrives: the engine does not answer, and does nothing.
    Lost,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is carried out after this time.
    Delayed(Duration),
    /// It is neither answered nor carried out.
    Hangs,
    /// The engine tries and fails, with these words.
    Fails(String),
    /// The engine will never do it, in these words.
    Refused(String),
}

/// The request that is held back.
#[derive(Debug)]
pub(crate) struct Hold {
    /// How many come before it.
    pub(crate) after: usize,
    pub(crate) held: Held,
}

/// A request that is held back until somebody lets it go.
#[derive(Debug, Clone)]
pub struct Held {
    arrived: Arc<Notify>,
    gate: Arc<Semaphore>,
    served: Arc<Notify>,
}

impl Held {
    /// Waits until the request has come.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Lets it be carried out.
    pub fn open(&self) {
        self.gate.add_permits(1);
    }

    /// Waits until it was carried out.
    pub async fn served(&self) {
        self.served.notified().await;
    }
}

impl FakeWorld {
    /// The next request of this kind, or of any, meets this trouble. Troubles are met in the order in which they are
    /// made.
    pub fn trouble(&self, verb: impl Into<Option<Verb>>, trouble: Trouble) {
        self.contents().troubles.push_back((verb.into(), trouble));
    }

    /// Holds back the request that comes after so many others from now on.
    pub fn hold(&self, after: usize) -> Held {
        let held = Held {
            arrived: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            served: Arc::default(),
        };
        self.contents().hold = Some(Hold {
            after,
            held: held.clone(),
        });
        held
    }

    /// Holds back no request that has not come yet.
    pub fn release(&self) {
        self.contents().hold = None;
    }

    /// All requests since the last call.
    pub fn requests(&self) -> Vec<Verb> {
        std::mem::take(&mut self.contents().requests)
    }

    /// Sends a request, and waits [`LIMIT`] for its answer. It is carried out by `act` also when the caller gives up
    /// waiting.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        verb: Verb,
        act: impl FnOnce(&mut Contents) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let world = self.clone();
        let request = tokio::spawn(async move { world.serve(verb, act).await });
        match tokio::time::timeout(LIMIT, request).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unavailable()),
            Err(_) => Err(EngineError::Timeout {
                engine: "fake".to_owned(),
                verb: verb.word(),
                seconds: LIMIT.as_secs(),
            }),
        }
    }

    async fn serve<T>(
        &self,
        verb: Verb,
        act: impl FnOnce(&mut Contents) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let (held, trouble) = self.admit(verb);
        if let Some(held) = &held {
            held.arrived.notify_one();
            if let Ok(permit) = held.gate.acquire().await {
                permit.forget();
            }
        }
        let answer = self.carry_out(verb, trouble, act).await;
        if let Some(held) = held {
            held.served.notify_one();
        }
        answer
    }

    /// Takes down a request that has come.
    fn admit(&self, verb: Verb) -> (Option<Held>, Option<Trouble>) {
        let mut contents = self.contents();
        contents.requests.push(verb);
        let held = match &mut contents.hold {
            Some(hold) if hold.after > 0 => {
                hold.after -= 1;
                None
            }
            _ => contents.hold.take().map(|hold| hold.held),
        };
        let mut troubles = contents.troubles.iter();
        let place = troubles.position(|(of, _)| of.is_none_or(|of| of == verb));
        let trouble = place.and_then(|place| contents.troubles.remove(place));
        (held, trouble.map(|(_, trouble)| trouble))
    }

    async fn carry_out<T>(
        &self,
        verb: Verb,
        trouble: Option<Trouble>,
        act: impl FnOnce(&mut Contents) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let act = || {
            let mut contents = self.contents();
            if contents.up {
                act(&mut contents)
            } else {
                Err(unavailable())
            }
        };
        let (word, subject) = (verb.word(), "a container".to_owned());
        match trouble {
            None => act(),
            Some(Trouble::Lost) => Err(unavailable()),
            Some(Trouble::AnswerLost) => {
                act()?;
                Err(unavailable())
            }
            Some(Trouble::Delayed(time)) => {
                tokio::time::sleep(time).await;
                act()
            }
            Some(Trouble::Hangs) => std::future::pending().await,
            Some(Trouble::Fails(reason)) => Err(EngineError::Failed {
                verb: word,
                subject,
                reason,
            }),
            Some(Trouble::Refused(reason)) => Err(EngineError::Refused {
                verb: word,
                subject,
                reason,
            }),
        }
    }
}

/// The engine does not answer.
pub(crate) fn unavailable() -> EngineError {
    EngineError::Unavailable {
        engine: "fake".to_owned(),
        source: "the connection was lost".into(),
    }
}
