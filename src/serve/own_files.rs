//! The files that are an instance's own: its SSH host key, and the keys that may log in.

use async_trait::async_trait;
use orchestrator_model::{Clock, File, FileContent, Instance};
use orchestrator_reconcile::instance::OwnFiles;
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::{HostKeys, KeyFile, Room, SecretsError};
use orchestrator_settings::Current;
use orchestrator_store::Store;
use tokio::sync::OnceCell;

use super::client_keys::KeysOfClients;

/// The permission bits of both: sshd refuses a host key that others may read.
const MODE: u32 = 0o600;

/// SSH keys of instances.
pub(super) struct SshKeys {
    pub(super) store: Store,
    pub(super) keys: KeysOfClients,
    pub(super) settings: Current,
    pub(super) clock: Clock,
    /// Read once: the secret behind the host keys never changes.
    pub(super) host_keys: OnceCell<HostKeys>,
}

#[async_trait]
impl OwnFiles for SshKeys {
    async fn of(&self, instance: &Instance) -> Result<Vec<File>, String> {
        let Some(ssh) = &instance.spec.ssh else {
            return Ok(Vec::new());
        };
        let file = |target: &std::path::Path, bytes: &[u8]| File {
            target: target.to_owned(),
            content: FileContent::Bytes(bytes.to_vec()),
            mode: MODE,
            uid: ssh.uid,
            gid: ssh.gid,
        };
        let mut files = Vec::new();
        if let Some(target) = &ssh.host_key {
            let keys = self.host_keys.get_or_try_init(|| self.open()).await;
            let key = keys.and_then(|keys| keys.of_slot(&instance.key()));
            let key = key.map_err(|fault| with_causes(&fault))?;
            files.push(file(target, key.private.expose()));
        }
        if let (Some(target), Some(client)) = (&ssh.authorized_keys, instance.client()) {
            let keys = self.keys.of(client).await;
            let keys = keys.map_err(|fault| with_causes(&fault))?.all();
            let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
            files.push(file(target, lines.as_bytes()));
        }
        Ok(files)
    }
}

impl SshKeys {
    async fn open(&self) -> Result<HostKeys, SecretsError> {
        let (file, now) = (KeyFile::at(&self.settings.get().secrets.key_file), self.clock.now());
        HostKeys::of(&Room::open(self.store.sealed(), file, now).await?, now).await
    }
}
