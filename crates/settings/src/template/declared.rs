//! Templates that are declared through the API: the same keys, checks and messages as in `settings.toml`.

use config::{Value, ValueKind};
use serde_json::Value as Json;

use super::{TemplateSettings, is_name, read};
use crate::fault::{Collector, Fault};
use crate::reader::Table;
use crate::{Engines, Faults, NetworkSettings, Settings, network, tree};

/// Reads a template with this name from the keys of `[template.NAME]`, as JSON. The settings must have the engine and
/// the networks that it names.
///
/// # Errors
///
/// All faults of the template, each with its key, a remedy, and the nearest known key.
pub fn read_template(name: &str, keys: &Json, settings: &Settings) -> Result<TemplateSettings, Faults> {
    if !is_name(name) {
        return Err(Faults::from(Fault {
            key: format!("template.{name}"),
            variable: None,
            what: format!("{name:?} cannot be the name of a template"),
            remedy: "take a small letter and then at most 31 small letters, digits, \"-\" and \"_\"".to_owned(),
        }));
    }
    read_with(name, keys, &settings.engines, Some(&settings.networks))
}

/// Reads a recorded template, or that of a version of a service, whose name no operator can give. Networks that it names
/// may have been removed from the settings since.
///
/// # Errors
///
/// All faults of the template.
pub fn reread_template(name: &str, keys: &Json, settings: &Settings) -> Result<TemplateSettings, Faults> {
    read_with(name, keys, &settings.engines, None)
}

fn read_with(
    name: &str,
    keys: &Json,
    engines: &Engines,
    networks: Option<&[NetworkSettings]>,
) -> Result<TemplateSettings, Faults> {
    let path = format!("template.{name}");
    let faults = Collector::default();
    let template = Table::of_json(&path, keys, &faults).and_then(|table| read_in(table, engines, networks));
    faults.finish(template)
}

/// Reads the keys of a template that are left in a table of more keys, such as those of a service. Reports unknown keys.
/// If `networks_exist`, the settings must have the networks that it names. `None` only after a fault.
pub fn read_template_keys(table: Table<'_>, settings: &Settings, networks_exist: bool) -> Option<TemplateSettings> {
    let networks = networks_exist.then_some(settings.networks.as_slice());
    read_in(table, &settings.engines, networks)
}

fn read_in(table: Table<'_>, engines: &Engines, networks: Option<&[NetworkSettings]>) -> Option<TemplateSettings> {
    let (path, faults) = (table.path().to_owned(), table.faults());
    let template = read(table, engines)?;
    if let Some(networks) = networks {
        let known = networks.iter().map(|network| network.name.as_str());
        network::check_named(&path, &template.networks, known, faults);
    }
    Some(template)
}

/// Reads the keys of a template from TOML: those of `[template.NAME]`, with or without that heading.
///
/// # Errors
///
/// The reason, if it is not TOML or is another template.
pub fn parse_toml(name: &str, text: &str) -> Result<Json, String> {
    let Json::Object(mut keys) = json_of(tree::from_toml(text)?) else {
        return Err("holds no keys".to_owned());
    };
    if keys.len() != 1 || !keys.contains_key("template") {
        return Ok(Json::Object(keys));
    }
    match keys.remove("template") {
        Some(Json::Object(mut templates)) if templates.len() == 1 => templates
            .remove(name)
            .ok_or_else(|| format!("describes another template than {name}; give that one's name")),
        _ => Err(format!(
            "describes several templates; leave only [template.{name}] in it"
        )),
    }
}

/// Lays words like `image=web`, `ready.tcp=80` and `capabilities=NET_RAW,CHOWN` over the keys of a template.
///
/// A value is parsed as TOML if possible, so that it can be a number, flag, list or table; otherwise it is text. For
/// keys that take lists, commas separate the elements. An empty value removes the key.
///
/// # Errors
///
/// The first word that is not an assignment.
pub fn join_words<'w>(keys: &mut Json, words: impl IntoIterator<Item = &'w str>) -> Result<(), String> {
    words.into_iter().try_for_each(|word| join_word(keys, word))
}

fn join_word(keys: &mut Json, word: &str) -> Result<(), String> {
    let parts = word.split_once('=');
    let (path, text) = parts.ok_or_else(|| format!("{word:?} is no key=value; write it like image=web"))?;
    // The names of variables may hold dots.
    let path: Vec<&str> = match path.strip_prefix("environment.") {
        Some(variable) => vec!["environment", variable],
        None => path.split('.').collect(),
    };
    if path.iter().any(|key| key.is_empty()) {
        return Err(format!("{word:?} names no key; write it like image=web"));
    }
    let Some((last, way)) = path.split_last() else {
        return Ok(());
    };
    let mut table = keys;
    for key in way {
        table = &mut table[*key];
        if !table.is_object() {
            *table = Json::Object(serde_json::Map::new());
        }
    }
    let Json::Object(table) = table else {
        return Err("the template is not a table of keys".to_owned());
    };
    if text.is_empty() {
        table.remove(*last);
    } else {
        table.insert((*last).to_owned(), value_of_word(&path, text));
    }
    Ok(())
}

