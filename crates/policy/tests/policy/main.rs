//! What is allowed, from facts in memory.

mod allowed;
mod explained;
mod fixture;
mod incremental;
mod ways;
