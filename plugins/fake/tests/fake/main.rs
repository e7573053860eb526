//! The fake does as every engine must, and the suite notices an engine that does not.

mod conformance;
mod flaws;
mod subject;
mod trouble;
