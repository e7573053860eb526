//! Network namespaces that are made before their containers.
//!
//! Each is a file, and so a mount. Where a helper listens, it makes and removes them: a daemon whose unit forbids mounts
//! needs one. Otherwise the daemon mounts them by itself.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_network::NetworkError;
use orchestrator_plugin::InstanceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::LocalHost;

/// How long the helper may take to answer. It takes a millisecond.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1024;

impl LocalHost {
    /// Where the network namespace of an instance is, if it is made by us. Other sites have other directories.
    pub(super) fn namespace_of(&self, instance: InstanceId) -> PathBuf {
        let site = self.inner.mark.site.to_string();
        self.inner.namespaces.join(site).join(instance.to_string())
    }

    /// Makes sure that an instance has a network namespace of its own, and returns where it is. The kernel is waited for
    /// meanwhile in the place of the runtime that will be started in it.
    pub(super) async fn ensure_namespace(&self, instance: InstanceId) -> Result<PathBuf, NetworkError> {
        let netns = self.namespace_of(instance);
        if !self.network().is_namespace(&netns) {
            match (self.has_helper(), &self.inner.ahead) {
                (true, _) => self.ask_helper("make", instance).await?,
                (false, Some(ahead)) => ahead.wait(),
                (false, None) => {}
            }
        }
        // What is there is checked, also when the helper made it.
        self.network().ensure_namespace(&netns).await?;
        Ok(netns)
    }

    /// Removes the network namespace of an instance. One that is gone already is a success.
    pub(super) async fn remove_namespace(&self, instance: InstanceId) -> Result<(), NetworkError> {
        let netns = self.namespace_of(instance);
        match self.has_helper() && netns.exists() {
            true => self.ask_helper("remove", instance).await,
            false => self.network().remove_namespace(&netns).await,
        }
    }

    fn helper(&self) -> PathBuf {
        self.inner.namespaces.join("socket")
    }

    fn has_helper(&self) -> bool {
        self.helper().exists()
    }

    async fn ask_helper(&self, verb: &str, instance: InstanceId) -> Result<(), NetworkError> {
        let (helper, request) = (self.helper(), format!("{verb} {} {instance}\n", self.inner.mark.site));
        let refused = |source| NetworkError::Refused {
            doing: format!(
                "having the helper at {} {verb} the network namespace of instance {instance}",
                helper.display()
            ),
            source,
        };
        let answer = timeout(LIMIT, ask(&helper, &request)).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match answer.map_err(refused)?.trim_end() {
            "ok" => Ok(()),
            reason => Err(refused(io::Error::other(reason.to_owned()))),
        }
    }
}

async fn ask(helper: &Path, request: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(helper).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// A socket that goes with the test.
    struct Socket(PathBuf);

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_and_no_further_than_its_limit() {
        let path = std::env::temp_dir().join(format!("orc-ask-{}", std::process::id()));
        let socket = Socket(path.clone());
        let listener = UnixListener::bind(&path).unwrap();
        let helper = async {
            for answer in ["ok\n".to_owned(), "x".repeat(1 << 20)] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(&request, b"make");
                // One that is not read to its end breaks.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        };
        let asks = async { [ask(&path, "make").await.unwrap(), ask(&path, "make").await.unwrap()] };
        let ([short, long], ()) = tokio::join!(asks, helper);
        assert_eq!((short.as_str(), long.len()), ("ok\n", 1024));
        drop(socket);
        assert_eq!(ask(&path, "make").await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
