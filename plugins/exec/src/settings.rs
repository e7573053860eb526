//! `[engine.NAME]` of kind `exec`: which executable, and how it is run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_plugin::{Engine, EngineKind, EngineSettings, Mark, SettingsSection};

use crate::ExecEngine;

/// The most arguments of an executable.
const ARGUMENTS: usize = 64;

/// The kind of engine that is an executable of the operator's.
#[derive(Debug, Clone, Copy)]
pub struct ExecKind;

/// Which executable, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSettings {
    /// Absolute path of the executable.
    pub program: PathBuf,
    /// Its arguments, the same for every call.
    pub arguments: Vec<String>,
    /// Limit for each single call.
    pub timeout: Duration,
    /// Containers that are made or started at the same time, at least one.
    pub starts: usize,
    /// How often it is asked what has changed.
    pub poll: Duration,
}

impl ExecSettings {
    /// This executable, run as it is when nobody says otherwise.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            timeout: Duration::from_secs(30),
            starts: 4,
            poll: Duration::from_secs(2),
        }
    }
}

impl EngineKind for ExecKind {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn read(&self, section: &mut dyn SettingsSection) -> Arc<dyn EngineSettings> {
        const REMEDY: &str =
            "write the absolute path of the executable, like \"/usr/local/lib/orchestrator/bubblewrap\"";
        let mut is_written = false;
        let program = section.text("program", REMEDY, &mut |text| {
            is_written = true;
            match Path::new(text).is_absolute() {
                true => Ok(()),
                false => Err(format!("{text:?} is not an absolute path")),
            }
        });
        if !is_written {
            section.fault("program", "is missing or no text", REMEDY);
        }
        let default = ExecSettings::of(program.unwrap_or_default());
        let starts = section.whole("starts", 1..=256);
        let starts = starts.and_then(|starts| usize::try_from(starts).ok());
        let arguments = section.texts("arguments", ARGUMENTS);
        let timeout = section.duration("timeout", Duration::from_secs(1)..=Duration::from_secs(600));
        let poll = section.duration("poll", Duration::from_millis(100)..=Duration::from_secs(600));
        Arc::new(ExecSettings {
            program: default.program,
            arguments: arguments.unwrap_or(default.arguments),
            timeout: timeout.unwrap_or(default.timeout),
            starts: starts.unwrap_or(default.starts),
            poll: poll.unwrap_or(default.poll),
        })
    }
}

impl EngineSettings for ExecSettings {
    fn values(&self) -> Vec<(&'static str, String)> {
        let Self {
            program,
            arguments,
            timeout,
            starts,
            poll,
        } = self;
        vec![
            ("program", program.display().to_string()),
            ("arguments", format!("{arguments:?}")),
            ("timeout", format!("{timeout:?}")),
            ("starts", starts.to_string()),
            ("poll", format!("{poll:?}")),
        ]
    }

    fn build(&self, name: &str, mark: Mark) -> Arc<dyn Engine> {
        Arc::new(ExecEngine::new(name, self.clone(), mark))
    }
}
