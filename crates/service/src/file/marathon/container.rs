//! `container`: the image and the ports.

use serde_json::{Value as Json, json};

use super::Converted;

pub(super) fn convert(container: &Json, out: &mut Converted) {
    out.unknown_in("container", container, &["type", "docker", "portMappings"]);
    match container.get("type").map(|kind| kind.as_str()) {
        None | Some(Some("DOCKER" | "MESOS")) => {}
        Some(_) => out.unknown("container.type"),
    }
    if let Some(docker) = container.get("docker") {
        convert_docker(docker, out);
    }
    // The newer place.
    if let Some(mappings) = container.get("portMappings") {
        convert_ports("container.portMappings", mappings, out);
    }
}

fn convert_docker(docker: &Json, out: &mut Converted) {
    let path = "container.docker";
    out.unknown_in(path, docker, &["image", "network", "portMappings"]);
    if let Some(image) = docker.get("image") {
        out.put("image", image.clone());
    }
    match docker.get("network").map(|network| network.as_str()) {
        // An instance has an address of its own, as with these.
        None | Some(Some("BRIDGE" | "USER")) => {}
        Some(_) => {
            let what = "is left out: an instance has an address of its own; give the service `network`";
            out.warn("container.docker.network", what);
        }
    }
    if let Some(mappings) = docker.get("portMappings") {
        convert_ports("container.docker.portMappings", mappings, out);
    }
}

fn convert_ports(path: &str, mappings: &Json, out: &mut Converted) {
    let Some(list) = mappings.as_array() else {
        if !mappings.is_null() {
            out.warn(path, "is no list, and is left out");
        }
        return;
    };
    for (index, mapping) in list.iter().enumerate() {
        convert_port(&format!("{path}[{index}]"), mapping, index, out);
    }
}

fn convert_port(path: &str, mapping: &Json, index: usize, out: &mut Converted) {
    let known = ["containerPort", "protocol", "name", "hostPort", "servicePort"];
    out.unknown_in(path, mapping, &known);
    for key in ["hostPort", "servicePort"] {
        // Zero asks for any.
        if mapping.get(key).is_some_and(|port| port.as_u64() != Some(0)) {
            let what = "is left out: the port is reached on the instance's own address, by `route` or by `listen`";
            out.warn(&format!("{path}.{key}"), what);
        }
    }
    let Some(number) = mapping.get("containerPort").and_then(Json::as_u64) else {
        out.warn(path, "has no containerPort, and is left out");
        return;
    };
    let name = mapping.get("name").and_then(Json::as_str);
    let name = name.map_or_else(|| format!("port{index}"), str::to_ascii_lowercase);
    let udp = json!({"number": number, "transport": "udp"});
    match mapping.get("protocol").map(Json::as_str) {
        None | Some(Some("tcp")) => out.put_in("ports", &name, number),
        Some(Some("udp")) => out.put_in("ports", &name, udp),
        Some(Some("tcp,udp" | "udp,tcp")) => {
            out.put_in("ports", &name, number);
            out.put_in("ports", &format!("{name}-udp"), udp);
        }
        Some(_) => {
            out.unknown(&format!("{path}.protocol"));
            out.put_in("ports", &name, number);
        }
    }
    out.ports.push((number, name));
}
