//! A real HAProxy, brought from state to state under load; run as root.
//!
//! Every test works in a network namespace of its own, in which HAProxy, the instances and the clients run. All of it ends
//! with the test.

mod kept;
mod roll;
mod stage;
mod tls;
mod traffic;
