//! Completes a line: verbs, options and names.

use clap::{Arg, Command};

use super::api::Api;
use super::choose::{CLIENT, ENGINE, IMAGE, Kind, SERVICE, TEMPLATE, TOKEN, VOLUME};
use super::failure::Failure;
use super::printable::printable;
use super::{page, select};

/// The things whose names can stand at a place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// Instances, by the names that the toolkit gives them.
    Instances,
    /// Clients, by their ids.
    Clients,
    /// Services.
    Services,
    /// Templates.
    Templates,
    /// Volumes, by id and name.
    Volumes,
    /// Images, by name.
    Images,
    /// Engines.
    Engines,
    /// Tokens.
    Tokens,
}

impl Names {
    /// What an argument with this value name takes.
    fn of(value: &str) -> &'static [Self] {
        match value {
            "INSTANCE" | "PATTERN" => &[Self::Instances],
            "CLIENT" => &[Self::Clients],
            // Of whatever has one.
            "ID" => &[Self::Instances, Self::Clients, Self::Services],
            "SERVICE" => &[Self::Services],
            "TEMPLATE" => &[Self::Templates],
            "VOLUME" => &[Self::Volumes],
            "IMAGE" => &[Self::Images],
            "ENGINE" => &[Self::Engines],
            "TOKEN" => &[Self::Tokens],
            _ => &[],
        }
    }

    /// What `ls` lists by this word.
    fn listed(noun: &str) -> Option<Self> {
        match noun {
            "instances" => Some(Self::Instances),
            "clients" => Some(Self::Clients),
            "services" => Some(Self::Services),
            "tokens" => Some(Self::Tokens),
            _ => None,
        }
    }

    /// Where they are listed, and the key of the name that a line takes first; `None` for instances.
    fn kind(self) -> Option<(Kind, &'static [&'static str])> {
        Some(match self {
            Self::Instances => return None,
            Self::Clients => (CLIENT, &["id"]),
            Self::Services => (SERVICE, &["name"]),
            Self::Templates => (TEMPLATE, &["name"]),
            Self::Volumes => (VOLUME, &["id", "name"]),
            Self::Images => (IMAGE, &["names"]),
            Self::Engines => (ENGINE, &["name"]),
            Self::Tokens => (TOKEN, &["name"]),
        })
    }

    /// The names that the daemon has, as far as they can be typed as they are.
    ///
    /// # Errors
    ///
    /// When the API refuses or does not answer.
    pub async fn read(self, api: &dyn Api) -> Result<Vec<String>, Failure> {
        let mut names = match self.kind() {
            None => select::names_of(api).await?,
            Some((kind, keys)) => {
                let items = page::all(api, kind.path, &[]).await?;
                items
                    .iter()
                    .flat_map(|item| Kind { keys, ..kind }.names(item))
                    .collect()
            }
        };
        // Clients choose their names: nothing that acts on the terminal, and nothing that would be several words.
        let is_plain = |name: &String| {
            !name.is_empty()
                && printable(name) == *name
                && !name.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\\' | '#'))
        };
        names.retain(is_plain);
        Ok(names)
    }
}

/// The words that a line of this parser may go on with at its end: where the word begins that they replace, in bytes, and
/// the words. `names` gives the names that the daemon has.
pub fn complete(parser: &Command, line: &str, names: impl Fn(Names) -> Vec<String>) -> (usize, Vec<String>) {
    let begin = line.rfind(char::is_whitespace).map_or(0, |place| place + 1);
    let (before, word) = line.split_at(begin);
    let mut command = parser.clone();
    command.build();
    let mut at = &command;
    let before: Vec<&str> = before.split_whitespace().collect();
    for word in &before {
        if let Some(verb) = at.find_subcommand(word) {
            at = verb;
        }
    }
    let candidates = match (before.contains(&"--"), word.starts_with('-')) {
        (true, _) => Vec::new(),
        (false, true) => options(at),
        (false, false) if at.has_subcommands() => verbs(at),
        (false, false) => match before.last().and_then(|last| option(at, last)) {
            Some(option) => values(option, &before, &names),
            None => at
                .get_positionals()
                .flat_map(|one| values(one, &before, &names))
                .collect(),
        },
    };
    let mut fitting: Vec<String> = candidates.into_iter().filter(|one| one.starts_with(word)).collect();
    fitting.sort();
    fitting.dedup();
    (begin, fitting)
}

