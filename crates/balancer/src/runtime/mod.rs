//! Puts what is desired in force in HAProxy: the only room here with I/O.

mod command;
mod fault;
mod fleet;
mod local;
mod read;
mod session;
mod target;

pub use fault::RuntimeFault;
pub use fleet::{Fleet, Turn};
pub use local::LocalBalancer;
pub use target::{Balancer, Control, Stream};
