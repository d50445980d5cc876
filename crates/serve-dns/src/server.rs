//! Sockets around the [`Responder`].

use crate::answer::{Responder, Via};
use crate::counters::{Counters, What};
use crate::limits::{
    ANSWERS_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, RATE_SLIP, REQUEST_BYTES_MAX, TCP_IDLE_MAX, TCP_WRITE_MAX,
};
use crate::rate::Rates;
use crate::zone::{self, Zone};
use peermon_api::Service;
use peermon_model::{AllowList, Instant};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::timeout;

/// What to serve, where, and to whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses, each for UDP and TCP; port 0 takes any that is free for both.
    pub listen: Vec<SocketAddr>,
    /// The zone's name.
    pub zone: String,
    /// Seconds that an answer may be kept.
    pub ttl: u32,
    /// Addresses of the best nodes in one answer.
    pub answers: usize,
    /// Names of the name servers; none: `ns.ZONE`.
    pub name_servers: Vec<String>,
    /// Who may ask; empty: everybody.
    pub allow: AllowList,
    /// Requests a second from one client network; 0: no limit.
    pub rate_max: u32,
}

/// Why the server did not start. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something that should be a DNS name is none.
    #[error("{name:?} is not a DNS name: {why}; write one such as cluster.example.org")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Too few or too many answers.
    #[error("dns.answers is {0}; it must be 1 to {ANSWERS_MAX}")]
    Answers(usize),
    /// An address cannot be had.
    #[error("cannot listen for DNS on {address} ({protocol}): {source}; {}", hint(.source))]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// UDP or TCP.
        protocol: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server's thread cannot be started.
    #[error("cannot start the DNS thread: {0}; check the limits on processes and memory")]
    Thread(io::Error),
}

fn hint(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: give the service that, or take another port"
        }
        io::ErrorKind::AddrInUse => "another name server is there: stop it, or let dns.listen name another address or port",
        _ => "let dns.listen name an address of this machine",
    }
}

/// Attempts to find a port that is free for UDP and TCP both.
const PORT_ATTEMPTS: usize = 16;

/// A running DNS face; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What all tasks share. They run on one thread, so the locks are never waited for.
struct Shared {
    responder: Mutex<Responder>,
    rates: Mutex<Rates>,
    connections: Mutex<HashMap<IpAddr, usize>>,
    counters: Arc<Counters>,
    allow: AllowList,
    started: std::time::Instant,
}

impl Server {
    /// Binds all addresses and starts to answer.
    ///
    /// # Errors
    /// When a name is none or an address cannot be had; nothing is left behind then.
    pub fn start(config: &Config, service: Arc<dyn Service>) -> Result<Server, StartError> {
        let mut zone = Zone::new(&config.zone)?;
        zone.ttl = config.ttl;
        zone.answers =
            Some(config.answers).filter(|n| (1..=ANSWERS_MAX).contains(n)).ok_or(StartError::Answers(config.answers))?;
        zone.name_servers = config.name_servers.iter().map(|n| zone::name(n)).collect::<Result<_, _>>()?;
        let sockets = config.listen.iter().map(|a| bind(*a)).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<SocketAddr> = sockets.iter().map(|(_, _, a)| *a).collect();
        zone.addresses = addresses.iter().map(SocketAddr::ip).filter(|a| !a.is_unspecified()).collect();
        zone.addresses.dedup();
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            responder: Mutex::new(Responder::new(zone, service, counters.clone())),
            rates: Mutex::new(Rates::new(config.rate_max)),
            connections: Mutex::default(),
            counters: counters.clone(),
            allow: config.allow.clone(),
            started: std::time::Instant::now(),
        });
        let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        {
            let _inside = runtime.enter();
            for (udp, tcp, _) in sockets {
                let udp = UdpSocket::from_std(udp).map_err(StartError::Thread)?;
                let tcp = TcpListener::from_std(tcp).map_err(StartError::Thread)?;
                runtime.spawn(datagrams(udp, shared.clone()));
                runtime.spawn(connections(tcp, shared.clone()));
            }
        }
        let mut stopped: watch::Receiver<bool> = stopped;
        let run = move || {
            // An error means that the server is gone, which is as good as a stop.
            runtime.block_on(async { drop(stopped.wait_for(|stop| *stop).await) });
            runtime.shutdown_timeout(Duration::ZERO);
        };
        let thread = std::thread::Builder::new().name("dns".into()).spawn(run).map_err(StartError::Thread)?;
        Ok(Server { addresses, counters, stop, thread: Some(thread) })
    }

    /// Where it answers, with the ports really taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it has counted; the counts go on.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(t) = self.thread.take()
            && t.join().is_err()
        {
            tracing::error!("the DNS thread had panicked");
        }
    }
}

type Bound = (std::net::UdpSocket, std::net::TcpListener, SocketAddr);

