//! The client's state on disk: its DUID, and the leases of each interface. Each is a plain file that is replaced as a
//! whole.

use std::io;
use std::path::{Path, PathBuf};

use orchestrator_dhcp6::Duid;
use orchestrator_dhcp6::client::Holdings;
use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::ClientError;
use orchestrator_runtime::files::{self, Symlinks};

/// The largest file that is read, in bytes: some thousand leases.
const LARGEST: u64 = 1 << 20;

/// The directory of a client's files.
#[derive(Debug, Clone)]
pub(super) struct State {
    directory: PathBuf,
}

impl State {
    /// Opens the directory, and creates it if it is missing.
    pub(super) async fn open(directory: &Path) -> Result<Self, ClientError> {
        let made = fs::create_dir_all(directory).await;
        made.map_err(|source| fault("make", directory, source))?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// The DUID of an earlier run. A file that cannot be parsed is an error, because a client must not change its DUID
    /// unasked.
    pub(super) async fn duid(&self) -> Result<Option<Duid>, ClientError> {
        let path = self.directory.join("duid");
        let Some(text) = read(&path).await? else {
            return Ok(None);
        };
        let duid = text.trim().parse();
        duid.map(Some)
            .map_err(|reason| fault("understand", &path, io::Error::other(reason)))
    }

    pub(super) async fn keep_duid(&self, duid: &Duid) -> Result<(), ClientError> {
        replace(&self.directory.join("duid"), format!("{duid}\n").as_bytes()).await
    }

    /// The stored leases of an interface. A file that cannot be read is ignored, and the client asks for a new lease.
    pub(super) async fn holdings(&self, interface: &str) -> Result<Option<Holdings>, ClientError> {
        let path = self.lease(interface);
        let Some(text) = read(&path).await? else {
            return Ok(None);
        };
        let holdings = serde_json::from_str(&text);
        if let Err(reason) = &holdings {
            tracing::warn!(path = %path.display(), "the lease of an earlier run is passed over: {reason}");
        }
        Ok(holdings.ok())
    }

    /// Stores the leases of an interface. `None` removes them.
    pub(super) async fn keep_holdings(&self, interface: &str, holdings: Option<&Holdings>) -> Result<(), ClientError> {
        let path = self.lease(interface);
        let Some(holdings) = holdings else {
            return match fs::remove_file(&path).await {
                Err(source) if source.kind() != io::ErrorKind::NotFound => Err(fault("remove", &path, source)),
                _ => Ok(()),
            };
        };
        let text = serde_json::to_vec(holdings).map_err(|reason| fault("write", &path, reason.into()))?;
        replace(&path, &text).await
    }

    fn lease(&self, interface: &str) -> PathBuf {
        self.directory.join(format!("{interface}.lease"))
    }
}

async fn read(path: &Path) -> Result<Option<String>, ClientError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || files::read_text(&owned, Symlinks::Refuse, LARGEST));
    match read.await.unwrap_or_else(|fault| Err(io::Error::other(fault))) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(fault("read", path, source)),
    }
}

/// Replaces a file by a new one that is complete on disk.
async fn replace(path: &Path, text: &[u8]) -> Result<(), ClientError> {
    let beside = path.with_extension("new");
    let write = async {
        // An earlier run or somebody else left it. Through a symbolic link this would write to another file.
        match fs::remove_file(&beside).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The file may contain a key.
        let mut options = fs::File::options();
        let mut file = options.mode(0o600).write(true).create_new(true).open(&beside).await?;
        file.write_all(text).await?;
        file.sync_all().await?;
        fs::rename(&beside, path).await
    };
    write.await.map_err(|source| fault("write", path, source))
}

fn fault(doing: &'static str, path: &Path, source: io::Error) -> ClientError {
    ClientError::State {
        doing,
        path: path.to_owned(),
        source,
    }
}
