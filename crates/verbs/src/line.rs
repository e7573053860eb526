//! Lines: the words that somebody types to run a verb.

use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;
use crate::session::{Output, Session};
use crate::timed::Timed;
use crate::{
    engines, events, exec, grep, image, key, kill, kv, limits, log, ls, outside, policy, poll, port, power, quarantine,
    reconfigure, registry, reload, reservation, rm, service, settings, show, tasks, template, time, token, volume,
};

/// The verbs that only talk to the API.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Deploy services as their files say; the same file twice changes nothing
    Deploy(service::DeployArgs),
    /// List services
    Services(service::ListArgs),
    /// Change the number of instances of services
    Scale(service::ScaleArgs),
    /// Replace all instances of services by new ones, of the same image or of another one
    Bump(service::BumpArgs),
    /// Deploy an earlier version of a service again
    Rollback(service::RollbackArgs),
    /// Remove services with their instances
    Undeploy(service::NamesArgs),
    /// Wait for the ends of operations on services
    Wait(service::WaitArgs),
    /// List instances, leases, clients, orphans, services or tokens
    Ls(ls::Args),
    /// Show clients, instances or services, and what happened to them
    Show(show::Args),
    /// Show what the packet filter allows clients or instances, why, and what it dropped; or whether they reach somebody
    Policy(policy::Args),
    /// List instances by a pattern over their names, with owner, slot, address, host and state
    Grep(grep::Args),
    /// Run a command in instances, also in many at once
    Exec(exec::Args),
    /// Show what instances wrote, merged in order
    Log(log::Args),
    /// Show what instances use of processor and memory
    Poll(poll::Args),
    /// Show where a port of instances is reached
    Port(port::Args),
    /// Switch instances on that were switched off
    On(power::Args),
    /// Switch instances off: their processes end, their containers and files stay
    Off(power::Args),
    /// Restart the processes of instances; their containers and files stay
    Reset(power::Args),
    /// Destroy instances, and wait until they are gone
    Kill(kill::Args),
    /// Destroy instances; their clients get new ones at their next lease event
    Rm(rm::Args),
    /// Pin an instance: no lease, lifetime or idle limit ends it
    Pin(time::Args),
    /// Unpin an instance: its lease and its limits count again
    Unpin(time::Args),
    /// Extend the time of an instance
    Extend(time::ExtendArgs),
    /// End the time of an instance now; its client gets another one when the template's `again` says so
    Expire(time::Args),
    /// Reserve addresses and prefixes for known clients
    Reservation(reservation::Args),
    /// List the SSH keys that may log in to a client's instances, add some, or remove some
    Key(key::Args),
    /// List addresses that clients declined, and give them free again
    Quarantine(quarantine::Args),
    /// Show what happened, oldest first
    Events(events::Args),
    /// Make clients renew their leases now, if they accept that
    Reconfigure(reconfigure::Args),
    /// Make the daemon read its settings again; wrong settings change nothing
    Reload,
    /// Show since when the settings are in force, and whether the file differs from them
    Settings,
    /// List the engines, and what each can do
    Engines(engines::Args),
    /// Show what is promised to instances, of what, and what is paused
    Limits,
    /// Make nothing new, for a link, for a template or at all; leases go on, and what runs stays
    Pause(limits::Scope),
    /// End a pause; what waited for that is made
    Resume(limits::Scope),
    /// Read, set, remove, list and watch keys with values
    Kv(kv::Args),
    /// Make tokens for callers of the API that are not on this machine, list them, rotate them, or remove some
    Token(token::Args),
    /// List, create, change and remove templates
    Template(template::Args),
    /// List, remove and export volumes
    Volume(volume::Args),
    /// Load, fetch, list and remove images of the engines
    Image(image::Args),
    /// Give and forget the passwords of registries
    Registry(registry::Args),
    /// Show every task of the daemon: its state, how its last run ended, and when it is tried next
    Tasks(tasks::Args),
}

impl Verb {
    /// Whether the verb itself says what is not done when its time is over.
    pub(crate) fn keeps_limit(&self) -> bool {
        matches!(
            self,
            Self::Deploy(_)
                | Self::Scale(_)
                | Self::Bump(_)
                | Self::Rollback(_)
                | Self::Undeploy(_)
                | Self::Wait(_)
                | Self::On(_)
                | Self::Off(_)
                | Self::Reset(_)
                | Self::Kill(_)
                | Self::Exec(_)
                | Self::Log(_)
        )
    }

