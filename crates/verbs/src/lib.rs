//! The verbs of the command line that only talk to the API: `ls`, `show`, `rm` and the like.
//!
//! ```text
//!   words ──▶ Line ──▶ Verb ──▶ run ──▶ Api (a client over HTTP, or the API itself)
//!                                 └───▶ Sink (a terminal, or an answer)
//! ```
//!
//! Nothing here reads a file, the environment or a clock, or opens a socket. A verb reaches the outside only through
//! [`Api`], [`Sink`] and [`Session`]. So a line that came from elsewhere can be run as it is: the verbs that touch the
//! machine (`serve`, `backup`, `restore` and the like) are not variants of [`Verb`], and a line that names one is
//! refused.

pub mod ages;
mod api;
pub mod choose;
pub mod complete;
mod engines;
mod events;
mod exec;
mod failure;
mod glob;
mod grep;
mod key;
mod kill;
mod kv;
mod limits;
mod line;
mod local;
mod log;
mod ls;
mod order;
pub mod page;
mod policy;
mod poll;
mod port;
mod power;
mod prefix;
pub mod printable;
mod progress;
mod quarantine;
mod reconfigure;
mod reload;
mod reservation;
mod resolve;
mod rm;
mod select;
mod service;
mod session;
mod settings;
mod show;
pub mod sse;
pub mod table;
mod tasks;
mod time;
mod token;
mod view;
mod wait;

pub use api::{Api, CallError, Method, Request, Stream};
pub use failure::Failure;
pub use glob::{is_pattern, matches};
pub use line::{Line, Misuse, Verb};
pub use local::{Local, LocalFile, Nothing, Terminal, Typed, Typing};
pub use session::{Channel, Output, Session, Sink};

#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod operation_tests;
#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod tests;
