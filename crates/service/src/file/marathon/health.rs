//! `healthChecks`: the first one that has a counterpart.

use serde_json::{Value as Json, json};

use super::Converted;

/// The keys that are converted.
const KNOWN: [&str; 9] = [
    "protocol",
    "path",
    "command",
    "portIndex",
    "port",
    "gracePeriodSeconds",
    "intervalSeconds",
    "timeoutSeconds",
    "maxConsecutiveFailures",
];

pub(super) fn convert(checks: &Json, out: &mut Converted) {
    let Some(list) = checks.as_array() else {
        out.warn("healthChecks", "is no list, and is left out");
        return;
    };
    for (index, check) in list.iter().enumerate() {
        let path = format!("healthChecks[{index}]");
        if out.keys.contains_key("health") {
            out.warn(&path, "is left out: a service has one check");
            continue;
        }
        convert_check(&path, check, out);
    }
}

fn convert_check(path: &str, check: &Json, out: &mut Converted) {
    out.unknown_in(path, check, &KNOWN);
    match check.get("protocol").map_or(Some("HTTP"), Json::as_str) {
        Some("HTTP" | "MESOS_HTTP") => {
            let Some(port) = port_of(path, check, out) else { return };
            let target = check.get("path").and_then(Json::as_str).unwrap_or("/");
            out.put_in("health", "http", target);
            out.put_in("health", "port", port);
        }
        Some("TCP" | "MESOS_TCP") => {
            let Some(port) = port_of(path, check, out) else { return };
            out.put_in("health", "tcp", port);
        }
        Some("COMMAND") => {
            let command = check.get("command").and_then(|command| command.get("value"));
            let Some(line) = command.and_then(Json::as_str) else {
                out.warn(path, "has no command.value, and is left out");
                return;
            };
            out.put_in("health", "exec", json!(["/bin/sh", "-c", line]));
        }
        _ => {
            out.unknown(&format!("{path}.protocol"));
            return;
        }
    }
    convert_times(path, check, out);
}

/// The name of the port that is checked: by its index, or by its number.
fn port_of(path: &str, check: &Json, out: &mut Converted) -> Option<String> {
    let named = match check.get("port").and_then(Json::as_u64) {
        Some(number) => out.ports.iter().find(|(port, _)| *port == number),
        None => {
            let index = check.get("portIndex").map_or(Some(0), Json::as_u64);
            index.and_then(|index| out.ports.get(usize::try_from(index).ok()?))
        }
    };
    let name = named.map(|(_, name)| name.clone());
    if name.is_none() {
        out.warn(path, "names a port that is not in portMappings, and is left out");
    }
    name
}

fn convert_times(path: &str, check: &Json, out: &mut Converted) {
    let spans = [
        ("intervalSeconds", "health", "every", 1, 3600),
        ("timeoutSeconds", "health", "timeout", 1, 60),
        ("gracePeriodSeconds", "strategy", "within", 1, 3600),
    ];
    for (key, table, to, least, most) in spans {
        if let Some(seconds) = bounded(path, check, key, least, most, out) {
            out.put_in(table, to, format!("{seconds}s"));
        }
    }
    if let Some(failures) = bounded(path, check, "maxConsecutiveFailures", 1, 100, out) {
        out.put_in("health", "failures", failures);
    }
}

/// A whole number, moved to the nearest bound with a warning.
fn bounded(path: &str, check: &Json, key: &str, least: u64, most: u64, out: &mut Converted) -> Option<u64> {
    let value = check.get(key)?;
    let key = format!("{path}.{key}");
    let Some(number) = value.as_u64() else {
        out.warn(&key, "is no whole number, and is left out");
        return None;
    };
    let taken = number.clamp(least, most);
    if taken != number {
        out.warn(&key, &format!("is {number}; {taken} is taken"));
    }
    Some(taken)
}
