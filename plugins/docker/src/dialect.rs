//! Docker and Podman: one API with two engines, and the differences between them.
//!
//! Everything that only one of them supports or that has another word there is decided here. Answers that mean the same
//! in other words are read in both forms where they are read.

use orchestrator_plugin::{Capabilities, Capability, File, FileContent, Resolver};

use crate::container::Namespace;

/// The kind of engine behind the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Docker Engine.
    #[default]
    Docker,
    /// Podman's service (`podman system service`).
    Podman,
}

impl Dialect {
    /// The word for it in the settings.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Its default socket.
    pub(crate) fn socket(self) -> &'static str {
        match self {
            Self::Docker => "/run/docker.sock",
            Self::Podman => "/run/podman/podman.sock",
        }
    }

    /// The dialect of an engine with this name.
    pub(crate) fn of(engine: &str) -> Self {
        match engine.starts_with("Podman") {
            true => Self::Podman,
            false => Self::Docker,
        }
    }

    /// The package that an operator should install if the engine is too old.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Docker => "use Docker 20.10 or newer",
            Self::Podman => "use Podman 4 or newer",
        }
    }

    /// The capabilities of the engine.
    ///
    /// Docker's API accepts no path of a network namespace, but Podman's does (`ns:/path`). The plugin supports no
    /// networks of either engine.
    pub(crate) fn capabilities(self) -> Capabilities {
        let both = Capabilities::all()
            .without(Capability::EnginePort)
            .without(Capability::Tap);
        match self {
            Self::Docker => both.without(Capability::PreparedNamespace),
            Self::Podman => both,
        }
    }

    /// The name servers of a container as a file, if the engine does not configure them.
    ///
    /// Podman writes `/etc/resolv.conf` only if a container has a network. In an empty namespace that Podman made, the
    /// container sees the file of its image.
    pub(crate) fn resolver_file(self, namespace: &Namespace, resolver: Option<&Resolver>) -> Option<File> {
        let resolver = resolver.filter(|_| self == Self::Podman && *namespace == Namespace::Own)?;
        Some(File {
            target: "/etc/resolv.conf".into(),
            content: FileContent::Text(resolv_conf(resolver)),
            mode: File::default_mode(),
            uid: 0,
            gid: 0,
        })
    }
}

/// The lines of `resolv.conf(5)`.
fn resolv_conf(resolver: &Resolver) -> String {
    let search = match resolver.search.is_empty() {
        true => String::new(),
        false => format!("search {}\n", resolver.search.join(" ")),
    };
    let servers = resolver.servers.iter().map(|server| format!("nameserver {server}\n"));
    servers.fold(search, |text, line| text + &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_name() {
        assert_eq!(Dialect::of("Podman Engine"), Dialect::Podman);
        assert_eq!(Dialect::of("Docker Engine"), Dialect::Docker);
    }

    #[test]
    fn only_podman_in_an_empty_namespace_needs_a_file_for_its_name_servers() {
        let resolver = Resolver {
            servers: vec!["fd39::53".parse().unwrap()],
            search: vec!["lab.example".to_owned(), "example".to_owned()],
        };
        let file = Dialect::Podman.resolver_file(&Namespace::Own, Some(&resolver)).unwrap();
        assert_eq!(
            file.content.bytes(),
            Some(&b"search lab.example example\nnameserver fd39::53\n"[..])
        );
        let prepared = Namespace::Prepared("/run/netns/x".into());
        for (dialect, namespace) in [(Dialect::Podman, prepared), (Dialect::Docker, Namespace::Own)] {
            assert_eq!(dialect.resolver_file(&namespace, Some(&resolver)), None);
        }
        assert_eq!(Dialect::Podman.resolver_file(&Namespace::Own, None), None);
    }
}
