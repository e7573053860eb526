//! Kinds of engines. Each reads its own settings and builds its own engines.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Engine, Mark};

/// A kind of engine that the program supports. A plugin implements it once, and `plugins/registry` lists it.
pub trait EngineKind: Send + Sync {
    /// The word for it in the settings: `kind = "docker"`.
    fn name(&self) -> &'static str;

    /// Reads all keys of this kind from a section of the settings. Faults are reported to the section; a faulty key
    /// then counts as missing.
    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings>;
}

/// The settings of one engine.
pub trait EngineSettings: Debug + Send + Sync {
    /// Each key with its value as text. Two different settings have different values here.
    fn values(&self) -> Vec<(&'static str, String)>;

    /// Builds the engine that templates call `name`. Everything that it makes carries `mark`. This does not contact the
    /// engine.
    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine>;
}

/// A section of the settings, whose keys are taken one by one. Keys that are not taken are reported as unknown.
///
/// Every method returns `None` if the key is missing or faulty. A fault is reported with the key and a remedy.
pub trait SettingsSection {
    /// Takes text that `check` accepts. Its error describes the fault; `remedy` says what to write.
    fn text(
        &mut self,
        key: &'static str,
        remedy: &str,
        check: &mut dyn FnMut(&str) -> Result<(), String>,
    ) -> Option<String>;

    /// Takes a duration within bounds.
    fn duration(&mut self, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Duration>;

    /// Takes a whole number within bounds.
    fn whole(&mut self, key: &'static str, bounds: RangeInclusive<i64>) -> Option<i64>;

    /// Takes an amount of bytes within bounds, such as `"1MiB"`.
    fn size(&mut self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64>;

    /// Takes a list of texts, at most so many.
    fn texts(&mut self, key: &'static str, most: usize) -> Option<Vec<String>>;

    /// Reports a fault of a key, such as one that is missing: what is wrong, and what to write.
    fn fault(&mut self, key: &'static str, what: &str, remedy: &str);

    /// Takes `true` or `false`.
    fn flag(&mut self, key: &'static str) -> Option<bool>;
}

impl dyn SettingsSection + '_ {
    /// Takes text that is parsed into a type.
    pub fn parse<T>(&mut self, key: &'static str, remedy: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let mut parsed = None;
        self.text(key, remedy, &mut |text| {
            parsed = Some(text.parse::<T>().map_err(|error| error.to_string())?);
            Ok(())
        })?;
        parsed
    }
}