fn bind(address: SocketAddr) -> Result<Bound, StartError> {
    let failed = |protocol| move |source| StartError::Bind { address, protocol, source };
    let mut attempt = 0;
    loop {
        attempt += 1;
        let udp = std::net::UdpSocket::bind(address).map_err(failed("UDP"))?;
        let taken = udp.local_addr().map_err(failed("UDP"))?;
        let tcp = match std::net::TcpListener::bind(taken) {
            Err(_) if address.port() == 0 && attempt < PORT_ATTEMPTS => continue,
            other => other.map_err(failed("TCP"))?,
        };
        udp.set_nonblocking(true).map_err(failed("UDP"))?;
        tcp.set_nonblocking(true).map_err(failed("TCP"))?;
        return Ok((udp, tcp, taken));
    }
}

impl Shared {
    fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    fn respond(&self, request: &[u8], via: Via) -> Option<Vec<u8>> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        // The serial number's 32 bits go round in 2106, as those of all zones that count seconds.
        lock(&self.responder).respond(request, via, self.now(), unix as u32)
    }

    fn may(&self, client: IpAddr) -> bool {
        lock(&self.rates).may(client, self.now())
    }
}

/// A panic while it was held left nothing half done that another answer would read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait after a socket failed: it would likely fail again at once.
const PAUSE: Duration = Duration::from_millis(50);

async fn datagrams(socket: UdpSocket, shared: Arc<Shared>) {
    // One more than the longest request, so that a longer one is seen to be.
    let mut buffer = vec![0; REQUEST_BYTES_MAX + 1];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(got) => got,
            Err(e) => {
                // Linux reports here that an earlier answer could not be delivered, too.
                shared.counters.count(What::SocketErrors);
                tracing::debug!(error = %e, "cannot receive a DNS request");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let request = &buffer[..length];
        shared.counters.count(What::Udp);
        // Whoever sends from port 0 cannot be answered.
        if !shared.allow.allows(from.ip()) || from.port() == 0 {
            shared.counters.count(What::NotAllowed);
            continue;
        }
        let answer = if shared.may(from.ip()) {
            shared.respond(request, Via::Udp)
        } else if shared.counters.count(What::Rate).is_multiple_of(RATE_SLIP) {
            lock(&shared.responder).put_off(request)
        } else {
            None
        };
        // A full send buffer or a client that is gone: the client asks again.
        if let Some(answer) = answer
            && let Err(e) = socket.send_to(&answer, from).await
        {
            shared.counters.count(What::SocketErrors);
            tracing::debug!(error = %e, "cannot send a DNS answer");
        }
    }
}

async fn connections(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(got) => got,
            Err(e) => {
                shared.counters.count(What::SocketErrors);
                tracing::debug!(error = %e, "cannot accept a DNS connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if !shared.allow.allows(from.ip()) {
            shared.counters.count(What::NotAllowed);
            continue;
        }
        match Place::take(&shared, from.ip()) {
            Some(place) => drop(tokio::spawn(converse(stream, from.ip(), place))),
            None => drop(shared.counters.count(What::Connections)),
        }
    }
}

/// One of the places for connections; dropping it gives it back.
struct Place {
    shared: Arc<Shared>,
    client: IpAddr,
}

impl Place {
    fn take(shared: &Arc<Shared>, client: IpAddr) -> Option<Place> {
        let mut open = lock(&shared.connections);
        let of_client = open.get(&client).copied().unwrap_or(0);
        if open.values().sum::<usize>() >= CONNECTIONS_MAX || of_client >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        open.insert(client, of_client + 1);
        Some(Place { shared: shared.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.shared.connections);
        match open.get_mut(&self.client) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(open.remove(&self.client)),
        }
    }
}

/// Requests and answers on one connection, each after two bytes with its length (RFC 7766), until the client is quiet or goes.
async fn converse(mut stream: TcpStream, client: IpAddr, place: Place) {
    let shared = place.shared.clone();
    let mut buffer = vec![0; REQUEST_BYTES_MAX];
    loop {
        let request = async {
            let length = usize::from(stream.read_u16().await?);
            let Some(room) = buffer.get_mut(..length) else { return Ok(None) };
            stream.read_exact(room).await?;
            io::Result::Ok(Some(length))
        };
        let length = match timeout(TCP_IDLE_MAX, request).await {
            Err(_) => {
                shared.counters.count(What::Idle);
                return;
            }
            Ok(Ok(None)) => {
                shared.counters.count(What::Long);
                return;
            }
            Ok(Ok(Some(length))) => length,
            // It is gone.
            Ok(Err(_)) => return,
        };
        shared.counters.count(What::Tcp);
        if !shared.may(client) {
            shared.counters.count(What::Rate);
            return;
        }
        let Some(answer) = shared.respond(&buffer[..length], Via::Tcp) else { return };
        let Ok(answer_length) = u16::try_from(answer.len()) else { return };
        let framed = [&answer_length.to_be_bytes()[..], &answer].concat();
        match timeout(TCP_WRITE_MAX, stream.write_all(&framed)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                shared.counters.count(What::Idle);
                return;
            }
        }
    }
}
