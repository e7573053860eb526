//! The API as programs meet it: raw HTTP on real sockets, over a real store.

mod access;
mod changes;
mod control;
mod crowd;
mod daemon;
mod document;
mod drain;
mod engines;
mod guard;
mod http;
mod images;
mod limits;
mod lists;
mod malformed;
mod places;
mod problems;
mod quiet;
mod reservations;
mod sockets;
mod stream;
mod tasks;
mod templates;
mod times;
mod volumes;
mod walk;
mod wrong;
