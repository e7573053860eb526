//! What the options of `deploy` change in the services of a file.

use orchestrator_settings::join_words;
use serde_json::{Value as Json, json};

/// What the options of `deploy` change in each service of a file. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys with values: `image=web:2`, `environment.MODE=test`, `placement.host=one`. A dot leads into a table. A value is
    /// parsed as TOML if that is possible, and is text otherwise; without a value the key is removed.
    pub overrides: Vec<String>,
    /// This and a dash are put before the name.
    pub namespace: Option<String>,
    /// A dash and this are put behind the name.
    pub suffix: Option<String>,
    /// The number of instances.
    pub replicas: Option<u32>,
}

impl Changes {
    /// Changes the keys of a service: first the overrides, then the number of instances, then the name.
    ///
    /// # Errors
    ///
    /// The first override that is not an assignment.
    pub fn apply(&self, keys: &mut Json) -> Result<(), String> {
        if !keys.is_object() {
            return Err("a service is a table of keys".to_owned());
        }
        join_words(keys, self.overrides.iter().map(String::as_str))?;
        if let Some(replicas) = self.replicas {
            keys["instances"] = json!(replicas);
        }
        if let Some(Json::String(name)) = keys.get_mut("name") {
            let parts = [self.namespace.as_deref(), Some(name), self.suffix.as_deref()];
            *name = parts.into_iter().flatten().collect::<Vec<_>>().join("-");
        }
        Ok(())
    }
}
