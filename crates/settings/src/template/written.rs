//! Templates in the form in which they are written: the keys of `[template.NAME]` with their values.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::{Readiness, TemplateSettings};
use orchestrator_model::ValueSource;

/// What stands in place of values that may be secrets.
pub const HIDDEN: &str = "***";

/// Whether the values of environment variables are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// They are, as the store keeps them.
    Nothing,
    /// [`HIDDEN`] stands in their place.
    Values,
}

impl TemplateSettings {
    /// The keys of `[template.NAME]`, each with its value, defaults too. [`read_template`](super::read_template) reads
    /// them back into the same. Lists that are empty are left out.
    ///
    /// Two templates mean the same if and only if they are written alike: keys are in their order.
    pub fn written(&self, hidden: Hidden) -> Json {
        let Self {
            engine,
            image,
            command,
            environment,
            environment_from,
            capabilities,
            resources,
            ready,
            grace,
            isolated,
            networks,
        } = self;
        let mut keys = Map::new();
        let mut put = |key: &str, value: Json| keys.insert(key.to_owned(), value);
        put("engine", json!(engine));
        put("image", json!(image));
        put("memory", limit(resources.memory.map(|bytes| json!(write_size(bytes)))));
        put("cpus", limit(resources.millicpus.map(write_cpus)));
        put("pids", limit(resources.pids.map(|pids| json!(pids))));
        put("grace", json!(write_lifespan(*grace)));
        put("isolated", json!(isolated));
        if let Some(ready) = ready {
            put("ready", write_readiness(ready));
        }
        let variables = write_environment(environment, environment_from, hidden);
        if !variables.is_empty() {
            put("environment", Json::Object(variables));
        }
        for (key, list) in [
            ("command", command),
            ("capabilities", capabilities),
            ("networks", networks),
        ] {
            if !list.is_empty() {
                put(key, json!(list));
            }
        }
        Json::Object(keys)
    }

    /// Takes values that are [`HIDDEN`] from the template that this one is to replace, so that what was shown can be
    /// given back.
    ///
    /// # Errors
    ///
    /// A variable that is hidden, and has no value there.
    pub fn keep_hidden(&mut self, before: &Self) -> Result<(), String> {
        for (name, value) in self.environment.iter_mut().filter(|(_, value)| *value == HIDDEN) {
            let kept = before.environment.get(name);
            value.clone_from(kept.ok_or_else(|| name.clone())?);
        }
        Ok(())
    }

    /// The first variable whose value is [`HIDDEN`]: there is nothing that it could be taken from.
    pub fn find_hidden(&self) -> Option<&str> {
        let hidden = self.environment.iter().find(|(_, value)| *value == HIDDEN);
        hidden.map(|(name, _)| name.as_str())
    }
}

fn limit(value: Option<Json>) -> Json {
    value.unwrap_or_else(|| json!("none"))
}

/// Thousandths of a processor, as processors.
fn write_cpus(millicpus: u32) -> Json {
    json!(f64::from(millicpus) / 1000.0)
}

fn write_readiness(ready: &Readiness) -> Json {
    let Readiness {
        tcp,
        within,
        every,
        failures,
        restarts,
    } = ready;
    json!({
        "tcp": tcp,
        "within": write_lifespan(*within),
        "every": write_lifespan(*every),
        "failures": failures,
        "restarts": restarts,
    })
}

fn write_environment(
    plain: &BTreeMap<String, String>,
    sourced: &BTreeMap<String, ValueSource>,
    hidden: Hidden,
) -> Map<String, Json> {
    let shown = |value: &str| match hidden {
        Hidden::Nothing => json!(value),
        Hidden::Values => json!(HIDDEN),
    };
    let plain = plain.iter().map(|(name, value)| (name.clone(), shown(value)));
    let sourced = sourced.iter().map(|(name, source)| {
        let source = match source {
            ValueSource::File(path) => json!({"file": path}),
            ValueSource::Credential(name) => json!({"credential": name}),
        };
        (name.clone(), source)
    });
    plain.chain(sourced).collect()
}

/// A span of time in the largest unit that says it in one number.
fn write_lifespan(span: Duration) -> String {
    let milliseconds = span.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units
        .iter()
        .find(|(_, unit)| milliseconds.is_multiple_of(*unit) && milliseconds > 0);
    match whole {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None if milliseconds == 0 => "0s".to_owned(),
        None => format!("{milliseconds}ms"),
    }
}

/// An amount of memory, which is whole KiB, in the largest unit that says it in one number.
fn write_size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20)];
    let whole = units
        .iter()
        .find(|(_, shift)| bytes.trailing_zeros() >= *shift && bytes > 0);
    match whole {
        Some((name, shift)) => format!("{}{name}", bytes >> shift),
        None => format!("{}KiB", bytes >> 10),
    }
}

