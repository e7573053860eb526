//! `orchestrator template`: lists and changes the templates of instances.

use clap::Subcommand;
use orchestrator_api_types::{TemplateImage, TemplateImageState, TemplateView};
use orchestrator_model::Timestamp;
use orchestrator_settings::{join_words, parse_toml, write_toml};
use serde_json::{Map, Value, json};

use crate::ages::age;
use crate::api::Api;
use crate::choose::{Consent, TEMPLATE};
use crate::failure::Failure;
use crate::image::short;
use crate::local::Local;
use crate::page;
use crate::reading::read_text;
use crate::session::{Output, Session};
use crate::table::{Column, Width, columns};

/// The largest file that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// Arguments of `template`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List templates, also those of the settings
    #[command(visible_alias = "ls")]
    List {
        /// Only these, also by a pattern like 'web-*'
        #[arg(value_name = "TEMPLATE")]
        names: Vec<String>,
    },
    /// Show a template as it would be written in the settings
    Show {
        /// Its name
        #[arg(value_name = "TEMPLATE")]
        name: String,
        /// A version that is not in force
        #[arg(long, value_name = "NUMBER")]
        version: Option<u64>,
    },
    /// Create a template
    Create(Content),
    /// Change a template. Keys that are not given keep their values; running instances do not change
    Set(Content),
    /// Have new instances made from what the names of images mean now; instances that exist do not change
    Update {
        /// Their names, also patterns like 'web-*'
        #[arg(required = true, value_name = "TEMPLATE")]
        names: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove templates that no link and no class names
    #[command(visible_alias = "rm")]
    Remove {
        /// Their names, also patterns like 'web-*'
        #[arg(required = true, value_name = "TEMPLATE")]
        names: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

/// The content for a template.
#[derive(Debug, clap::Args)]
struct Content {
    /// Its name
    #[arg(value_name = "TEMPLATE")]
    name: String,
    /// Keys with their values, as in the settings: image=web ready.tcp=80 environment.TZ=UTC
    /// capabilities=NET_RAW,CHOWN. An empty value gives a key its default
    #[arg(value_name = "KEY=VALUE", required_unless_present = "file")]
    words: Vec<String>,
    /// A file with all keys in TOML, as in the settings, with or without [template.NAME]; "-" is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let api = session.api;
    match &args.verb {
        Verb::List { names } => list(names, session).await,
        Verb::Show { name, version } => {
            let path = match version {
                Some(version) => format!("{}/versions/{version}", path_of(name)),
                None => path_of(name),
            };
            show(&get(&path, api).await?, session)
        }
        Verb::Create(content) => {
            let spec = content.over(json!({}), session.local).await?;
            let body = json!({ "name": content.name, "spec": spec });
            let answer = api.post("/v1/templates", body.to_string().into()).await?;
            said(&page::parse(&answer, "a template")?, "created", session)
        }
        Verb::Set(content) => {
            let path = path_of(&content.name);
            let before = get(&path, api).await?;
            let spec = content.over(before["spec"].clone(), session.local).await?;
            let body = json!({ "spec": spec, "version": before["version"] });
            let answer = api.put(&path, body.to_string().into()).await?;
            said(&page::parse(&answer, "a template")?, "in force", session)
        }
        Verb::Update { names, consent } => {
            let names = TEMPLATE.meant_to("update", names, *consent, api, session.local).await?;
            let mut all = Vec::new();
            for name in &names {
                let (item, what) = update(name, api).await?;
                all.push(say(item, what, session)?);
            }
            session.print_items(&all)
        }
        Verb::Remove { names, consent } => {
            let names = TEMPLATE.meant_to("remove", names, *consent, api, session.local).await?;
            let mut all = Vec::new();
            for name in &names {
                let answer = api.delete(&path_of(name)).await?;
                all.push(say(page::parse(&answer, "a template")?, "removed", session)?);
            }
            session.print_items(&all)
        }
    }
}

/// Pins a template to the present images. Says so when it has them already.
async fn update(name: &str, api: &dyn Api) -> Result<(Value, &'static str), Failure> {
    let before: TemplateView = page::read(&get(&path_of(name), api).await?, "a template")?;
    let path = format!("{}/update", path_of(name));
    let answer = api.post(&path, Vec::new()).await?;
    let item: Value = page::parse(&answer, "a template")?;
    let after: TemplateView = page::read(&item, "a template")?;
    let what = match after.version == before.version {
        true => "has the present images already",
        false => "in force, with the present images",
    };
    Ok((item, what))
}

/// Says what became of one of several templates to people, and returns it for programs.
fn say(item: Value, what: &str, session: &mut Session<'_>) -> Result<Value, Failure> {
    if !session.output.is_data() {
        said(&item, what, session)?;
    }
    Ok(item)
}

impl Content {
    /// The keys of the file, or else those of the template before, overlaid with the keys of the arguments.
    async fn over(&self, before: Value, local: &dyn Local) -> Result<Value, Failure> {
        let mut keys = match &self.file {
            Some(file) => {
                let text = read_text(file, LARGEST, local).await?;
                parse_toml(&self.name, &text).map_err(|what| Failure::Given {
                    what: format!("{file} {what}"),
                })?
            }
            None => before,
        };
        let words = self.words.iter().map(String::as_str);
        join_words(&mut keys, words).map_err(|what| Failure::Given { what })?;
        Ok(keys)
    }
}

fn path_of(name: &str) -> String {
    format!("/v1/templates/{}", page::encode(name))
}

async fn get(path: &str, api: &dyn Api) -> Result<Value, Failure> {
    page::parse(&api.get(path).await?, "a template")
}

async fn list(names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let items = TEMPLATE.keep(page::all(session.api, TEMPLATE.path, &[]).await?, names)?;
    session.print_value(&items, |now, width| listed(&items, now, width))
}

fn listed(items: &[Value], now: Timestamp, width: Width) -> Result<String, Failure> {
    let row = |item| {
        let template: TemplateView = page::read(item, "a template")?;
        let place = template.origin.to_string();
        let image = template.spec.get("image").and_then(Value::as_str);
        let state = image_state(&template.images);
        Ok(vec![
            template.name,
            template.version.to_string(),
            match template.in_force {
                true => place,
                false => format!("{place}, not in force"),
            },
            image.unwrap_or_default().to_owned(),
            state.to_owned(),
            template.used_by.join(", "),
            age(template.changed, now),
            template.by.unwrap_or_default(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        "TEMPLATE", "VERSION", "DECLARED", "IMAGE", "IMAGE IS", "USED BY", "AGE", "BY",
    ]
    .map(Column::new);
    Ok(columns(&header, rows, width))
}

/// The state of the images of a template that most needs somebody.
fn image_state(images: &[TemplateImage]) -> &'static str {
    let by_need = [
        (TemplateImageState::Gone, "gone"),
        (TemplateImageState::Missing, "missing"),
        (TemplateImageState::Newer, "pinned; newer image"),
        (TemplateImageState::Unknown, "unknown"),
        (TemplateImageState::Unpinned, "there"),
        (TemplateImageState::Pinned, "pinned"),
    ];
    let mut found = by_need
        .into_iter()
        .filter(|(state, _)| images.iter().any(|image| image.state == *state));
    found.next().map_or("", |(_, text)| text)
}

/// One line about an image, with what to do if something is to be done.
fn image_line(template: &str, image: &TemplateImage) -> String {
    let TemplateImage {
        engine,
        image,
        digest,
        present,
        state,
        ..
    } = image;
    let digest = digest.as_deref().map(short).unwrap_or_default();
    let what = match state {
        TemplateImageState::Pinned => format!("pinned to {digest}"),
        TemplateImageState::Newer => format!(
            "pinned to {digest}; newer image: {}; `orchestrator template update {template}` takes it",
            present.as_deref().map(short).unwrap_or_default()
        ),
        TemplateImageState::Gone => format!(
            "pinned to {digest}, which is gone; load or pull it again, or `orchestrator template update {template}`"
        ),
        TemplateImageState::Missing => "missing; load or pull it".to_owned(),
        TemplateImageState::Unpinned => "there; it is pinned when it is first used".to_owned(),
        TemplateImageState::Unknown => "the engine does not answer".to_owned(),
    };
    format!("image {image} on engine {engine}: {what}")
}

/// Prints a template as a file that can be edited and passed back.
fn show(item: &Value, session: &mut Session<'_>) -> Result<(), Failure> {
    session.print_value(item, |_, _| shown(item))
}

fn shown(item: &Value) -> Result<String, Failure> {
    let template: TemplateView = page::read(item, "a template")?;
    let TemplateView {
        name,
        version,
        origin,
        in_force,
        used_by,
        by,
        images,
        ..
    } = template;
    let mut about = vec![
        format!("version {version}"),
        format!("declared in the {}", place(origin.word())),
    ];
    about.extend(by.map(|by| format!("by {by}")));
    if !in_force {
        about.push("not in force".to_owned());
    }
    if !used_by.is_empty() {
        about.push(format!("used by {}", used_by.join(", ")));
    }
    let mut keys: Map<String, Value> = template.spec;
    // This comes last, because it is a table of its own.
    let environment = keys.remove("environment");
    let lines = images.iter().map(|image| format!("# {}\n", image_line(&name, image)));
    let mut text = format!(
        "# {}\n{}[template.{name}]\n{}",
        about.join(", "),
        lines.collect::<String>(),
        write_toml(&Value::Object(keys))
    );
    if let Some(environment) = environment {
        text.push_str(&format!(
            "\n[template.{name}.environment]\n{}",
            write_toml(&environment)
        ));
    }
    Ok(text.trim_end().to_owned())
}

fn place(origin: &str) -> &str {
    match origin {
        "api" => "API",
        other => other,
    }
}

fn said(item: &Value, what: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let template: TemplateView = page::read(item, "a template")?;
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(item),
        Output::Table | Output::Wide => session.print(&format!(
            "template {}, version {}: {what}",
            template.name, template.version
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn item() -> Value {
        json!({
            "name": "web", "version": 3, "origin": "api", "in_force": true, "changed": "2023-11-14T22:13:10Z",
            "by": "user ada", "used_by": ["link br0", "class boot"],
            "images": [{
                "host": "local", "engine": "docker", "image": "web:2", "digest": "sha256:0123456789abcdef",
                "pinned": "2023-11-14T22:13:10Z", "present": "sha256:fedcba9876543210", "state": "newer",
            }],
            "spec": {"image": "web:2", "pids": 64, "environment": {"A.B": "***", "TOKEN": {"file": "/etc/token"}}}
        })
    }

    #[test]
    fn templates_as_a_table() {
        let mut covered = item();
        covered["in_force"] = json!(false);
        covered["used_by"] = json!([]);
        covered["images"] = json!([]);
        let now = Timestamp(1_700_000_000_000);
        let expected = "\
TEMPLATE  VERSION  DECLARED           IMAGE  IMAGE IS             USED BY               AGE  BY
web       3        api                web:2  pinned; newer image  link br0, class boot  10s  user ada
web       3        api, not in force  web:2  -                    -                     10s  user ada";
        assert_eq!(listed(&[item(), covered], now, Width::Narrow).unwrap(), expected);
    }

    #[test]
    fn what_is_shown_can_be_given_back() {
        let shown = shown(&item()).unwrap();
        let expected = "\
# version 3, declared in the API, by user ada, used by link br0, class boot
# image web:2 on engine docker: pinned to 0123456789ab; newer image: fedcba987654; `orchestrator template update web` takes it
[template.web]
image = \"web:2\"
pids = 64

[template.web.environment]
\"A.B\" = \"***\"
TOKEN = { file = \"/etc/token\" }";
        assert_eq!(shown, expected);
        assert_eq!(parse_toml("web", &shown).unwrap(), item()["spec"]);
    }

    #[test]
    fn containers_and_files_are_shown_as_they_can_be_given_back() {
        let mut item = item();
        item["spec"] = json!({
            "image": "web:2",
            "container": [{"name": "proxy", "image": "haproxy", "file": [{"target": "/a", "text": "***"}]}],
            "resolver": {"servers": ["fd39::53"], "search": []},
        });
        let shown = shown(&item).unwrap();
        assert!(
            shown.contains("container = [{ file = [{ target = \"/a\", text = \"***\" }], image = \"haproxy\""),
            "{shown}"
        );
        assert_eq!(parse_toml("web", &shown).unwrap(), item["spec"]);
    }

    #[tokio::test]
    async fn words_are_laid_over_what_there_is() {
        let line = Line::try_parse_from(["template", "set", "web", "pids=65", "environment.TZ=UTC"]).unwrap();
        let Verb::Set(content) = line.args.verb else { panic!() };
        let before = json!({"image": "a", "pids": 1});
        let keys = content.over(before, &crate::Nothing).await.unwrap();
        assert_eq!(keys, json!({"image": "a", "pids": 65, "environment": {"TZ": "UTC"}}));
        for line in [&["template", "create", "web"][..], &["template", "remove"]] {
            assert!(Line::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
