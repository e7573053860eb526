//! Actions of people on the engine, which bypass the plugins.

use orchestrator_plugin::{Container, ContainerSpec, Credentials, Id, Mark, NetworkMode};

use crate::FakeWorld;
use crate::container::{FakeContainer, State};
use crate::image::Published;
use crate::world::{Contents, Event};

impl FakeWorld {
    /// Gives an image this name: a new one, or whatever `from` names.
    pub fn add_image(&self, name: &str, from: Option<&str>) {
        let mut contents = self.contents();
        let id = from.and_then(|from| contents.images.get(from).cloned());
        let id = id.unwrap_or_else(|| format!("image-{}", contents.number()));
        contents.name_image(name, id);
    }

    /// Takes a name from its image.
    pub fn remove_image(&self, name: &str) {
        self.contents().images.remove(name);
    }

    /// Has a registry offer an image, to everybody or to one user with this password. An image that is offered again
    /// under a name is another one.
    pub fn publish_image(&self, reference: &str, credentials: Option<Credentials>) {
        let mut contents = self.contents();
        let id = format!("image-{}", contents.number());
        contents
            .registry
            .insert(reference.to_owned(), Published { id, credentials });
    }

    /// Puts a directory with a file on the host, for containers that mount it.
    pub fn add_directory(&self, path: &str, file: &str, content: &str) {
        let mut contents = self.contents();
        let files = contents.volumes.entry(path.to_owned()).or_default();
        files.insert(file.into(), content.as_bytes().to_owned());
    }

    /// Stops the engine: it answers nothing, and watches end. Containers end with it.
    pub fn stop(&self) {
        {
            let mut contents = self.contents();
            contents.up = false;
            for container in contents.containers.iter_mut().filter(|container| container.is_alive()) {
                container.state = State::Exited { code: 137 };
            }
        }
        let _ = self.events.send(Event::Down);
    }

    /// Starts the engine again.
    pub fn resume(&self) {
        self.contents().up = true;
    }

    /// Ends the first process of a container with this exit code.
    pub fn end(&self, reference: &str, code: i64) {
        self.change(reference, |container| container.state = State::Exited { code });
    }

    /// Starts a container.
    pub fn start(&self, reference: &str) {
        let started = self.contents().start(reference);
        if let Ok(container) = started {
            self.tell(&container);
        }
    }

    /// Freezes a container that runs.
    pub fn pause(&self, reference: &str) {
        self.change(reference, |container| {
            if let State::Running { pid } = container.state {
                container.state = State::Paused { pid };
            }
        });
    }

    /// Gives a container another name.
    pub fn rename(&self, reference: &str, name: &str) {
        self.change(reference, |container| container.name = name.to_owned());
    }

    /// Removes a container.
    pub fn remove(&self, reference: &str) {
        let removed = take(&mut self.contents(), reference);
        if let Some(container) = removed {
            self.tell(&container);
        }
    }

    /// Makes a container without a mark, which does not run. Returns its reference.
    pub fn add_stranger(&self, name: &str) -> String {
        self.contents().add(name.to_owned(), None, ContainerSpec::default())
    }

    /// Makes a container of a site that was not started yet: what a plugin leaves that is killed in between. Returns
    /// its reference.
    pub fn add_created(&self, mark: Mark, container: &Container, spec: ContainerSpec) -> String {
        let mut contents = self.contents();
        contents.add(container.key.engine_name(), Some((mark, container)), spec)
    }

    /// Makes a running copy of a container, with its mark, under another name. Returns its reference.
    pub fn copy(&self, reference: &str) -> Option<String> {
        let mut contents = self.contents();
        let original = contents.by_reference(reference)?.clone();
        let number = contents.number();
        let copy = FakeContainer {
            reference: format!("fake-{number}"),
            name: format!("copy-{number}"),
            state: State::Running { pid: number },
            ..original
        };
        let made = copy.reference.clone();
        contents.containers.push(copy);
        Some(made)
    }

    /// Whether a container is there.
    pub fn has(&self, reference: &str) -> bool {
        self.contents().by_reference(reference).is_some()
    }

    /// How many containers there are, of anybody.
    pub fn count(&self) -> usize {
        self.contents().containers.len()
    }

    /// A number that no other thing of this engine has, for names.
    pub fn id(&self) -> Id {
        let [a, b, c, d] = self.contents().number().to_be_bytes();
        Id::from_bytes([0xfa, 0xce, a, b, c, d])
    }

    fn change(&self, reference: &str, act: impl FnOnce(&mut FakeContainer)) {
        let changed = {
            let mut contents = self.contents();
            contents.by_reference(reference).map(|container| {
                act(container);
                container.clone()
            })
        };
        if let Some(container) = changed {
            self.tell(&container);
        }
    }
}

impl Contents {
    /// Makes a container that was never started. Returns its reference.
    pub(crate) fn add(&mut self, name: String, of: Option<(Mark, &Container)>, spec: ContainerSpec) -> String {
        let reference = format!("fake-{}", self.number());
        self.containers.push(FakeContainer {
            reference: reference.clone(),
            name,
            mark: of.map(|(mark, container)| (mark.site, container.key.clone())),
            replaces: of.and_then(|(_, container)| container.reference.clone()),
            spec,
            image: None,
            network: NetworkMode::EngineNamespace,
            files: Default::default(),
            log: Vec::new(),
            state: State::Created,
            starts: 0,
            joined: None,
        });
        reference
    }
}

/// Takes a container out.
pub(crate) fn take(contents: &mut Contents, reference: &str) -> Option<FakeContainer> {
    let mut containers = contents.containers.iter();
    let place = containers.position(|container| container.reference == reference)?;
    Some(contents.containers.remove(place))
}