/// Keys as TOML: one a line, tables inside of it in braces.
pub fn write_toml(keys: &Json) -> String {
    let Json::Object(table) = keys else {
        return write_value(keys);
    };
    let lines = table
        .iter()
        .map(|(key, value)| format!("{} = {}\n", write_key(key), write_value(value)));
    lines.collect()
}

fn write_key(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !key.is_empty() && key.bytes().all(is_bare) {
        true => key.to_owned(),
        false => Json::from(key).to_string(),
    }
}

fn write_value(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let entries = table.iter();
            let entries = entries.map(|(key, value)| format!("{} = {}", write_key(key), write_value(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Array(list) => format!("[{}]", list.iter().map(write_value).collect::<Vec<_>>().join(", ")),
        // JSON leaves this one as it is, and TOML does not take it.
        Json::String(text) => Json::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Settings;
    use crate::template::{parse_toml, read_template, reread_template};
    use orchestrator_model::Resources;

    fn settings() -> Settings {
        crate::parse("", std::iter::empty()).unwrap()
    }

    fn any_template() -> impl Strategy<Value = TemplateSettings> {
        let word = "[^\\x00]{0,12}";
        let environment = prop::collection::btree_map("[A-Za-z_. ]{1,8}", word, 0..4);
        let source = prop_oneof![
            Just(ValueSource::File("/etc/a".into())),
            Just(ValueSource::Credential("key".to_owned()))
        ];
        let sources = prop::collection::btree_map("[0-9]{1,4}", source, 0..3);
        let resources = (
            prop::option::of(6144_u64..1 << 30),
            prop::option::of(10_u32..1_024_000),
            prop::option::of(1_u32..=4_194_304),
        );
        let ready = prop::option::of((1_u16.., 1_u64..600_000, 1_u64..3600, 1_u32..100, 0_u32..100));
        let lists = (
            prop::collection::vec(word, 0..3),
            prop::sample::subsequence(vec!["CHOWN", "NET_RAW", "KILL"], 0..=3),
            prop::sample::subsequence(vec!["storage", "backup"], 0..=2),
        );
        (
            environment,
            sources,
            resources,
            ready,
            lists,
            0_u64..1 << 34,
            any::<bool>(),
        )
            .prop_map(
                |(environment, environment_from, (memory, millicpus, pids), ready, lists, grace, isolated)| {
                    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
                    TemplateSettings {
                        engine: "docker".to_owned(),
                        image: "web:2".to_owned(),
                        command: lists.0,
                        environment,
                        environment_from,
                        capabilities: owned(lists.1),
                        resources: Resources {
                            memory: memory.map(|memory| memory << 10),
                            millicpus,
                            pids,
                        },
                        ready: ready.map(|(tcp, within, every, failures, restarts)| Readiness {
                            tcp,
                            within: Duration::from_millis(within),
                            every: Duration::from_secs(every),
                            failures,
                            restarts,
                        }),
                        grace: Duration::from_millis(grace),
                        isolated,
                        networks: owned(lists.2),
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(template in any_template()) {
            let written = template.written(Hidden::Nothing);
            prop_assert_eq!(reread_template("a", &written, &settings()), Ok(template.clone()));
            // Also by way of a file.
            prop_assert_eq!(parse_toml("a", &write_toml(&written)), Ok(written));
        }

        #[test]
        fn no_value_is_shown_and_what_is_shown_can_be_given_back(template in any_template()) {
            let shown = template.written(Hidden::Values);
            let mut again = reread_template("a", &shown, &settings()).unwrap();
            prop_assert!(again.environment.values().all(|value| value == HIDDEN));
            again.keep_hidden(&template).unwrap();
            prop_assert_eq!(again, template);
        }
    }

    #[test]
    fn a_hidden_value_that_is_nowhere_is_missed() {
        let hidden = json!({"image": "a", "environment": {"TOKEN": HIDDEN}});
        let mut template = read_template("a", &hidden, &settings()).unwrap();
        let before = read_template("a", &json!({"image": "a"}), &settings()).unwrap();
        assert_eq!(template.find_hidden(), Some("TOKEN"));
        assert_eq!(template.keep_hidden(&before), Err("TOKEN".to_owned()));
    }

    #[test]
    fn amounts_are_written_as_people_do() {
        let template = read_template("a", &json!({"image": "a"}), &settings()).unwrap();
        assert_eq!(
            write_toml(&template.written(Hidden::Values)),
            "cpus = 0.5\nengine = \"docker\"\ngrace = \"30s\"\nimage = \"a\"\nisolated = true\nmemory = \"128MiB\"\npids = 128\n"
        );
        assert_eq!(write_lifespan(Duration::from_secs(5400)), "90m");
        assert_eq!(write_lifespan(Duration::from_millis(1500)), "1500ms");
    }
}
