//! Hidden values: a template is shown without them, and keeps them when it is passed back.

use super::written::HIDDEN;
use super::{ContainerSettings, TemplateSettings};
use orchestrator_model::{Container, File, FileContent};

impl TemplateSettings {
    /// Replaces values that are [`HIDDEN`] by those of the template before, so that a template can be passed back as it
    /// was shown.
    ///
    /// # Errors
    ///
    /// The path of the first hidden key that has no value in the template before, such as `environment.TOKEN`.
    pub fn keep_hidden(&mut self, before: &Self) -> Result<(), String> {
        keep_in(&mut self.main, Some(&before.main)).map_err(|key| path(Container::MAIN, &key))?;
        for sidecar in &mut self.sidecars {
            let same = before.sidecars.iter().find(|other| other.name == sidecar.name);
            let kept = keep_in(&mut sidecar.container, same.map(|same| &same.container));
            kept.map_err(|key| path(sidecar.name.as_str(), &key))?;
        }
        Ok(())
    }

    /// The path of the first key whose value is [`HIDDEN`], for a template without one before it.
    pub fn find_hidden(&self) -> Option<String> {
        let mut all = self.containers();
        all.find_map(|(name, container)| Some(path(name, &hidden_in(container)?)))
    }
}

fn keep_in(container: &mut ContainerSettings, before: Option<&ContainerSettings>) -> Result<(), String> {
    let variables = container.environment.iter_mut();
    for (name, value) in variables.filter(|(_, value)| *value == HIDDEN) {
        let kept = before.and_then(|before| before.environment.get(name));
        value.clone_from(kept.ok_or_else(|| variable(name))?);
    }
    for file in container.files.iter_mut().filter(|file| is_hidden(file)) {
        let same = before.and_then(|before| before.files.iter().find(|other| other.target == file.target));
        match same.map(|same| &same.content) {
            Some(content @ FileContent::Text(_)) => file.content.clone_from(content),
            _ => return Err(content_of(file)),
        }
    }
    Ok(())
}

fn hidden_in(container: &ContainerSettings) -> Option<String> {
    let mut variables = container.environment.iter();
    let mut files = container.files.iter();
    let hidden = variables
        .find(|(_, value)| *value == HIDDEN)
        .map(|(name, _)| variable(name));
    hidden.or_else(|| files.find(|file| is_hidden(file)).map(content_of))
}

fn is_hidden(file: &File) -> bool {
    matches!(&file.content, FileContent::Text(text) if text == HIDDEN)
}

fn variable(name: &str) -> String {
    format!("environment.{name}")
}

fn content_of(file: &File) -> String {
    format!("file.{}", file.target.display())
}

fn path(container: &str, key: &str) -> String {
    match container == Container::MAIN {
        true => key.to_owned(),
        false => format!("container.{container}.{key}"),
    }
}
