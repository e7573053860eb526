//! Writes a service as its file has it: one JSON text for each specification.

use orchestrator_model::{Listen, Route, RouteTls, ServicePort, Transport};
use orchestrator_settings::{Hidden, write_lifespan};
use serde_json::{Map, Value as Json, json};

use super::{Health, Instances, PerClient, Placement, Probe, ServiceSpec, Strategy, access};

impl ServiceSpec {
    /// All keys of the service with their values, including defaults. [`read`](Self::read) reads them back into an equal
    /// service. Empty lists are left out. Values of variables and contents of files may be hidden.
    ///
    /// Two services are equal if and only if they are written alike, because the keys are sorted.
    pub fn written(&self, hidden: Hidden) -> Json {
        let Self {
            name,
            instances,
            network,
            template,
            ports,
            health,
            strategy,
            placement,
            sticky,
            proxy_protocol,
            routes,
            listen,
        } = self;
        let mut keys = match template.written(hidden) {
            Json::Object(keys) => keys,
            _ => Map::new(),
        };
        let counted = matches!(instances, Instances::Count(_));
        keys.retain(|key, _| !(counted && access::is_of_clients(key)));
        let mut put = |key: &str, value: Json| keys.insert(key.to_owned(), value);
        put("name", json!(name));
        match instances {
            Instances::Count(count) => put("instances", json!(count)),
            Instances::PerClient(clients) => {
                match clients {
                    PerClient::Link(name) => put("link", json!(name)),
                    PerClient::Class(name) => put("class", json!(name)),
                };
                put("instances", json!("per-client"))
            }
        };
        if let Some(network) = network {
            put("network", json!(network));
        }
        if !ports.is_empty() {
            let ports = ports.iter().map(|(name, port)| (name.clone(), write_port(port)));
            put("ports", Json::Object(ports.collect()));
        }
        if let Some(health) = health {
            put("health", write_health(health));
        }
        if counted {
            put("strategy", write_strategy(strategy));
            put("placement", write_placement(placement));
            put("sticky", json!(sticky));
            put("proxy_protocol", json!(proxy_protocol));
        }
        if !routes.is_empty() {
            put("route", routes.iter().map(write_route).collect());
        }
        if !listen.is_empty() {
            put("listen", listen.iter().map(write_listen).collect());
        }
        Json::Object(keys)
    }
}

fn write_port(port: &ServicePort) -> Json {
    match port.transport {
        Transport::Tcp => json!(port.number),
        Transport::Udp => json!({"number": port.number, "transport": "udp"}),
    }
}

fn write_health(health: &Health) -> Json {
    let Health {
        probe,
        every,
        timeout,
        failures,
        successes,
    } = health;
    let mut keys = json!({
        "every": write_lifespan(*every),
        "timeout": write_lifespan(*timeout),
        "failures": failures,
        "successes": successes,
    });
    match probe {
        Probe::Http { path, port } => {
            keys["http"] = json!(path);
            keys["port"] = json!(port);
        }
        Probe::Tcp { port } => keys["tcp"] = json!(port),
        Probe::Exec { command } => keys["exec"] = json!(command),
    }
    keys
}

fn write_strategy(strategy: &Strategy) -> Json {
    let Strategy {
        order,
        surge,
        pause,
        drain,
        within,
        failures,
        steady,
    } = strategy;
    json!({
        "order": order.word(),
        "surge": surge,
        "pause": write_lifespan(*pause),
        "drain": write_lifespan(*drain),
        "within": write_lifespan(*within),
        "failures": failures,
        "steady": write_lifespan(*steady),
    })
}

fn write_placement(placement: &Placement) -> Json {
    let Placement {
        role,
        host,
        spread,
        unique,
    } = placement;
    let mut keys = json!({"spread": spread, "unique": unique});
    for (key, name) in [("role", role), ("host", host)] {
        if let Some(name) = name {
            keys[key] = json!(name);
        }
    }
    keys
}

fn write_route(route: &Route) -> Json {
    let Route { host, path, port, tls } = route;
    let mut keys = json!({"host": host, "path": path, "port": port});
    match tls {
        None => {}
        Some(RouteTls::OwnCa) => keys["tls"] = json!("own-ca"),
        Some(RouteTls::Acme) => keys["tls"] = json!("acme"),
        Some(RouteTls::Files { certificate, key }) => keys["tls"] = json!({"certificate": certificate, "key": key}),
    }
    keys
}

fn write_listen(listen: &Listen) -> Json {
    let Listen { address, number, port } = listen;
    json!({"address": format!("[{address}]:{number}"), "port": port})
}
