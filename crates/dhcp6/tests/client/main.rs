//! The client against our own server, and against what servers should not send, on a clock that the tests turn.

mod confirm;
mod extend;
mod giveback;
mod hostile;
mod inform;
mod network;
mod reconfigure;
mod solicit;
