//! The API as programs meet it: raw HTTP on real sockets, over a real store.

mod changes;
mod daemon;
mod drain;
mod guard;
mod http;
mod limits;
mod lists;
mod problems;
mod quiet;
mod reservations;
mod sockets;
mod stream;
