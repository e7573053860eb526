//! Where a lease's client was, as it is recorded.

use std::fmt::{self, Display, Write as _};

use orchestrator_model::GrantedTo;

/// Link-layer address, link-local address, relay agent and port of a lease's client, as they are recorded. They are only compared, so
/// they are read as one text and not parsed.
#[derive(Default)]
pub(super) struct Place(String);

/// How a query reads it from the row `l` of leases.
macro_rules! place_column {
    () => {
        "coalesce(l.link_layer, '') || ' ' || coalesce(l.link_local, '') || ' ' || coalesce(l.relay, '') || ' '
            || coalesce(l.port, '') as place"
    };
}
pub(super) use place_column;

impl Place {
    /// What [`place_column`] has read.
    pub(super) fn new(column: String) -> Self {
        Self(column)
    }

    /// Whether all that is known of `granted_to` is recorded already.
    pub(super) fn has(&self, granted_to: &GrantedTo) -> bool {
        let mut parts = self.0.splitn(4, ' ');
        let mut next = || parts.next().unwrap_or_default();
        let (link_layer, link_local, relay, port) = (next(), next(), next(), next());
        let is = |value: Option<&dyn Display>, recorded| value.is_none_or(|value| is_written(value, recorded));
        // A message that shows a client's address shows whether it was relayed.
        let is_relay = match &granted_to.relay {
            Some(agent) => is_written(agent, relay),
            None => granted_to.link_local.is_none() || relay.is_empty(),
        };
        is_relay
            && is(
                granted_to.link_layer.as_ref().map(|address| address as &dyn Display),
                link_layer,
            )
            && is(
                granted_to.link_local.as_ref().map(|address| address as &dyn Display),
                link_local,
            )
            && is(granted_to.port.as_ref().map(|port| port as &dyn Display), port)
    }
}

/// Whether a value is written as `text`, found out without writing it anywhere.
fn is_written(value: &dyn Display, text: &str) -> bool {
    let mut rest = Rest(text);
    write!(rest, "{value}").is_ok() && rest.0.is_empty()
}

/// What is left of a text after what was written so far.
struct Rest<'t>(&'t str);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted_to(port: Option<&str>) -> GrantedTo {
        GrantedTo {
            link_layer: "02:00:5e:10:00:01".parse().ok(),
            link_local: "fe80::1".parse().ok(),
            port: port.map(str::to_owned),
            relay: None,
        }
    }

    #[test]
    fn it_has_what_is_recorded_and_what_is_unknown() {
        let place = Place::new("02:00:5e:10:00:01 fe80::1  tap3".to_owned());
        assert!(place.has(&granted_to(Some("tap3"))));
        assert!(place.has(&granted_to(None)));
        assert!(place.has(&GrantedTo::default()));
    }

    #[test]
    fn it_has_nothing_else() {
        let place = Place::new("02:00:5e:10:00:01 fe80::1  tap3".to_owned());
        for port in ["tap", "tap30", "tap4"] {
            assert!(!place.has(&granted_to(Some(port))), "{port}");
        }
        for recorded in [
            "",
            "   ",
            "02:00:5e:10:00:01   tap3",
            " fe80::1  tap3",
            "02:00:5e:10:00:01 fe80::1  ",
            "02:00:5e:10:00:01 fe80::1 fe80::9 tap3",
        ] {
            assert!(
                !Place::new(recorded.to_owned()).has(&granted_to(Some("tap3"))),
                "{recorded}"
            );
        }
    }
}
