//! Completes a line: verbs, options and names.

use clap::{Arg, Command, CommandFactory};

use super::line::Line;

/// The words that a line may go on with at its end: where the word begins that they replace, in bytes, and the words.
///
/// `names` are those of instances and clients; they stand wherever a verb takes one.
pub fn complete(line: &str, names: &[String]) -> (usize, Vec<String>) {
    let begin = line.rfind(char::is_whitespace).map_or(0, |place| place + 1);
    let (before, word) = line.split_at(begin);
    let mut command = Line::command();
    command.build();
    let mut words = before.split_whitespace();
    let mut at = &command;
    let mut ended = false;
    for word in words.by_ref() {
        ended |= word == "--";
        if let Some(verb) = at.find_subcommand(word) {
            at = verb;
        }
    }
    let candidates = match (ended, word.starts_with('-')) {
        (true, _) => Vec::new(),
        (false, true) => options(at),
        (false, false) if at.has_subcommands() => verbs(at),
        (false, false) => positional(at, names),
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

/// The values of the verb's positional arguments: given words, and the names where it takes one.
fn positional(command: &Command, names: &[String]) -> Vec<String> {
    let mut candidates = Vec::new();
    for argument in command.get_positionals() {
        let values = argument.get_possible_values();
        candidates.extend(values.iter().map(|value| value.get_name().to_owned()));
        let is_name = argument.get_value_names().is_some_and(|names| {
            names
                .iter()
                .any(|name| matches!(name.as_str(), "INSTANCE" | "PATTERN" | "ID" | "CLIENT"))
        });
        if is_name {
            candidates.extend_from_slice(names);
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> (usize, Vec<String>) {
        complete(line, &["web-0".to_owned(), "web-1".to_owned(), "db-0".to_owned()])
    }

    #[test]
    fn verbs_options_and_names_are_completed_where_they_stand() {
        let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
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
    fn odd_lines_complete_to_nothing() {
        for line in ["nonsense x", "grüße ü", "exec 'w", "   \u{1b}"] {
            assert_eq!(completed(line).1, Vec::<String>::new(), "{line}");
        }
    }
}
