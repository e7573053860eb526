//! The input of a starting daemon.

use super::{LogLevel, Place, Settings};

/// Sets the least important kind of line that is logged.
pub type SetLogLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

/// What a daemon begins with.
pub struct Start {
    /// The settings to begin with.
    pub settings: Settings,
    /// Where they are written. They are read again when the daemon is asked to reload.
    pub place: Place,
    /// Sets what is logged, when the settings that are read again say otherwise.
    pub set_log_level: SetLogLevel,
}
