//! What the programs share that show the product before one's eyes: `make demo` and `make platform`.

mod engine;
pub mod signals;
mod terminal;

pub use engine::{ChosenEngine, Shown};
pub use terminal::Terminal;
