use crate::connection::{self, Door};
use crate::limits;
use crate::listen::{self, SocketFile, StartError};
use crate::routes::{self, App};
use peermon_api::Local;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};

/// Where to serve, and who may ask.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// TCP addresses; port 0 takes any free port. One that other machines reach needs a token. Default: none.
    pub tcp: Vec<SocketAddr>,
    /// Path of the unix socket. Default: none.
    pub unix: Option<PathBuf>,
    /// What TCP clients must send as `Authorization: Bearer`, or log in with. Default: none, and TCP clients may only read.
    pub token: Option<String>,
}

/// A running HTTP face; dropping it stops it, as [`Server::stop`] does.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    app: Arc<App>,
    thread: Option<JoinHandle<()>>,
    /// After the thread, so that nobody is sent to a socket without a listener for long.
    socket: Option<SocketFile>,
}

impl Server {
    /// Binds all addresses and starts to serve.
    ///
    /// # Errors
    /// When an address or path cannot be had, or would be reached by strangers without a token; nothing is left behind then.
    pub fn start(config: Config, service: Arc<dyn Local>) -> Result<Server, StartError> {
        Server::start_with(config, limits::Times::default(), service)
    }

    /// As [`Server::start`], with other times than the usual ones.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(config: Config, times: limits::Times, service: Arc<dyn Local>) -> Result<Server, StartError> {
        let token = config.token.as_deref();
        listen::token(token)?;
        let tcp = config.tcp.iter().map(|&a| listen::tcp(a, token)).collect::<Result<Vec<_>, _>>()?;
        let unix = config.unix.as_deref().map(listen::unix).transpose()?;
        let (unix, socket) = unix.unzip();
        let addresses = tcp.iter().map(|(_, a)| *a).collect();
        let (stop, stopped) = watch::channel(false);
        let app = Arc::new(App::new(service, config.token, times, stopped.clone()));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(limits::CALLS_MAX)
            .thread_name("http-call")
            .build()
            .map_err(StartError::Thread)?;
        let doors = doors(&runtime, tcp, unix)?;
        let for_thread = app.clone();
        let run = move || {
            runtime.block_on(serve(doors, for_thread, stopped));
            // A call that hangs is left behind; the daemon that hangs in it is ending anyway.
            runtime.shutdown_timeout(Duration::ZERO);
        };
        let thread = std::thread::Builder::new().name("http".into()).spawn(run).map_err(StartError::Thread)?;
        Ok(Server { addresses, stop, app, thread: Some(thread), socket })
    }

    /// Where it is reached: `http://ADDRESS:PORT` with the port really taken, and the unix socket's path.
    pub fn urls(&self) -> Vec<String> {
        let socket = self.socket.iter().map(|s| s.path.display().to_string());
        self.addresses.iter().map(|a| format!("http://{a}")).chain(socket).collect()
    }

    /// Requests answered, by the name `requests`, and refusals, by their reason, since the start.
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.app.counters.all()
    }

    /// Takes no more connections, lets running answers end (event streams end at once) for [`limits::STOP_TIME_MAX`] at most, and
    /// removes the socket file.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(t) = self.thread.take()
            && t.join().is_err()
        {
            tracing::error!("the HTTP thread had panicked");
        }
    }
}

/// The listeners as the runtime knows them: one door for the unix socket, one for all TCP addresses together.
fn doors(runtime: &Runtime, tcp: Vec<(TcpListener, SocketAddr)>, unix: Option<UnixListener>) -> Result<Vec<Door>, StartError> {
    let _inside = runtime.enter();
    let on_tcp = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let mut doors = Vec::new();
    for (listener, address) in tcp {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Thread)?;
        doors.push(Door { listener: connection::Listener::Tcp(listener, address), places: on_tcp.clone() });
    }
    if let Some(listener) = unix {
        let listener = tokio::net::UnixListener::from_std(listener).map_err(StartError::Thread)?;
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
        doors.push(Door { listener: connection::Listener::Unix(listener), places });
    }
    Ok(doors)
}

async fn serve(doors: Vec<Door>, app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let router = routes::router(app.clone());
    let places: Vec<_> = doors.iter().map(|d| d.places.clone()).collect();
    for door in doors {
        tokio::spawn(connection::accept(door, router.clone(), app.clone(), stopped.clone()));
    }
    // An error means that the server is gone, which is as good as a stop.
    drop(stopped.wait_for(|stop| *stop).await);
    let all_ended = async {
        for p in places {
            drop(p.acquire_many(limits::CONNECTIONS_MAX as u32).await);
        }
    };
    if tokio::time::timeout(limits::STOP_TIME_MAX, all_ended).await.is_err() {
        tracing::debug!("closed connections that were still answering");
    }
}
