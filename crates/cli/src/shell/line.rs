//! Lines at the prompt: the verbs that only talk to the API, and those that read or write files here besides.

use clap::{CommandFactory, Parser, Subcommand};
use orchestrator_verbs::{Misuse, Output, Session};

use super::super::failure::Failure;
use super::super::http::Client;
use super::super::{image, registry, template, volume};

/// The verbs of a line.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The verbs that only talk to the API.
    #[command(flatten)]
    Api(orchestrator_verbs::Verb),
    /// List, create, change and remove templates
    Template(template::Args),
    /// List, remove and export volumes
    Volume(volume::Args),
    /// Load, fetch, list and remove images of the engines
    Image(image::Args),
    /// Give and forget the passwords of registries
    Registry(registry::Args),
}

/// A line without the program's name: `image ls -o json`.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", no_binary_name = true, disable_help_subcommand = true)]
pub(super) struct Line {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// The verb to run.
    #[command(subcommand)]
    verb: Verb,
}

impl Line {
    /// Parses the words of a line.
    ///
    /// # Errors
    ///
    /// When the words are not understood, or ask for help.
    pub(super) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Misuse> {
        Self::try_parse_from(words).map_err(|fault| Misuse {
            text: fault.render().to_string(),
            is_help: !fault.use_stderr(),
        })
    }

    /// The parser, for completion.
    pub(super) fn parser() -> clap::Command {
        Self::command()
    }

    /// Runs the verb, as it is run outside.
    pub(super) async fn run(&self, session: &mut Session<'_>, client: &Client) -> Result<(), Failure> {
        let output = session.output;
        match &self.verb {
            Verb::Api(verb) => Ok(verb.run(session).await?),
            Verb::Template(args) => template::run(args, output, client).await,
            Verb::Volume(args) => volume::run(args, output, client).await,
            Verb::Image(args) => image::run(args, output, client).await,
            Verb::Registry(args) => registry::run(args, output, client).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_verbs::complete::{Names, complete};

    use super::*;

    #[test]
    fn what_is_a_line_outside_is_one_inside() {
        for line in [
            "template list",
            "template set web image=web:2",
            "volume ls home*",
            "volume export 3f9a2c01d2e4 /tmp/x.tar",
            "image pull registry.example/web:1 --engine docker",
            "image ls -o json",
            "registry ls",
            "ls clients",
        ] {
            Line::parse(line.split(' ')).unwrap_or_else(|misuse| panic!("{line}: {}", misuse.text));
        }
        // What touches more of this machine than files stays outside.
        for line in ["backup /tmp/x", "serve", "shell", "doctor", "ls --api unix:/elsewhere"] {
            assert!(!Line::parse(line.split(' ')).unwrap_err().is_help, "{line}");
        }
    }

    #[test]
    fn templates_volumes_and_images_are_completed() {
        let names = |kind| match kind {
            Names::Templates => vec!["small".to_owned(), "large".to_owned()],
            Names::Volumes => vec!["3f9a2c01d2e4".to_owned(), "home".to_owned()],
            Names::Images => vec!["web:1".to_owned()],
            Names::Engines => vec!["docker".to_owned()],
            other => panic!("{other:?} is not asked for"),
        };
        for (line, expected) in [
            ("template show s", vec!["small"]),
            ("template set l", vec!["large"]),
            ("template update ", vec!["large", "small"]),
            ("volume rm h", vec!["home"]),
            ("volume export 3", vec!["3f9a2c01d2e4"]),
            ("image rm w", vec!["web:1"]),
            ("image ls --engine d", vec!["docker"]),
            ("ima", vec!["image"]),
            ("image pr", vec!["prune"]),
        ] {
            assert_eq!(complete(&Line::parser(), line, names).1, expected, "{line}");
        }
    }
}
