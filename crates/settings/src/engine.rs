//! `[engine.NAME]`: the engines that containers run on.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Engine, EngineKind, EngineSettings, Mark, SettingsSection};

use super::reader::Table;
use super::size::{parse_size, write_size};
use super::template::is_name;

/// The engines by name, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Engines {
    engines: BTreeMap<String, ConfiguredEngine>,
    /// The names of all engines in the settings, including faulty ones.
    names: Vec<String>,
    /// The engine of templates that name none.
    default: Option<String>,
}

/// An engine: its kind, and the settings of that kind.
#[derive(Clone)]
pub struct ConfiguredEngine {
    /// The word for its kind.
    pub kind: &'static str,
    /// The settings that only its kind knows.
    pub settings: Arc<dyn EngineSettings>,
}

impl Engines {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The engine of this name.
    pub fn get(&self, name: &str) -> Option<&ConfiguredEngine> {
        self.engines.get(name)
    }

    /// Builds every engine. Everything that the engines create carries `mark`. This does not contact them.
    pub fn build(&self, mark: Mark) -> Vec<Arc<dyn Engine>> {
        let engines = self.engines.iter();
        engines
            .map(|(name, engine)| engine.settings.build(name, mark))
            .collect()
    }

    /// The engine of templates that name none: the only one, or the one with the name of the first kind.
    pub(super) fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Reads the engines. If none is written, there is one of the first kind with its defaults.
    pub(super) fn read(mut table: Table<'_>, kinds: &[&dyn EngineKind]) -> Self {
        let (mut engines, mut names) = (BTreeMap::new(), Vec::new());
        for (name, entry) in table.drain() {
            names.push(name.clone());
            if !is_name(&name) {
                entry.fault(
                    format!("{name:?} cannot be the name of an engine"),
                    "take a small letter and then at most 31 small letters, digits, \"-\" and \"_\"",
                );
            } else if let Some(engine) = entry.table().and_then(|table| read_engine(&name, table, kinds)) {
                engines.insert(name, engine);
            }
        }
        let first = kinds.first().map(|kind| kind.name());
        if names.is_empty()
            && let Some(first) = first
        {
            names.push(first.to_owned());
            let defaults = read_engine(first, table.section(first), kinds);
            engines.extend(defaults.map(|engine| (first.to_owned(), engine)));
        }
        let default = match names.as_slice() {
            [only] => Some(only.clone()),
            names => names.iter().find(|name| Some(name.as_str()) == first).cloned(),
        };
        Self {
            engines,
            names,
            default,
        }
    }
}

/// Reads an engine; `None` only after a fault.
fn read_engine(name: &str, mut table: Table<'_>, kinds: &[&dyn EngineKind]) -> Option<ConfiguredEngine> {
    let words: Vec<_> = kinds.iter().map(|kind| (kind.name(), *kind)).collect();
    let kind = match table.take("kind") {
        Some(entry) => entry.choice(&words),
        None => {
            let of_name = kinds.iter().find(|kind| kind.name() == name).copied();
            if of_name.is_none() {
                let example = kinds.first().map_or("docker", |kind| kind.name());
                table.fault(
                    "kind",
                    "is missing",
                    format!("write what it is, like kind = {example:?}"),
                );
            }
            of_name
        }
    }?;
    let settings = kind.read(&mut table);
    table.finish();
    Some(ConfiguredEngine {
        kind: kind.name(),
        settings,
    })
}

impl SettingsSection for Table<'_> {
    fn text(
        &mut self,
        key: &'static str,
        remedy: &str,
        check: &mut dyn FnMut(&str) -> Result<(), String>,
    ) -> Option<String> {
        let entry = self.take(key)?;
        entry.parse(remedy, |text| check(text).map(|()| text.to_owned()))
    }

    fn duration(&mut self, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        self.take(key)?.lifespan(bounds)
    }

    fn whole(&mut self, key: &'static str, bounds: RangeInclusive<i64>) -> Option<i64> {
        self.take(key)?.whole(bounds)
    }

    fn size(&mut self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let [least, most] = [*bounds.start(), *bounds.end()].map(write_size);
        self.take(key)?
            .parse(&format!("take \"{least}\" to \"{most}\""), |text| {
                let bytes = parse_size(text).map_err(|error| error.to_string())?;
                match bounds.contains(&bytes) {
                    true => Ok(bytes),
                    false => Err(format!("{text} is out of bounds")),
                }
            })
    }

    fn texts(&mut self, key: &'static str, most: usize) -> Option<Vec<String>> {
        self.take(key)?.list_of(most, |entry| entry.text())
    }

    fn fault(&mut self, key: &'static str, what: &str, remedy: &str) {
        Table::fault(self, key, what, remedy);
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.take(key)?.flag()
    }
}

impl PartialEq for ConfiguredEngine {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.settings.values() == other.settings.values()
    }
}

impl fmt::Debug for ConfiguredEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.kind).field("settings", &self.settings).finish()
    }
}
