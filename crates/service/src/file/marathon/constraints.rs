//! `constraints`: the hosts that instances may be placed on.

use serde_json::Value as Json;

use super::Converted;

pub(super) fn convert(constraints: &Json, out: &mut Converted) {
    let Some(list) = constraints.as_array() else {
        out.warn("constraints", "is no list, and is left out");
        return;
    };
    for (index, constraint) in list.iter().enumerate() {
        let path = format!("constraints[{index}]");
        let words = constraint.as_array().map(|words| words.iter().map(Json::as_str));
        let words: Option<Vec<&str>> = words.and_then(Iterator::collect);
        convert_one(&path, &words.unwrap_or_default(), out);
    }
}

fn convert_one(path: &str, words: &[&str], out: &mut Converted) {
    match *words {
        ["hostname", "UNIQUE"] => out.put_in("placement", "unique", true),
        ["hostname", "GROUP_BY"] => out.put_in("placement", "spread", true),
        ["hostname", "CLUSTER" | "LIKE", host] if is_plain(host) => out.put_in("placement", "host", host),
        ["role", "CLUSTER" | "LIKE", role] if is_plain(role) => out.put_in("placement", "role", role),
        _ => out.warn(
            path,
            "has no counterpart here, and is left out; `placement` has host, role, spread and unique",
        ),
    }
}

/// Whether a pattern means nothing but itself. A dot is taken for one, as in names of hosts.
fn is_plain(pattern: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !pattern.is_empty() && pattern.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn constraints_on_hosts_and_roles_are_placements_and_others_are_warned_of() {
        for (constraint, placement) in [
            (json!(["hostname", "UNIQUE"]), json!({ "unique": true })),
            (json!(["hostname", "GROUP_BY"]), json!({ "spread": true })),
            (json!(["hostname", "CLUSTER", "edge-1"]), json!({ "host": "edge-1" })),
            (json!(["hostname", "LIKE", "edge-1"]), json!({ "host": "edge-1" })),
            (json!(["role", "CLUSTER", "public"]), json!({ "role": "public" })),
        ] {
            let mut out = Converted::default();
            convert(&json!([constraint]), &mut out);
            assert_eq!(
                (&out.keys["placement"], out.warnings.len()),
                (&placement, 0),
                "{constraint}"
            );
        }
        for constraint in [
            json!(["hostname", "LIKE", "edge-.*"]),
            json!(["rack", "GROUP_BY", "3"]),
            json!("all"),
        ] {
            let mut out = Converted::default();
            convert(&json!([constraint]), &mut out);
            assert_eq!((out.keys.len(), out.warnings.len()), (0, 1), "{constraint}");
            assert!(out.warnings[0].starts_with("constraints[0]: "), "{:?}", out.warnings);
        }
    }
}
