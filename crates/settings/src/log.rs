//! `[log]`: the level and the format of the log.

use std::fmt;

use super::reader::Table;

/// The level and the format of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The lowest level that is logged.
    pub level: LogLevel,
    /// The format of a line.
    pub format: LogFormat,
}

/// The importance of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something was refused, or works again only with help.
    Warn,
    /// Actions of clients and instances.
    #[default]
    Info,
    /// Each step.
    Debug,
    /// Each message.
    Trace,
}

/// The format of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(
            LEVELS
                .iter()
                .find(|(_, level)| level == self)
                .map_or("info", |(word, _)| word),
        )
    }
}

impl LogSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let level = table.take("level").and_then(|entry| entry.choice(&LEVELS));
        let format = table.take("format").and_then(|entry| entry.choice(&FORMATS));
        table.finish();
        Self {
            level: level.unwrap_or_default(),
            format: format.unwrap_or_default(),
        }
    }
}
