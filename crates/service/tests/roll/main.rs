//! The roller: single situations, and properties over thousands of random histories.

mod cases;
mod lifetimes;
mod paused;
mod properties;
mod short_lives;
mod world;
