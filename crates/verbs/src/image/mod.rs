//! `orchestrator image`: loads, fetches, lists and removes images of the engines.

mod load;
mod prune;
mod pull;
mod sum;

use clap::Subcommand;
use orchestrator_api_types::{EngineFault, Image, ImageSource, Images};
use orchestrator_model::Timestamp;

use crate::ages::age;
use crate::choose::{Consent, IMAGE, agree, expand};
use crate::failure::Failure;
use crate::glob::{is_pattern, matches};
use crate::page;
use crate::printable::printable;
use crate::session::Session;
use crate::table::{Column, Width, columns};
pub(crate) use sum::amount;

/// Arguments of `image`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Load the images of an archive that `docker save` wrote, or of an OCI layout
    Load {
        /// The archive; "-" is standard input
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        engine: Engine,
    },
    /// Fetch an image from its registry; `orchestrator registry login` gives the password
    Pull {
        /// The image, like registry.example/web:1.2
        image: String,
        #[command(flatten)]
        engine: Engine,
    },
    /// List the images of all engines
    Ls {
        /// Only these: names or ids, also by a pattern like 'web:*'
        #[arg(value_name = "IMAGE")]
        names: Vec<String>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Remove the images that were loaded or fetched through the daemon and that nothing uses
    Prune {
        /// Only print what would be removed
        #[arg(long)]
        dry_run: bool,
        /// How many unused images of each repository stay, the newest ones; by default what the settings say
        #[arg(long, value_name = "NUMBER")]
        keep: Option<u16>,
    },
    /// Remove names of images, and images with their last name; or images by their ids
    Rm {
        /// Names or ids, also patterns like 'web:*'
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<String>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        engine: Engine,
    },
}

/// Which engine.
#[derive(Debug, clap::Args)]
struct Engine {
    /// The engine, when there are several
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
}

impl Engine {
    /// A path with the engine in its query.
    fn path(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut query = more.to_vec();
        query.extend(self.engine.as_deref().map(|engine| ("engine", engine)));
        page::with_query(path, &query)
    }
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Load { file, engine } => {
            let loaded = load::run(file, &engine.path("/v1/images", &[]), session).await?;
            said(&loaded.items, "loaded", session)
        }
        Verb::Pull { image, engine } => {
            let pulled = pull::run(image, engine.engine.as_deref(), session).await?;
            said(&[pulled], "there", session)
        }
        Verb::Ls { names, engine } => list(&engine.path("/v1/images", &[]), names, session).await,
        Verb::Prune { dry_run, keep } => prune::run(*dry_run, *keep, session).await,
        Verb::Rm {
            images,
            consent,
            engine,
        } => {
            let meant = meant(images, engine, session).await?;
            agree("remove", IMAGE.several, images, &meant, *consent, session.local).await?;
            remove(&meant, engine, session).await
        }
    }
}

async fn remove(images: &[String], engine: &Engine, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut removed = Vec::new();
    for image in images {
        let path = engine.path("/v1/images", &[("image", image)]);
        session.api.delete(&path).await?;
        match session.output.is_data() {
            true => removed.push(image),
            false => session.print(&format!("{image}: removed"))?,
        }
    }
    match session.output.is_data() {
        true => session.print_json(&removed),
        false => Ok(()),
    }
}

/// The names and ids that the words mean: those that a pattern matches, and every other word as it is.
async fn meant(words: &[String], engine: &Engine, session: &Session<'_>) -> Result<Vec<String>, Failure> {
    if !words.iter().any(|word| is_pattern(word)) {
        return Ok(words.to_vec());
    }
    let answer = session.api.get(&engine.path("/v1/images", &[])).await?;
    let images: Images = page::parse(&answer, "images")?;
    let matching = |word: &str| {
        let names = images.items.iter().flat_map(names_of);
        names.filter(|name| matches(word, name)).collect()
    };
    expand(words, matching, |word| IMAGE.none(word))
}

/// The names of an image, by which it is removed: it goes with its last name. One without a name is known by its id.
fn names_of(image: &Image) -> Vec<String> {
    match image.names.as_slice() {
        [] => vec![image.id.clone()],
        names => names.to_vec(),
    }
}

async fn list(path: &str, names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let mut images: Images = page::parse(&session.api.get(path).await?, "images")?;
    let all_names = |image: &Image| {
        let names = image.names.iter().chain([&image.id]);
        names.cloned().collect()
    };
    images.items = IMAGE.keep_by(images.items, names, all_names)?;
    session.print_value(&images, |now, width| Ok(listed(&images.items, now, width)))?;
    without_faults(&images.faults, "listed", session)
}

/// Reports the engines that failed. The verb fails with the first one.
fn without_faults(faults: &[EngineFault], done: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    for fault in faults {
        let text = format!("engine {}: {}", fault.engine, fault.reason);
        session.sink.warn(&printable(&text));
    }
    match faults.first() {
        None => Ok(()),
        Some(fault) => Err(Failure::Given {
            what: format!("the images of engine {} are not {done}", fault.engine),
        }),
    }
}

fn listed(images: &[Image], now: Timestamp, width: Width) -> String {
    let rows = images.iter().map(|image| {
        vec![
            image.names.join(", "),
            image.engine.clone(),
            short(&image.id),
            image.size.map(amount).unwrap_or_default(),
            image.created.map(|created| age(created, now)).unwrap_or_default(),
            source(image).to_owned(),
            image.unused.map(|unused| age(unused, now)).unwrap_or_default(),
            image.used_by.join(", "),
        ]
    });
    let header = ["IMAGE", "ENGINE", "ID", "SIZE", "BUILT", "OURS", "UNUSED", "USED BY"].map(Column::new);
    columns(&header, rows, width)
}

/// How an image of ours was brought.
fn source(image: &Image) -> &'static str {
    image.source.map_or("", ImageSource::word)
}

/// The digits of a digest that people go by.
pub(super) fn short(id: &str) -> String {
    id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect()
}

fn said(images: &[Image], what: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    if session.output.is_data() {
        return session.print_json(&images);
    }
    let lines: Vec<String> = images
        .iter()
        .map(|image| {
            let name = image.names.first().unwrap_or(&image.id);
            format!("{name}: {what} on engine {} ({})", image.engine, short(&image.id))
        })
        .collect();
    session.print(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_listed_with_short_ids() {
        let image = Image {
            engine: "docker".to_owned(),
            id: format!("sha256:{}", "0a".repeat(32)),
            names: vec!["web:1".to_owned()],
            digests: Vec::new(),
            size: Some(3 << 20),
            created: None,
            used: None,
            templates: vec!["web".to_owned()],
            ours: true,
            source: Some(ImageSource::Pulled),
            brought: None,
            by: None,
            used_by: vec!["template web".to_owned()],
            unused: None,
        };
        let text = listed(&[image], Timestamp(0), Width::Wide);
        let row = text.lines().nth(1).unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "web:1",
                "docker",
                "0a0a0a0a0a0a",
                "3.0",
                "MiB",
                "-",
                "pulled",
                "-",
                "template",
                "web"
            ]
        );
    }
}
