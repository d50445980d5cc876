//! Binding the sockets, so that whatever is wrong is known before the server runs.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Why the server did not start. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The TCP address cannot be had.
    #[error("cannot listen for HTTP on {address}: {source}; stop what uses it, or choose another with --http ADDR:PORT")]
    Tcp {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Other machines reach this address, and there is no token.
    #[error(
        "refusing to serve HTTP on {address} without a token, since other machines reach it; name a file with one (api.token_file, or \
         --token-file), or listen on 127.0.0.1"
    )]
    TokenNeeded {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The token cannot be sent in a header.
    #[error(
        "the HTTP token must be 1 to 256 visible ASCII characters without spaces; write another into the file that \
             api.token_file names"
    )]
    BadToken,
    /// A daemon already answers on the unix socket.
    #[error("another daemon is running on {}; stop it, or choose another place with --socket PATH", path.display())]
    SocketInUse {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something that is not a socket has the unix socket's name.
    #[error("{} exists and is not a socket; remove it, or choose another place with --socket PATH", path.display())]
    NotASocket {
        /// The path asked for.
        path: PathBuf,
    },
    /// The unix socket cannot be made.
    #[error("cannot {action} {}: {source}; choose another place with --socket PATH", path.display())]
    Unix {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server's thread cannot be started.
    #[error("cannot start the HTTP thread: {0}; check the limits on processes and memory")]
    Thread(io::Error),
}

/// A TCP listener that does not block, and the address it really has.
pub(crate) fn tcp(address: SocketAddr, token: Option<&str>) -> Result<(TcpListener, SocketAddr), StartError> {
    if token.is_none() && !address.ip().to_canonical().is_loopback() {
        return Err(StartError::TokenNeeded { address });
    }
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let actual = listener.local_addr()?;
        Ok((listener, actual))
    };
    bind().map_err(|source| StartError::Tcp { address, source })
}

/// The token, if it can travel in a header.
pub(crate) fn token(token: Option<&str>) -> Result<(), StartError> {
    match token {
        Some(t) if t.is_empty() || t.len() > 256 || !t.bytes().all(|b| b.is_ascii_graphic()) => Err(StartError::BadToken),
        _ => Ok(()),
    }
}

/// Our socket file; dropping it removes the file, if it is still ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    pub(crate) path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.device_and_inode);
        if still_ours && let Err(e) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %e, "cannot remove the socket file");
        }
    }
}

/// The mode of the socket file: its owner and group.
const SOCKET_MODE: u32 = 0o660;

/// A unix listener that does not block. The directory is made if missing; a socket left by a daemon that is gone is replaced.
pub(crate) fn unix(path: &Path) -> Result<(UnixListener, SocketFile), StartError> {
    let failed = |action| move |source| StartError::Unix { action, path: path.to_path_buf(), source };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed("make the directory of"))?;
    }
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed("look at")(e)),
        Ok(m) if !m.file_type().is_socket() => return Err(StartError::NotASocket { path: path.to_path_buf() }),
        Ok(_) => match UnixStream::connect(path) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(failed("remove the old socket"))?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            // A full backlog or a missing permission also mean that somebody is there.
            Ok(_) | Err(_) => return Err(StartError::SocketInUse { path: path.to_path_buf() }),
        },
    }
    let listener = UnixListener::bind(path).map_err(failed("listen on"))?;
    let m = fs::symlink_metadata(path).map_err(failed("look at"))?;
    let file = SocketFile { path: path.to_path_buf(), device_and_inode: (m.dev(), m.ino()) };
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed("set the mode of"))?;
    listener.set_nonblocking(true).map_err(failed("listen on"))?;
    Ok((listener, file))
}
