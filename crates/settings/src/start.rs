//! The input of a starting daemon.

use super::{LogLevel, Place, Settings};

/// Sets the lowest level that is logged.
pub type SetLogLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

/// The input of a starting daemon.
pub struct Start {
    /// The settings at the start.
    pub settings: Settings,
    /// The place of the settings. A reload reads them again.
    pub place: Place,
    /// Sets the log level, when a reload changes it.
    pub set_log_level: SetLogLevel,
}