fn verbs(command: &Command) -> Vec<String> {
    let mut verbs: Vec<String> = command
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    if command.get_name() == "orchestrator" {
        verbs.push("help".to_owned());
        verbs.push("exit".to_owned());
    }
    verbs
}

fn options(command: &Command) -> Vec<String> {
    let long = |argument: &Arg| argument.get_long().map(|long| format!("--{long}"));
    command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(long)
        .collect()
}

/// The option of a verb that this word is, if a value has to follow it.
fn option<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let is_this = |argument: &&Arg| {
        let long = argument
            .get_long()
            .is_some_and(|long| word.strip_prefix("--") == Some(long));
        let short = argument
            .get_short()
            .is_some_and(|short| word.strip_prefix('-') == Some(&short.to_string()));
        (long || short) && argument.get_action().takes_values()
    };
    command.get_arguments().find(is_this)
}

/// The values of an argument: given words, and the names where it takes one.
fn values(argument: &Arg, before: &[&str], names: &impl Fn(Names) -> Vec<String>) -> Vec<String> {
    let given = argument.get_possible_values();
    let mut candidates: Vec<String> = given.iter().map(|value| value.get_name().to_owned()).collect();
    let value = argument.get_value_names().and_then(|names| names.first());
    let value = value.map(|name| name.as_str()).unwrap_or_default();
    let noun = match before {
        ["ls", noun, ..] if value == "PATTERN" => Names::listed(noun),
        _ => None,
    };
    match noun {
        Some(noun) => candidates.extend(names(noun)),
        None => candidates.extend(Names::of(value).iter().flat_map(|kind| names(*kind))),
    }
    candidates
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Line;

    fn words(of: &[&str]) -> Vec<String> {
        of.iter().map(|word| (*word).to_owned()).collect()
    }

    fn completed(line: &str) -> (usize, Vec<String>) {
        complete(&Line::command(), line, |kind| match kind {
            Names::Instances => words(&["web-0", "web-1", "db-0"]),
            Names::Services => words(&["web", "db"]),
            Names::Clients => words(&["3f9a2c01d2e4"]),
            Names::Templates => words(&["small"]),
            Names::Tokens => words(&["ci"]),
            other => panic!("{other:?} is not asked for"),
        })
    }

    #[test]
    fn verbs_options_and_names_are_completed_where_they_stand() {
        assert_eq!(completed("exe"), (0, words(&["exec"])));
        assert_eq!(completed("token r"), (6, words(&["rm", "rotate"])));
        assert_eq!(completed("exec web"), (5, words(&["web-0", "web-1"])));
        assert_eq!(completed("log web-0 d"), (10, words(&["db-0"])));
        assert_eq!(completed("exec web-0 --wo"), (11, words(&["--workdir"])));
        assert_eq!(completed("ls cl"), (3, words(&["clients"])));
        // What stands behind "--" is the command's own.
        assert_eq!(completed("exec web-0 -- w").1, words(&[]));
        assert_eq!(completed("he").1, words(&["help"]));
        assert!(completed("").1.len() > 15);
    }

    #[test]
    fn each_verb_is_completed_with_the_names_that_it_takes() {
        for (line, names) in [
            ("bump w", &["web"][..]),
            ("scale d", &["db"]),
            ("reconfigure 3", &["3f9a2c01d2e4"]),
            ("key ls 3", &["3f9a2c01d2e4"]),
            ("show w", &["web", "web-0", "web-1"]),
            ("show 3f", &["3f9a2c01d2e4"]),
            ("ls w", &["web-0", "web-1"]),
            ("ls clients 3", &["3f9a2c01d2e4"]),
            ("ls services d", &["db"]),
            ("token rm c", &["ci"]),
            ("pause --template s", &["small"]),
            ("pause --service ", &["db", "web"]),
            ("ls -o js", &["json"]),
        ] {
            assert_eq!(completed(line).1, words(names), "{line}");
        }
    }

    #[test]
    fn odd_lines_complete_to_nothing() {
        for line in ["nonsense x", "grüße ü", "exec 'w", "   \u{1b}", "log x -n "] {
            assert_eq!(completed(line).1, words(&[]), "{line}");
        }
        let options = completed("bump --").1;
        assert!(options.contains(&"--detach".to_owned()), "{options:?}");
        assert!(options.iter().all(|one| one.starts_with("--")), "{options:?}");
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
