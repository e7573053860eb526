//! The certificate of the listeners with TLS: from files, which are read again when they change, or of our own authority.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_api::ServerIdentity;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_secrets::{CertificateRequest, Purpose, Room};
use orchestrator_settings::{ApiSettings, Listen, TlsFiles};
use orchestrator_store::Store;

use super::super::Context;

/// The condition under which a fault of the certificate is shown.
const CONDITION: &str = "api-certificate";
/// Between two checks of the files, or of the authority.
const PERIOD: Duration = Duration::from_secs(5);
/// Before the next try after a fault.
const RETRY: Duration = Duration::from_secs(2);
/// How long a certificate of our own authority lives. It is renewed after two thirds.
const VALIDITY: Duration = Duration::from_secs(90 * 86_400);
/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Keeps the certificate, if a listener has TLS.
pub(super) fn register(context: &Context, store: &Store, identity: ServerIdentity) {
    let settings = context.settings.get().api.clone();
    if !settings.listen.iter().any(|listen| matches!(listen, Listen::Tls(_))) {
        return;
    }
    let registration = Registration::new(CONDITION, "keeps the certificate of the API's listeners with TLS")
        .every(PERIOD)
        .retrying(Backoff::constant(RETRY))
        .having_condition();
    let keeper = Keeper {
        _condition: context.conditions.own(CONDITION),
        context: context.clone(),
        store: store.clone(),
        identity,
        settings,
        shown: None,
        room: None,
    };
    context.driver.register(registration, keeper);
}

struct Keeper {
    context: Context,
    store: Store,
    identity: ServerIdentity,
    /// They stay the same for as long as the daemon runs.
    settings: ApiSettings,
    /// The texts that are shown: certificate and key.
    shown: Option<(Vec<u8>, Vec<u8>)>,
    room: Option<Room>,
    _condition: Owned,
}

#[async_trait]
impl Reconciler for Keeper {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let kept = match self.settings.tls.files.clone() {
            Some(files) => self.keep_files(&files).await,
            None => self.keep_own().await,
        };
        match kept {
            Ok(()) => {
                self.context.conditions.set_ok(CONDITION);
                Ok(Next::Wait)
            }
            Err(reason) => {
                let reason = match self.identity.is_shown() {
                    true => format!("{reason}; the certificate from before is still shown"),
                    false => format!("{reason}; until then nobody can connect by TLS"),
                };
                self.context.conditions.set_wrong(CONDITION, reason.as_str());
                Err(reason.into())
            }
        }
    }
}

impl Keeper {
    async fn keep_files(&mut self, files: &TlsFiles) -> Result<(), String> {
        let files = files.clone();
        let paths = format!("{} and {}", files.certificate.display(), files.key.display());
        let read = tokio::task::spawn_blocking(move || Ok((read(&files.certificate)?, read(&files.key)?)));
        // The function does not panic, and only a runtime that ends cancels it.
        let texts = read
            .await
            .unwrap_or_else(|_| Err("the daemon is stopping".to_owned()))?;
        self.show(texts, &format!("the certificate and key in {paths}"))
    }

    async fn keep_own(&mut self) -> Result<(), String> {
        let now = self.context.clock.now();
        let fault = |fault| format!("cannot issue the API's certificate: {}", with_causes(&fault));
        let room = match &self.room {
            Some(room) => room.clone(),
            None => super::open_room(&self.context, &self.store).await.map_err(fault)?,
        };
        let kept = room
            .keep_certificate("api", &request(&self.settings), now)
            .await
            .map_err(fault)?;
        self.room = Some(room);
        let texts = (kept.certificate.into_bytes(), kept.key.expose().to_vec());
        self.show(texts, "the certificate of our own authority")
    }

    fn show(&mut self, texts: (Vec<u8>, Vec<u8>), what: &str) -> Result<(), String> {
        if self.shown.as_ref() == Some(&texts) {
            return Ok(());
        }
        let shown = self.identity.show(&texts.0, &texts.1);
        shown.map_err(|fault| format!("cannot use {what}: {}", with_causes(&fault)))?;
        tracing::info!("the API shows {what} from now on");
        self.shown = Some(texts);
        Ok(())
    }
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    let fault = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let length = fs::metadata(path).map_err(fault)?.len();
    if length > LARGEST {
        return Err(format!(
            "{} has {length} bytes, and is no certificate or key",
            path.display()
        ));
    }
    fs::read(path).map_err(fault)
}

/// The certificate that our own authority is to issue: for this machine by its name and as `localhost`, for the addresses
/// that are listened on, and for the names in the settings.
fn request(settings: &ApiSettings) -> CertificateRequest {
    let (mut names, mut addresses) = (vec!["localhost".to_owned()], Vec::<IpAddr>::new());
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    names.extend(Some(own.trim().to_ascii_lowercase()).filter(|name| is_dns_name(name)));
    addresses.extend([
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
    ]);
    for listen in &settings.listen {
        if let Listen::Tls(address) = listen
            && !address.ip().is_unspecified()
        {
            addresses.push(address.ip());
        }
    }
    for name in &settings.tls.names {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => names.push(name.clone()),
        }
    }
    names.sort_unstable();
    names.dedup();
    addresses.sort_unstable();
    addresses.dedup();
    CertificateRequest {
        subject: "orchestrator API".to_owned(),
        names,
        addresses,
        purposes: vec![Purpose::Server],
        validity: VALIDITY,
    }
}

/// Whether the name of a machine can be in a certificate.
fn is_dns_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253
        && name.split('.').all(is_label)
        && !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_the_machine_its_addresses_and_the_names_of_the_settings() {
        let settings = orchestrator_settings::parse(
            "[api]\nlisten = [\"https://[::]:8999\", \"https://192.0.2.1:8999\"]\n\
             tls = { names = [\"api.example\", \"2001:db8::1\"] }",
            std::iter::empty(),
        );
        let request = request(&settings.unwrap().api);
        for name in ["api.example", "localhost"] {
            assert!(request.names.iter().any(|known| known == name), "{name}: {request:?}");
        }
        let addresses: Vec<String> = request.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1", "192.0.2.1", "::1", "2001:db8::1"]);
    }

    #[test]
    fn names_of_machines_that_no_certificate_has_are_left_out() {
        for (name, is_one) in [
            ("vm", true),
            ("a.b-1", true),
            ("(none)", false),
            ("", false),
            ("10", false),
            ("-a", false),
        ] {
            assert_eq!(is_dns_name(name), is_one, "{name}");
        }
    }
}