    /// Runs the verb, without regard to a limit unless it keeps that itself.
    ///
    /// # Errors
    ///
    /// When the API refuses or does not answer, or the result cannot be printed.
    pub async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Deploy(args) => service::deploy(args, session).await,
            Self::Services(args) => service::list(args, session).await,
            Self::Scale(args) => service::scale(args, session).await,
            Self::Bump(args) => service::bump(args, session).await,
            Self::Rollback(args) => service::rollback(args, session).await,
            Self::Undeploy(args) => service::undeploy(args, session).await,
            Self::Wait(args) => service::wait(args, session).await,
            Self::Ls(args) => ls::run(args, session).await,
            Self::Show(args) => show::run(args, session).await,
            Self::Policy(args) => policy::run(args, session).await,
            Self::Grep(args) => grep::run(args, session).await,
            Self::Exec(args) => exec::run(args, session).await,
            Self::Log(args) => log::run(args, session).await,
            Self::Poll(args) => poll::run(args, session).await,
            Self::Port(args) => port::run(args, session).await,
            Self::On(args) => power::run(power::Change::On, args, session).await,
            Self::Off(args) => power::run(power::Change::Off, args, session).await,
            Self::Reset(args) => power::run(power::Change::Reset, args, session).await,
            Self::Kill(args) => kill::run(args, session).await,
            Self::Rm(args) => rm::run(args, session).await,
            Self::Pin(args) => time::run(time::Change::Pin, args, session).await,
            Self::Unpin(args) => time::run(time::Change::Unpin, args, session).await,
            Self::Extend(args) => time::extend(args, session).await,
            Self::Expire(args) => time::run(time::Change::Expire, args, session).await,
            Self::Reservation(args) => reservation::run(args, session).await,
            Self::Key(args) => key::run(args, session).await,
            Self::Quarantine(args) => quarantine::run(args, session).await,
            Self::Events(args) => events::run(args, session).await,
            Self::Reconfigure(args) => reconfigure::run(args, session).await,
            Self::Reload => reload::run(session).await,
            Self::Settings => settings::run(session).await,
            Self::Engines(args) => engines::run(args, session).await,
            Self::Limits => limits::show(session).await,
            Self::Pause(scope) => limits::pause(scope, session).await,
            Self::Resume(scope) => limits::resume(scope, session).await,
            Self::Kv(args) => kv::run(args, session).await,
            Self::Token(args) => token::run(args, session).await,
            Self::Template(args) => template::run(args, session).await,
            Self::Volume(args) => volume::run(args, session).await,
            Self::Image(args) => image::run(args, session).await,
            Self::Registry(args) => registry::run(args, session).await,
            Self::Tasks(args) => tasks::run(args, session).await,
        }
    }
}

/// A line without the program's name: `ls instances -o json`.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", no_binary_name = true, disable_help_subcommand = true)]
pub struct Line {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// The verb to run.
    #[command(subcommand)]
    pub verb: Timed,
}

/// The reason why a line cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Misuse {
    /// Text for the user: which words were not understood and what would be, or the requested help.
    pub text: String,
    /// Whether the user asked for help, so that nothing is wrong.
    pub is_help: bool,
}

impl Line {
    /// The words of a line, with quotes and backslashes as in a shell. Nothing is expanded.
    ///
    /// # Errors
    ///
    /// When a quote is not closed.
    pub fn split(line: &str) -> Result<Vec<String>, Misuse> {
        shlex::split(line).ok_or_else(|| Misuse {
            text: "a quote is not closed\n".to_owned(),
            is_help: false,
        })
    }

    /// Parses a line. It has only the verbs that do not touch the machine.
    ///
    /// # Errors
    ///
    /// When the words are not understood, ask for help, or name a verb that is for the command line only.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Misuse> {
        let words: Vec<&str> = words.into_iter().collect();
        Self::try_parse_from(&words).map_err(|fault| Misuse {
            text: match outside::named_by(&fault, &words, &Self::parser()) {
                Some(outside) => format!("{outside}\n"),
                None => fault.render().to_string(),
            },
            is_help: !fault.use_stderr(),
        })
    }

    /// The parser of lines, for completion.
    pub fn parser() -> clap::Command {
        Self::command()
    }
}
