//! `orchestrator exec`: runs a command in instances.

mod many;
mod one;

use std::collections::BTreeMap;

use bytes::Bytes;
use orchestrator_api_types::{Exec, ExecFile};

use super::failure::Failure;
use super::select::{Numbers, Which, select, select_to};
use super::session::Session;

/// How many instances run the command at the same time unless the line says how many.
const AT_ONCE: u16 = 32;

/// Arguments of `exec`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With -it, as in `exec -it web-0 sh`, the command gets this terminal. \
The exit code is that of the command; of several, 1 if one of them failed, which are listed.")]
pub struct Args {
    /// Instances: SERVICE-SLOT, or the ID, address or host name of an instance or its client, or the beginning of one;
    /// or a pattern over these, like 'web-*'
    #[arg(value_name = "INSTANCE")]
    name: String,
    #[command(flatten)]
    which: Which,
    /// Put this file into each instance first; without a place, into /tmp. May be given several times
    #[arg(long = "file", value_name = "FILE[:PLACE]")]
    files: Vec<String>,
    /// Set an environment variable. May be given several times
    #[arg(short, long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// The container; without it, the first one of each instance
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The user in the container, by name or number, optionally with :GROUP
    #[arg(short, long)]
    user: Option<String>,
    /// The working directory in the container
    #[arg(short = 'w', long = "workdir", value_name = "DIRECTORY")]
    directory: Option<String>,
    /// Pass standard input on to the command; for one instance only
    #[arg(long)]
    stdin: bool,
    /// How many instances run it at the same time
    #[arg(long, value_name = "COUNT", default_value_t = AT_ONCE, value_parser = clap::value_parser!(u16).range(1..=1000))]
    at_once: u16,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

/// A command with the files that go with it.
struct Job {
    exec: Exec,
    files: Vec<Bytes>,
}

/// Whether the numbers of a line are the `t` of `-it`.
fn wants_terminal(which: &Which) -> bool {
    which.numbers.instances == ["t"]
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let job = job(args, session).await?;
    let names = std::slice::from_ref(&args.name);
    let is_interactive = wants_terminal(&args.which);
    if is_interactive || args.stdin {
        let numbers = match is_interactive {
            true => Numbers::default(),
            false => args.which.numbers.clone(),
        };
        let chosen = select(names, &numbers, session).await?;
        let [one] = chosen.as_slice() else {
            return Err(Failure::Usage {
                what: format!(
                    "{} means {} instances; a terminal or standard input is passed on to one only",
                    args.name,
                    chosen.len()
                ),
            });
        };
        return one::with_input(one, job, is_interactive, session).await;
    }
    let doing = format!("run {} in", args.command[0]);
    let chosen = select_to(&doing, names, &args.which, session).await?;
    match chosen.as_slice() {
        [one] if !session.output.is_data() => one::alone(one, &job, session).await,
        several => many::run(several, &job, usize::from(args.at_once), session).await,
    }
}

async fn job(args: &Args, session: &Session<'_>) -> Result<Job, Failure> {
    let (mut described, mut files) = (Vec::new(), Vec::new());
    for named in &args.files {
        let (name, place) = place(named);
        let file = session.local.file(&name).await.map_err(|source| Failure::Local {
            doing: "read",
            what: name.clone(),
            source,
        })?;
        described.push(ExecFile {
            path: place,
            size: file.content.len() as u64,
            executable: file.executable,
        });
        files.push(file.content);
    }
    let exec = Exec {
        command: args.command.clone(),
        container: args.container.clone(),
        environment: environment(&args.environment)?,
        user: args.user.clone(),
        directory: args.directory.clone(),
        terminal: None,
        input: false,
        files: described,
    };
    Ok(Job { exec, files })
}

/// The name of a file here, and its place in the container.
fn place(named: &str) -> (String, String) {
    match named.rsplit_once(':') {
        Some((name, place)) if place.starts_with('/') && !name.is_empty() => (name.to_owned(), place.to_owned()),
        _ => {
            let last = named.rsplit('/').next().unwrap_or(named);
            (named.to_owned(), format!("/tmp/{last}"))
        }
    }
}

fn environment(pairs: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let read = |pair: &String| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::Usage {
            what: format!("{pair:?} is no variable; write it like NAME=VALUE"),
        }),
    };
    pairs.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_place() {
        let of = |named: &str| place(named);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("dir/a.sh"), pair("dir/a.sh", "/tmp/a.sh"));
        assert_eq!(of("a.sh:/opt/b"), pair("a.sh", "/opt/b"));
        assert_eq!(of("odd:name"), pair("odd:name", "/tmp/odd:name"));
    }

    #[test]
    fn a_variable_has_a_name() {
        let read = |pair: &str| environment(&[pair.to_owned()]);
        assert_eq!(read("A=b=c").unwrap()["A"], "b=c");
        assert_eq!(read("=b").unwrap_err().code(), 2);
        assert_eq!(read("A").unwrap_err().code(), 2);
    }
}
