//! What a container wrote: a bounded number of files of a bounded size.
//!
//! ```text
//!   1732790000.123456789 o F a whole line of the standard output
//!   1732790000.123456790 e P a piece of a line of the standard error, whose rest follows
//! ```
//!
//! `log/0` is written to. When it is full it becomes `log/1`, and so on; the oldest is dropped.

mod entry;
mod reader;
mod writer;

pub(crate) use entry::{Entry, Source};
pub(crate) use reader::{Position, Request, follow, read};
pub(crate) use writer::Writer;
