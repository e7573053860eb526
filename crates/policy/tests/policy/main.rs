//! What is allowed, from facts in memory.

mod allowed;
mod fixture;
mod incremental;
