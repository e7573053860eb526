//! A HAProxy on the machine of the daemon, with its files in a directory.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::fs;
use tokio::net::UnixStream;

use super::{Balancer, Control, Stream};
use crate::Files;

/// A HAProxy whose directory this process can write to.
#[derive(Debug, Clone)]
pub struct LocalBalancer {
    name: String,
    directory: PathBuf,
}

impl LocalBalancer {
    /// The HAProxy with its files in this directory.
    pub fn new(name: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            directory: directory.into(),
        }
    }
}

#[async_trait]
impl Balancer for LocalBalancer {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn dial(&self, control: Control) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(
            UnixStream::connect(self.directory.join(control.file())).await?,
        ))
    }

    async fn write(&self, files: &Files) -> io::Result<()> {
        fs::create_dir_all(self.directory.join("certificates")).await?;
        for (name, content) in files.contents() {
            replace(&self.directory.join(name), content).await?;
        }
        Ok(())
    }
}

/// Replaces a file at once. Nobody else can read it: it may hold a key.
async fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let (path, content) = (path.to_owned(), content.to_vec());
    let work = move || {
        let new = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        io::Write::write_all(&mut options.open(&new)?, &content)?;
        std::fs::rename(&new, &path)
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