fn value_of_word(path: &[&str], text: &str) -> Json {
    // Variables are text, also where they look like numbers.
    if path.len() == 2 && path[0] == "environment" && !text.starts_with('{') {
        return Json::String(text.to_owned());
    }
    let parsed = tree::from_toml(&format!("value = {text}")).map(json_of);
    if let Ok(Json::Object(mut table)) = parsed
        && table.len() == 1
        && let Some(value) = table.remove("value")
    {
        return value;
    }
    let is_list = matches!(
        path,
        ["command" | "capabilities" | "networks" | "egress" | "open" | "peers" | "front_door_ports" | "client_may"]
            | ["resolver", "servers" | "search"]
    );
    match is_list {
        true => text
            .split(',')
            .map(|part| Json::String(part.trim().to_owned()))
            .collect(),
        false => Json::String(text.to_owned()),
    }
}

fn json_of(value: Value) -> Json {
    match value.kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(flag) => Json::Bool(flag),
        ValueKind::I64(whole) => whole.into(),
        ValueKind::U64(whole) => whole.into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => Json::String(text),
        ValueKind::Array(list) => list.into_iter().map(json_of).collect(),
        ValueKind::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| (key, json_of(value)));
            Json::Object(entries.collect())
        }
        // TOML has no larger numbers.
        other => Json::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        crate::parse("", std::iter::empty()).unwrap()
    }

    fn faults(name: &str, keys: &Json) -> Vec<String> {
        let faults = read_template(name, keys, &settings()).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn faults_are_those_of_the_settings_and_all_together() {
        let keys =
            json!({"imag": "web", "engine": "dokcer", "pids": "64", "ready": {"tcp": 0}, "capabilities": ["NET_ADMN"]});
        assert_eq!(
            faults("web", &keys),
            [
                "template.web.engine: \"dokcer\" is not known here; did you mean \"docker\"?",
                "template.web.image: is missing; name an image that the engine has, like \"orchestrator/client\"",
                "template.web.capabilities[0]: \"NET_ADMN\" is not a capability (did you mean \"NET_ADMIN\"?); \
                 name it as capabilities(7) does",
                "template.web.pids: is text, not a whole number without quotes; write a whole number without quotes",
                "template.web.ready.tcp: 0 is out of bounds; take 1 to 65535",
                "template.web.imag: is not a key that is known here; did you mean \"image\"?",
            ]
        );
        assert_eq!(faults("web", &json!([])).len(), 1);
        assert!(faults("Web", &json!({"image": "a"}))[0].contains("cannot be the name of a template"));
        let twice = json!({"image": "a", "networks": ["storage", "storage"]});
        assert_eq!(
            faults("web", &twice),
            [
                "template.web.networks: names a network twice; name each network once",
                "template.web.networks[0]: there is no network \"storage\"; describe it under [[network]] with \
                 name = \"storage\"",
                "template.web.networks[1]: there is no network \"storage\"; describe it under [[network]] with \
                 name = \"storage\"",
            ]
        );
    }

    #[test]
    fn words_and_files_say_the_same() {
        let mut of_words = json!({});
        let words = [
            "image=web:2",
            "pids=64",
            "isolated=false",
            "memory=64MiB",
            "ready.tcp=80",
            "capabilities=NET_RAW, CHOWN",
            "environment.A.B=1",
            "resolver.servers=fd39::53,fd39::54",
            "file=[{ target = \"/a\", text = \"b\" }]",
            "environment.TOKEN={ file = \"/etc/token\" }",
        ];
        join_words(&mut of_words, words).unwrap();
        let file = "[template.web]\nimage = \"web:2\"\npids = 64\nisolated = false\nmemory = \"64MiB\"\n\
                    capabilities = [\"NET_RAW\", \"CHOWN\"]\nready = { tcp = 80 }\n\
                    resolver = { servers = [\"fd39::53\", \"fd39::54\"] }\n\
                    [[template.web.file]]\ntarget = \"/a\"\ntext = \"b\"\n\
                    [template.web.environment]\n\"A.B\" = \"1\"\nTOKEN = { file = \"/etc/token\" }\n";
        assert_eq!(parse_toml("web", file).unwrap(), of_words);
        assert_eq!(parse_toml("web", "image = \"a\"").unwrap(), json!({"image": "a"}));
        assert!(
            parse_toml("other", file)
                .unwrap_err()
                .contains("another template than other")
        );
        join_words(&mut of_words, ["memory="]).unwrap();
        assert_eq!(of_words.get("memory"), None);
        assert!(
            join_words(&mut of_words, ["image"])
                .unwrap_err()
                .contains("no key=value")
        );
        assert!(join_words(&mut of_words, ["=a"]).unwrap_err().contains("names no key"));
    }
}
