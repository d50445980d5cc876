use crate::fake::Fake;
use crate::talk::{PATIENCE, Place, To, run, until};
use peermon_serve_http::{Config, Server, StartError};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

fn start(tcp: &[&str], unix: Option<&Path>, token: Option<&str>) -> Result<Server, StartError> {
    let tcp = tcp.iter().map(|a| a.parse().unwrap()).collect();
    Server::start(Config { tcp, unix: unix.map(Into::into), token: token.map(Into::into) }, Fake::new())
}

#[test]
fn addresses_that_strangers_reach_need_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let e = start(&[address], None, None).err().unwrap();
        assert!(matches!(e, StartError::TokenNeeded { .. }) && e.to_string().contains("api.token_file"), "{address}: {e}");
    }
    let s = start(&["0.0.0.0:0", "127.0.0.1:0"], None, Some("t")).unwrap();
    assert!(s.urls()[0].starts_with("http://0.0.0.0:") && !s.urls()[0].ends_with(":0"), "{:?}", s.urls());
    for bad in ["", "two words", "é", "a\nb"] {
        assert!(matches!(start(&[], None, Some(bad)), Err(StartError::BadToken)), "{bad:?}");
    }
}

#[test]
fn a_taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new();
    let socket = place.0.join("s");
    let e = start(&["127.0.0.1:0", &address], Some(&socket), None).err().unwrap().to_string();
    assert!(e.contains(&address) && e.contains("--http"), "{e}");
    assert!(!socket.exists(), "nothing is left behind");
}

#[test]
fn the_socket_file_is_ours_alone_and_goes_with_us() {
    let place = Place::new();
    let path = place.0.join("new/deep/s");
    let s = start(&[], Some(&path), None).unwrap();
    assert_eq!(s.urls(), [path.display().to_string()]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    let e = start(&[], Some(&path), None).err().unwrap();
    assert!(matches!(e, StartError::SocketInUse { .. }), "{e}");
    assert!(e.to_string().contains("another daemon is running on") && e.to_string().contains("--socket"), "{e}");
    assert_eq!(To::Unix(path.clone()).get("/healthz").status, 200, "the first one is not disturbed");
    s.stop();
    assert!(!path.exists());

    // Left by a daemon that was killed: nobody answers.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let s = start(&[], Some(&path), None).unwrap();
    assert_eq!(To::Unix(path.clone()).get("/healthz").status, 200);

    // Somebody replaced our file: it is not ours to remove.
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    s.stop();
    assert!(path.exists());
    drop(other);
}

#[test]
fn impossible_socket_paths_are_named() {
    let place = Place::new();
    let file = place.0.join("file");
    std::fs::write(&file, "x").unwrap();
    let long = place.0.join("x".repeat(200));
    for (path, says) in [
        (file.clone(), "exists and is not a socket"),
        (place.0.clone(), "exists and is not a socket"),
        (file.join("s"), "cannot make the directory of"),
        (long, "cannot listen on"),
    ] {
        let e = start(&[], Some(&path), None).err().unwrap().to_string();
        assert!(e.contains(says) && e.contains(&path.display().to_string()) && e.contains("--socket"), "{e}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}

#[test]
fn stopping_ends_idle_connections_and_streams() {
    let mut r = run();
    let mut idle = r.tcp.connect();
    let mut events = r.tcp.connect();
    events.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    until("the reader is known", || r.fake.readers() == 1);
    r.server.take().unwrap().stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    events.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "a proper end: {:?}", String::from_utf8_lossy(&rest));
    let To::Unix(path) = &r.unix else { unreachable!("the unix door") };
    assert!(UnixStream::connect(path).is_err() && !path.exists());
    assert!(r.place.0.exists());
}

#[test]
fn stopping_does_not_wait_for_a_call_that_hangs() {
    let mut r = run();
    r.fake.hold(true);
    let mut held = r.unix.connect();
    held.write_all(b"GET /api/v1/nodes/held HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    until("the request was read", || r.server().counters().get("requests") == Some(&1));
    let (done, wait) = std::sync::mpsc::channel();
    let server = r.server.take().unwrap();
    std::thread::spawn(move || {
        server.stop();
        done.send(()).unwrap();
    });
    wait.recv_timeout(PATIENCE).expect("stop returns");
    r.fake.hold(false);
}
