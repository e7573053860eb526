//! What the doctor reports.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Fix;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Some client does not get its service, or will not get it soon.
    Error,
    /// Clients are served, but something should be mended.
    Warning,
}

impl Severity {
    /// A stable word for the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Defines an enumeration of stable words.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of_one:meta])* $one:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$of_one])* #[serde(rename = $word)] $one,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$one),+];

            /// A stable word for the API and the documentation.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$one => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words! {
    /// The part of the system that a finding is about. There is one rule for each.
    Area {
        /// The daemon itself, and what it waits for.
        Daemon = "daemon",
        /// Whether the machine passes packets on.
        Forwarding = "forwarding",
        /// Other servers and routers of a link.
        Links = "links",
        /// The kernel's table of neighbours.
        Neighbors = "neighbors",
        /// Other programs' packet filters.
        Firewall = "firewall",
        /// What the kernel can do.
        Kernel = "kernel",
        /// The engines.
        Engines = "engines",
        /// The images of the templates.
        Images = "images",
        /// The wall clock.
        Clock = "clock",
        /// The database.
        Database = "database",
        /// File systems.
        Disk = "disk",
        /// Memory, processes and open files.
        Resources = "resources",
        /// Our own packet filter.
        Rules = "rules",
        /// What bears our mark and is recorded nowhere.
        Strays = "strays",
        /// What is recorded and not there.
        Lost = "lost",
    }
}

words! {
    /// The kind of a finding. `docs/doctor.md` has a paragraph about each.
    Code {
        /// No daemon answers.
        DaemonStopped = "daemon-stopped",
        /// The daemon runs, and waits for its database.
        DaemonStarting = "daemon-starting",
        /// The daemon waits for something, or works with a fault.
        ConditionUnmet = "condition-unmet",
        /// The machine forwards no IPv6 packets.
        ForwardingOff = "forwarding-off",
        /// The machine forwards, and so ignores the router that its default route came from.
        RouterIgnored = "router-ignored",
        /// Another DHCPv6 server was seen on a link.
        OtherServer = "other-server",
        /// Another router was seen on a link.
        OtherRouter = "other-router",
        /// The machine follows any router that advertises itself on a link.
        RouterAccepted = "router-accepted",
        /// The table of neighbours is too small.
        NeighborTableSmall = "neighbor-table-small",
        /// A link without isolation has more instances than a processor queues frames.
        BacklogShort = "backlog-short",
        /// Another program's packet filter drops what clients and instances say.
        ForwardChainDrops = "forward-chain-drops",
        /// There are rules of the old kind, which cannot be read.
        LegacyFirewall = "legacy-firewall",
        /// The kernel cannot do something.
        KernelFeatureMissing = "kernel-feature-missing",
        /// An engine does not answer.
        EngineAway = "engine-away",
        /// An engine lacks what every container needs.
        EngineIncomplete = "engine-incomplete",
        /// An engine cannot do what a template needs.
        EngineCannot = "engine-cannot",
        /// An engine does not have an image.
        ImageMissing = "image-missing",
        /// Nothing keeps the clock right.
        ClockUnsynchronised = "clock-unsynchronised",
        /// Somebody set the clock while the daemon ran.
        ClockStepped = "clock-stepped",
        /// The database does not answer, or takes no commits.
        DatabaseAway = "database-away",
        /// The database is damaged.
        DatabaseDamaged = "database-damaged",
        /// The log of the database grows.
        DatabaseLogLong = "database-log-long",
        /// The schema of the database is not that of the program.
        DatabaseSchema = "database-schema",
        /// A file system is full, or nearly.
        DiskFull = "disk-full",
        /// A file system has few inodes left.
        InodesFew = "inodes-few",
        /// A file system takes no writes.
        DiskReadOnly = "disk-read-only",
        /// Little memory is left.
        MemoryLow = "memory-low",
        /// The daemon may open few more files.
        OpenFilesFew = "open-files-few",
        /// The kernel allows few more processes.
        ProcessesFew = "processes-few",
        /// The rules of our packet filter are not loaded.
        RulesMissing = "rules-missing",
        /// Our packet filter allows something else than what is recorded.
        RulesDiffer = "rules-differ",
        /// A container bears our mark, and nothing is recorded of it.
        StrayContainer = "stray-container",
        /// An interface bears our mark, and nothing is recorded of it.
        StrayInterface = "stray-interface",
        /// A volume lies in our directory, and nothing is recorded of it.
        StrayVolume = "stray-volume",
        /// Another site left things behind, and no daemon of it runs.
        AbandonedSite = "abandoned-site",
        /// An instance is recorded as ready, and part of it is gone.
        InstanceLost = "instance-lost",
        /// A volume is recorded, and its directory is gone.
        VolumeLost = "volume-lost",
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The part of the system.
    pub area: Area,
    /// What was found, on what.
    pub what: String,
    /// What that means for clients, or for the operator.
    pub means: String,
    /// The command that mends it, or what to do.
    pub mend: String,
    /// What `--fix` does about it; `None` if an operator must decide.
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding that only an operator can mend.
    pub(crate) fn new(code: Code, severity: Severity, area: Area) -> Self {
        Self {
            code,
            severity,
            area,
            what: String::new(),
            means: String::new(),
            mend: String::new(),
            fix: None,
        }
    }

    pub(crate) fn error(area: Area, code: Code) -> Self {
        Self::new(code, Severity::Error, area)
    }

    pub(crate) fn warning(area: Area, code: Code) -> Self {
        Self::new(code, Severity::Warning, area)
    }

    pub(crate) fn what(self, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..self
        }
    }

    pub(crate) fn means(self, means: impl Into<String>) -> Self {
        Self {
            means: means.into(),
            ..self
        }
    }

    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self {
            mend: mend.into(),
            ..self
        }
    }

    pub(crate) fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

/// The result of the examination of one area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The area.
    pub area: Area,
    /// What is wrong there.
    pub findings: Vec<Finding>,
    /// What was seen, in one line.
    pub seen: String,
    /// Whether everything of the area could be examined. If not, `seen` says why.
    pub is_complete: bool,
}

/// The state of an area, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AreaState {
    /// Everything was examined, and nothing is wrong.
    Healthy,
    /// Something is wrong.
    Wrong,
    /// Nothing wrong was found, but not everything could be examined.
    Unknown,
}

impl AreaState {
    /// A stable word for the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

impl Examined {
    /// An area, and what was seen there.
    pub(crate) fn new(area: Area, seen: impl Into<String>) -> Self {
        Self {
            area,
            findings: Vec::new(),
            seen: seen.into(),
            is_complete: true,
        }
    }

    /// An area that could not be examined.
    pub(crate) fn unknown(area: Area, reason: impl Into<String>) -> Self {
        Self {
            is_complete: false,
            ..Self::new(area, reason)
        }
    }

    pub(crate) fn with(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self
    }

    /// Records that part of the area could not be examined.
    pub(crate) fn lacking(mut self, reason: &str) -> Self {
        let separator = if self.seen.is_empty() { "" } else { "; " };
        self.seen.push_str(&format!("{separator}not examined: {reason}"));
        self.is_complete = false;
        self
    }

    /// The state of the area.
    pub fn state(&self) -> AreaState {
        match (self.findings.is_empty(), self.is_complete) {
            (false, _) => AreaState::Wrong,
            (true, true) => AreaState::Healthy,
            (true, false) => AreaState::Unknown,
        }
    }
}
