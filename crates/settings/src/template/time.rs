//! The times of a template's instances: `lifetime`, `idle`, `grace`, `keep`, `warn`, `again` and the client's extensions.

use std::time::Duration;

use orchestrator_model::ClientExtension;
use serde_json::{Map, Value as Json, json};

use super::written::write_lifespan;
use crate::reader::{Entry, Table};

pub(super) const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = DAY.saturating_mul(365);
const SECOND: Duration = Duration::from_secs(1);

/// How long an instance may live, besides its client's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSettings {
    /// How long an instance lives at most, from when it is recorded; `None` for no limit.
    pub lifetime: Option<Duration>,
    /// How long it may be without traffic; `None` for no limit.
    pub idle: Option<Duration>,
    /// The grace period: how long an instance runs after its lease ended, in case its client comes back.
    pub grace: Duration,
    /// How long a stopped instance is kept after its grace period or its idle limit; zero removes it at once.
    pub keep: Duration,
    /// How long before a deadline an event announces it; zero for no warning.
    pub warn: Duration,
    /// When a client gets another instance after time ended the last one.
    pub again: Again,
    /// By how much a client may extend the time of its instance, and how often, where `client_may` lets it.
    pub extension: ClientExtension,
}

/// When a client gets another instance after a lifetime, an idle limit or an operator ended the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// When its lease begins anew: it held none, and is given one.
    Lease,
    /// This long afterwards, while it holds a lease.
    After(Duration),
}

impl Default for TimeSettings {
    fn default() -> Self {
        Self {
            lifetime: None,
            idle: None,
            grace: Duration::from_secs(30),
            keep: Duration::ZERO,
            warn: Duration::from_secs(300),
            again: Again::Lease,
            extension: ClientExtension {
                by: Duration::from_secs(3600),
                times: 3,
            },
        }
    }
}

/// Reads the keys. A key with a fault has its default, and the fault is collected.
pub(super) fn read(table: &mut Table<'_>) -> TimeSettings {
    let default = TimeSettings::default();
    let mut span = |key, least, most| table.take(key).and_then(|entry| entry.lifespan(least..=most));
    let grace = span("grace", Duration::ZERO, YEAR);
    let keep = span("keep", Duration::ZERO, YEAR);
    let warn = span("warn", Duration::ZERO, DAY * 7);
    let by = span("extend_by", SECOND * 60, DAY * 30);
    let times = table.take("extend_times").and_then(|entry| entry.whole(1..=1000));
    let mut limit = |key, least| match table.take(key) {
        Some(entry) if !entry.is_word("none") => entry.lifespan(least..=YEAR),
        _ => None,
    };
    let lifetime = limit("lifetime", SECOND);
    // A shorter limit would depend on how often packets are counted.
    let idle = limit("idle", SECOND * 10);
    TimeSettings {
        lifetime,
        idle,
        grace: grace.unwrap_or(default.grace),
        keep: keep.unwrap_or(default.keep),
        warn: warn.unwrap_or(default.warn),
        again: table.take("again").and_then(read_again).unwrap_or(default.again),
        extension: ClientExtension {
            by: by.unwrap_or(default.extension.by),
            times: times.unwrap_or(default.extension.times),
        },
    }
}

fn read_again(entry: Entry<'_>) -> Option<Again> {
    match entry.is_word("lease") {
        true => Some(Again::Lease),
        false => entry.lifespan(Duration::ZERO..=YEAR).map(Again::After),
    }
}

/// Writes the keys. Those with their default are left out, except `grace`.
pub(super) fn write(time: &TimeSettings, keys: &mut Map<String, Json>) {
    let (written, default) = (write_lifespan, TimeSettings::default());
    let again = match time.again {
        Again::Lease => None,
        Again::After(span) => Some(span),
    };
    let entries = [
        ("lifetime", time.lifetime),
        ("idle", time.idle),
        ("grace", Some(time.grace)),
        ("keep", Some(time.keep).filter(|keep| *keep != default.keep)),
        ("warn", Some(time.warn).filter(|warn| *warn != default.warn)),
        ("again", again),
        (
            "extend_by",
            Some(time.extension.by).filter(|by| *by != default.extension.by),
        ),
    ];
    for (key, span) in entries {
        keys.extend(span.map(|span| (key.to_owned(), json!(written(span)))));
    }
    let times = Some(time.extension.times).filter(|times| *times != default.extension.times);
    keys.extend(times.map(|times| ("extend_times".to_owned(), json!(times))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{TemplateSettings, read_template};

    fn template(keys: &str) -> Result<TemplateSettings, String> {
        let keys = crate::template::parse_toml("a", &format!("image = \"a\"\n{keys}")).unwrap();
        let settings = crate::parse("", std::iter::empty()).unwrap();
        read_template("a", &keys, &settings).map_err(|faults| faults.to_string())
    }

    #[test]
    fn without_keys_only_the_lease_counts() {
        let time = template("").unwrap().time;
        assert_eq!(time, TimeSettings::default());
        assert_eq!((time.lifetime, time.idle, time.keep), (None, None, Duration::ZERO));
    }

    #[test]
    fn every_key_is_read() {
        let keys = "lifetime = \"2h\"\nidle = \"30m\"\ngrace = \"1m\"\nkeep = \"1d\"\nwarn = \"10m\"\nagain = \"5s\"\n\
                    extend_by = \"20m\"\nextend_times = 2";
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let expected = TimeSettings {
            lifetime: Some(minutes(120)),
            idle: Some(minutes(30)),
            grace: minutes(1),
            keep: minutes(1440),
            warn: minutes(10),
            again: Again::After(Duration::from_secs(5)),
            extension: ClientExtension {
                by: minutes(20),
                times: 2,
            },
        };
        assert_eq!(template(keys).unwrap().time, expected);
        let none = template("lifetime = \"none\"\nidle = \"none\"\nagain = \"lease\"").unwrap();
        assert_eq!(none.time, TimeSettings::default());
    }

    #[test]
    fn a_value_out_of_bounds_is_refused_with_its_key() {
        for keys in [
            "lifetime = \"0s\"",
            "idle = \"9s\"",
            "keep = \"366d\"",
            "warn = \"8d\"",
            "again = \"soon\"",
            "extend_by = \"30s\"",
            "extend_times = 0",
        ] {
            let refused = template(keys).unwrap_err();
            let key = keys.split_once(' ').unwrap().0;
            assert!(refused.contains(&format!("template.a.{key}")), "{refused}");
        }
    }
}
