//! `labels`: values, and the host names and paths under which a load balancer of Marathon (marathon-lb) reaches a port.
//!
//! `HAPROXY_0_VHOST` has the host names of the first port, separated by commas, and `HAPROXY_0_PATH` how their paths begin.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Converted, text_of};

/// What the labels of a port say.
#[derive(Debug, Default)]
struct Reached {
    hosts: Vec<String>,
    path: Option<String>,
}

pub(super) fn convert(labels: &Json, out: &mut Converted) {
    out.unknown_unless_table("labels", labels);
    let mut reached: BTreeMap<usize, Reached> = BTreeMap::new();
    for (name, value) in labels.as_object().into_iter().flatten() {
        let Some(text) = text_of(value) else {
            out.unknown(&format!("labels.{name}"));
            continue;
        };
        match of_port(name) {
            Some((index, "VHOST")) => {
                let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
                reached.entry(index).or_default().hosts = hosts.map(str::to_owned).collect();
            }
            Some((index, "PATH")) => reached.entry(index).or_default().path = Some(text),
            Some(_) => out.unknown(&format!("labels.{name}")),
            None => out.put_in("values", name, text),
        }
    }
    for (index, reached) in reached {
        put_routes(index, reached, out);
    }
}

/// The port that a label is about, and what it says of it: `HAPROXY_0_VHOST`.
fn of_port(label: &str) -> Option<(usize, &str)> {
    let (index, key) = label.strip_prefix("HAPROXY_")?.split_once('_')?;
    Some((index.parse().ok()?, key))
}

fn put_routes(index: usize, reached: Reached, out: &mut Converted) {
    let key = format!("labels.HAPROXY_{index}_VHOST");
    let Some((_, port)) = out.ports.get(index).cloned() else {
        out.warn(&key, "is about a port that is not in portMappings, and is left out");
        return;
    };
    if reached.hosts.is_empty() {
        out.warn(&key, "names no host, so that no route is made");
    }
    for host in reached.hosts {
        let mut route = Map::from_iter([("host".to_owned(), json!(host)), ("port".to_owned(), json!(port))]);
        route.extend(reached.path.clone().map(|path| ("path".to_owned(), json!(path))));
        let routes = out.keys.entry("route").or_insert_with(|| json!([]));
        if let Json::Array(routes) = routes {
            routes.push(Json::Object(route));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(labels: &Json) -> Converted {
        let mut out = Converted {
            ports: vec![(8080, "http".to_owned()), (9090, "admin".to_owned())],
            ..Converted::default()
        };
        convert(labels, &mut out);
        out
    }

    #[test]
    fn host_names_of_a_port_are_routes_to_it() {
        let out = converted(&json!({
            "HAPROXY_GROUP": "external",
            "HAPROXY_0_VHOST": "web.example, www.web.example",
            "HAPROXY_1_VHOST": "admin.example",
            "HAPROXY_1_PATH": "/admin",
            "team": "shop",
        }));
        let routes = json!([
            {"host": "web.example", "port": "http"},
            {"host": "www.web.example", "port": "http"},
            {"host": "admin.example", "path": "/admin", "port": "admin"},
        ]);
        assert_eq!(out.keys["route"], routes);
        assert_eq!(out.keys["values"], json!({"HAPROXY_GROUP": "external", "team": "shop"}));
        assert!(out.warnings.is_empty(), "{:?}", out.warnings);
    }

    #[test]
    fn a_label_that_makes_no_route_is_warned_of() {
        for (labels, warning) in [
            (
                json!({"HAPROXY_7_VHOST": "web.example"}),
                "labels.HAPROXY_7_VHOST: is about a port",
            ),
            (
                json!({"HAPROXY_0_VHOST": " , "}),
                "labels.HAPROXY_0_VHOST: names no host",
            ),
            (json!({"HAPROXY_0_PATH": "/a"}), "labels.HAPROXY_0_VHOST: names no host"),
            (
                json!({"HAPROXY_0_STICKY": "true"}),
                "labels.HAPROXY_0_STICKY: has no counterpart",
            ),
        ] {
            let out = converted(&labels);
            assert!(
                out.warnings.len() == 1 && out.warnings[0].starts_with(warning),
                "{:?}",
                out.warnings
            );
            assert!(!out.keys.contains_key("route"), "{labels}");
        }
    }
}
