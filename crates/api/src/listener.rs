//! The sockets of the API.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{self as unix, DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::peer::{Admission, Peer};
use super::role::{ON_LOOPBACK, role_of};
use orchestrator_runtime::access::Access;
use orchestrator_settings::Listen;

/// Why the API cannot be served at an address or path. The operator has to correct it.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon uses the socket.
    #[error("another daemon answers on {path}; stop it, or set another api.listen")]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// The path has a file that is not a socket.
    #[error("{path} exists and is not a socket; move it away, or set another api.listen")]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("cannot listen on {listen}; is the address taken, or the directory not writable?")]
    Socket {
        /// The address or path.
        listen: Listen,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The address can be reached from other machines.
    #[error(
        "{address} can be reached from other machines, and without TLS the API does not identify callers there; write \
         \"https://{address}\" in api.listen, or listen on a unix socket"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
}

/// A listening socket.
pub(super) enum Listener {
    Unix { listener: UnixListener, file: SocketFile },
    Tcp(TcpListener),
    Tls(TcpListener),
}

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    /// What is known of it.
    pub(super) admission: Admission,
}

/// Any kind of connection.
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    /// Its handshake is still to come.
    Tls(TcpStream),
}

/// The file of a socket. It is removed when this is dropped.
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another daemon's socket may be there by now.
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "the API's socket could not be removed");
        }
    }
}

impl Listener {
    /// Opens a listening socket.
    pub(super) async fn bind(listen: &Listen, access: &Access) -> Result<Self, BindError> {
        let fault = |source| BindError::Socket {
            listen: listen.clone(),
            source,
        };
        match listen {
            Listen::Tcp(address) if !address.ip().is_loopback() => Err(BindError::Open { address: *address }),
            Listen::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp).map_err(fault),
            Listen::Tls(address) => TcpListener::bind(address).await.map(Self::Tls).map_err(fault),
            Listen::Unix(path) => {
                make_way(path, fault)?;
                bind_unix(path, access).map_err(fault)
            }
        }
    }

    /// Waits for a connection, and determines its peer and role.
    pub(super) async fn accept(&self, access: &Access) -> io::Result<Accepted> {
        match self {
            Self::Unix { listener, .. } => {
                let stream = listener.accept().await?.0;
                // A connection whose peer cannot be identified is dropped.
                let peer = stream.peer_cred().map_err(|_| io::ErrorKind::ConnectionAborted)?;
                Ok(Accepted {
                    peer: Peer::Process {
                        uid: peer.uid(),
                        pid: peer.pid().unwrap_or_default(),
                    },
                    admission: role_of(&peer, access).map_or(Admission::Stranger, Admission::As),
                    stream: Stream::Unix(stream),
                })
            }
            Self::Tcp(listener) => {
                let (stream, peer) = accept_tcp(listener).await?;
                Ok(Accepted {
                    stream: Stream::Tcp(stream),
                    peer,
                    admission: Admission::As(ON_LOOPBACK),
                })
            }
            Self::Tls(listener) => {
                let (stream, peer) = accept_tcp(listener).await?;
                Ok(Accepted {
                    stream: Stream::Tls(stream),
                    peer,
                    admission: Admission::ByToken,
                })
            }
        }
    }

    /// The address or path, with the port that was chosen for port 0.
    pub(super) fn place(&self) -> io::Result<Listen> {
        match self {
            Self::Unix { file, .. } => Ok(Listen::Unix(file.path.clone())),
            Self::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Self::Tls(listener) => listener.local_addr().map(Listen::Tls),
        }
    }
}

async fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
    let (stream, address) = listener.accept().await?;
    // A connection that is gone already cannot be set up, which its first read finds out as well.
    let _ = stream.set_nodelay(true);
    Ok((stream, Peer::Host(address.ip().to_canonical())))
}

fn bind_unix(path: &Path, access: &Access) -> io::Result<Listener> {
    let listener = UnixListener::bind(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        inode: fs::symlink_metadata(path)?.ino(),
    };
    if let Some(group) = access.group_id()
        && let Err(error) = unix::chown(path, None, Some(group))
    {
        let path = path.display();
        tracing::warn!(%error, %path, "the API's socket cannot be given to its group; the daemon needs CAP_CHOWN for it");
    }
    // Until here the mode is what the umask leaves, which lets nobody but the owner write.
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(Listener::Unix { listener, file })
}

/// Makes the directory, and removes the socket file of a daemon that does not run any more.
fn make_way(path: &Path, fault: impl Fn(io::Error) -> BindError) -> Result<(), BindError> {
    if let Some(parent) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(&fault)?;
    }
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(fault),
        // It answers, or has no time to: somebody is there.
        _ => Err(BindError::Taken { path: path.to_owned() }),
    }
}
