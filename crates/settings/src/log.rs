//! `[log]`: what is logged, and how.

use std::fmt;

use super::reader::Table;

/// The level and the format of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important kind of line that is written.
    pub level: LogLevel,
    /// The format of a line.
    pub format: LogFormat,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something was refused, or works again only after help.
    Warn,
    /// Also what clients and instances do.
    #[default]
    Info,
    /// Each step.
    Debug,
    /// Each message.
    Trace,
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
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
