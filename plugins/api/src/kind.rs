//! Kinds of engines: each reads its own settings and builds its own engines.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Engine, Mark};

/// A kind of engine that the program can drive. A plugin implements it once, and `plugins/registry` lists it.
pub trait EngineKind: Send + Sync {
    /// The word for it in the settings: `kind = "docker"`.
    fn name(&self) -> &'static str;

    /// Takes all keys of this kind out of a section of the settings. What is wrong is reported to the section; a faulty
    /// key then counts as if it were missing.
    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings>;
}

/// The settings of one engine.
pub trait EngineSettings: Debug + Send + Sync {
    /// Each key with its value as text: every two settings that differ, differ here.
    fn values(&self) -> Vec<(&'static str, String)>;

    /// The engine that templates call `name`. What it makes bears `mark`. Asks the engine nothing.
    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine>;
}

/// A section of the settings whose keys are taken one by one. A key that nobody takes is reported as unknown.
///
/// Every method returns `None` when the key is missing or faulty; a fault is reported with the key and what to do.
pub trait SettingsSection {
    /// Takes text that `check` has nothing against; its error says what is wrong, `remedy` what to write.
    fn text(
        &mut self,
        key: &'static str,
        remedy: &str,
        check: &mut dyn FnMut(&str) -> Result<(), String>,
    ) -> Option<String>;

    /// Takes a span of time within bounds.
    fn duration(&mut self, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Duration>;

    /// Takes a whole number within bounds.
    fn whole(&mut self, key: &'static str, bounds: RangeInclusive<i64>) -> Option<i64>;

    /// Takes an amount of bytes within bounds, such as `"1MiB"`.
    fn size(&mut self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64>;

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
