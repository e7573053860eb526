//! `orchestrator shell`: lines at a prompt, with history and completion.
//!
//! A line is one of those that only talk to the API, by the same parser as outside. Its files are those of this machine.

mod history;
mod prompt;

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use orchestrator_model::{Timestamp, parse_lifespan};
use orchestrator_verbs::{Line, Output, Session};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::prompt::Completion;
use super::ends::restore_terminal_on;
use super::failure::Failure;
use super::http::Client;
use super::local::Here;
use super::table::Terminal;

/// What is shown before a line.
const PROMPT: &str = "orchestrator> ";

/// Lines that the history keeps.
const KEPT: usize = 10_000;

/// Arguments of `shell`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run this one line, and end with its exit code
    #[arg(short = 'c', long = "command", value_name = "LINE")]
    line: Option<String>,
    /// How long each line may take that has no -t of its own, like 30s or 5m
    #[arg(short, long, value_name = "TIMEOUT", value_parser = parse_lifespan)]
    timeout: Option<Duration>,
}

/// What follows a line.
enum Next {
    Goes(u8),
    Ends,
}

/// Runs lines until there are no more. Returns the exit code of the last one.
pub(super) fn run(args: &Args, output: Output, api: Client) -> Result<u8, Failure> {
    // Completion asks the daemon through a handle, which drives nothing by itself: a thread of the runtime does.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.map_err(Failure::Runtime)?;
    let interrupts = {
        let _entered = runtime.enter();
        if io::stdin().is_terminal() {
            // The editor, or a command in an instance, has it in a mode that no other shell can use.
            let signals = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
            restore_terminal_on(&signals).map_err(Failure::Runtime)?;
        }
        signal(SignalKind::interrupt()).map_err(Failure::Runtime)?
    };
    let mut shell = Shell {
        runtime,
        interrupts,
        api,
        output,
        limit: args.timeout,
    };
    match &args.line {
        Some(line) => Ok(match shell.line(line) {
            Next::Goes(code) => code,
            Next::Ends => 0,
        }),
        None if io::stdin().is_terminal() => shell.at_prompt(),
        None => shell.run_piped(),
    }
}

struct Shell {
    runtime: Runtime,
    interrupts: Signal,
    api: Client,
    output: Output,
    limit: Option<Duration>,
}

impl Shell {
    /// Lines of a terminal.
    fn at_prompt(mut self) -> Result<u8, Failure> {
        let config = Config::builder()
            .max_history_size(KEPT)
            .map_err(editing)?
            .history_ignore_space(true)
            .completion_type(rustyline::CompletionType::List)
            .build();
        let mut editor: Editor<Completion, FileHistory> = Editor::with_config(config).map_err(editing)?;
        let handle = self.runtime.handle().clone();
        editor.set_helper(Some(Completion::new(handle, self.api.clone())));
        let history = history::file();
        if let Some(file) = &history {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        let mut code = 0;
        loop {
            match editor.readline(PROMPT) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    editor.add_history_entry(line.as_str()).map_err(editing)?;
                    if let Some(file) = &history {
                        // Each line at once: whoever is killed loses none.
                        let _ = editor.append_history(file);
                    }
                    match self.line(&line) {
                        Next::Goes(ended) => code = ended,
                        Next::Ends => return Ok(code),
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(code),
                Err(error) => return Err(editing(error)),
            }
        }
    }

    /// Lines of a file or a program, until one fails.
    fn run_piped(mut self) -> Result<u8, Failure> {
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| editing(error.into()))?;
            match self.line(&line) {
                Next::Goes(0) => {}
                Next::Goes(code) => return Ok(code),
                Next::Ends => return Ok(0),
            }
        }
        Ok(0)
    }

    fn line(&mut self, text: &str) -> Next {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Next::Goes(0);
        }
        let parsed = Line::split(text).and_then(|words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["exit" | "quit"] => Ok(None),
                ["help", of @ ..] => Line::parse(of.iter().copied().chain(["--help"])).map(Some),
                words => Line::parse(words.iter().copied()).map(Some),
            }
        });
        match parsed {
            Ok(None) => Next::Ends,
            Ok(Some(line)) => Next::Goes(self.run_line(&line)),
            Err(misuse) if misuse.is_help => {
                print!("{}", misuse.text);
                Next::Goes(0)
            }
            Err(misuse) => {
                eprint!("{}", misuse.text);
                Next::Goes(2)
            }
        }
    }

    /// Runs a line to its end, or until Ctrl-C, which ends nothing but the line.
    fn run_line(&mut self, line: &Line) -> u8 {
        let Self {
            runtime,
            interrupts,
            api,
            output,
            limit,
        } = self;
        let mut session = Session {
            api: &*api,
            sink: &mut Terminal::new(),
            output: match line.output {
                Output::Table => *output,
                own => own,
            },
            now: Timestamp::wall(),
            local: &Here,
            limit: *limit,
        };
        let ended = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = interrupts.recv() => None,
                ended = line.verb.run(&mut session) => Some(ended),
            }
        });
        match ended {
            None => {
                eprintln!();
                130
            }
            Some(Ok(())) => 0,
            Some(Err(failure)) => Failure::from(failure).tell(),
        }
    }
}

fn editing(error: ReadlineError) -> Failure {
    Failure::Given {
        what: format!("the line cannot be read: {error}"),
    }
}
