//! The pages of a client: plain HTML, without scripts, for phones first.

mod document;
mod front_door;
mod home;
mod span;
mod style;
mod words;

pub(crate) use document::notice;
pub(crate) use front_door::front_door;
pub(crate) use home::home;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
