//! The registry of an image, and the name of the secret with its credentials. Pure.

use orchestrator_api::ControlError;

/// The registry of an image whose name has none.
const DEFAULT: &str = "docker.io";
/// The prefix of the names of these secrets.
const PREFIX: &str = "registry/";
/// What stands for the colon before a port in the name of a secret, which has none.
const PORT: char = '/';

/// The registry that an image is fetched from, by the rule of Docker: the part before the first slash, when it has a dot
/// or a port, or is `localhost`.
pub(super) fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DEFAULT,
    }
}

/// The name of the secret with the credentials for a registry.
///
/// # Errors
///
/// [`ControlError::Refused`] when the text is not the name of a registry.
pub(super) fn secret_name(host: &str) -> Result<String, ControlError> {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    let is_name = !name.is_empty() && name.len() <= 150 && name.bytes().all(known);
    if !is_name || port.parse::<u16>().is_err() {
        let reason = format!("{host:?} is not a registry; write it like registry.example or registry.example:5000");
        return Err(ControlError::Refused { reason });
    }
    Ok(format!("{PREFIX}{}", host.replacen(':', &PORT.to_string(), 1)))
}

/// The registry whose credentials are in the secret of this name; `None` when it is another secret.
pub(super) fn registry_named(secret: &str) -> Option<String> {
    let host = secret.strip_prefix(PREFIX)?;
    Some(host.replacen(PORT, ":", 1))
}

#[cfg(test)]
mod tests {
    use orchestrator_secrets::Usage;

    use super::*;

    #[test]
    fn the_registry_is_the_part_before_the_first_slash() {
        for (image, host) in [
            ("web", "docker.io"),
            ("some/web:1", "docker.io"),
            ("registry.example/web", "registry.example"),
            ("localhost/web", "localhost"),
            ("host:5000/a/b@sha256:0a", "host:5000"),
        ] {
            assert_eq!(registry_of(image), host);
        }
    }

    #[test]
    fn a_registry_has_a_secret_of_its_own() {
        for host in ["registry.example", "registry.example:5000", "localhost"] {
            let name = secret_name(host).unwrap();
            assert_eq!(registry_named(&name).as_deref(), Some(host));
            assert_eq!(Usage::of(&name), Usage::Registry { host: host.to_owned() });
        }
        for host in ["", "a b", "../seal", "a/b", "host:", "host:x", "host:70000", "Host"] {
            secret_name(host).unwrap_err();
        }
        assert_eq!(registry_named("vpn/key"), None);
    }
}
