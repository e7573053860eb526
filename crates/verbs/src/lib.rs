//! The verbs of the command line that only talk to the API: `ls`, `show`, `rm` and the like.
//!
//! ```text
//!   words ──▶ Line ──▶ Verb ──▶ run ──▶ Api (a client over HTTP, or the API itself)
//!                                 └───▶ Sink (a terminal, or an answer)
//! ```
//!
//! Nothing here reads a file, the environment or a clock, or opens a socket. A verb reaches the outside only through
//! [`Api`], [`Sink`], [`Local`] and [`Session`]. So a line that came from elsewhere can be run as it is: its files are those
//! that its [`Local`] has. The verbs that touch the machine (`serve`, `backup`, `restore` and the like) are not variants of
//! [`Verb`]; a line that names one is refused with its reason, which [`OUTSIDE`] has.

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
mod image;
mod key;
mod kill;
mod kv;
mod limits;
mod line;
mod local;
mod log;
mod ls;
mod order;
mod outside;
pub mod page;
mod policy;
mod poll;
mod port;
mod power;
mod prefix;
pub mod printable;
pub mod progress;
mod quarantine;
mod reading;
mod reconfigure;
mod registry;
mod reload;
mod reservation;
mod resolve;
mod rm;
mod select;
mod service;
mod session;
mod settings;
mod show;
mod sse;
pub mod table;
mod tasks;
mod template;
mod time;
mod timed;
mod token;
mod view;
mod volume;
mod wait;

pub use api::{Api, CallError, Method, Request, Stream};
pub use failure::Failure;
pub use line::{Line, Misuse, Verb};
pub use local::{DASH, Input, Local, LocalFile, NewFile, Nothing, Terminal, Typed, Typing};
pub use outside::{OUTSIDE, Outside};
pub use session::{Channel, Output, Session, Sink};
pub use timed::Timed;

#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod operation_tests;
#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod shown_tests;
#[cfg(test)]
mod streaming_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timed_tests;
