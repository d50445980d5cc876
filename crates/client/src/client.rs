use crate::http::{Answer, Failure, Request, ask, encode};
use crate::target::{Target, nobody};
use crate::{events, limits};
use peermon_api::{
    Announcement, BestAnswer, BestQuery, By, ChooseRequest, ClaimRequest, ClaimView, Error, EventStream, HealthAnswer,
    Invitation, JoinAnswer, JoinRequest, KeyView, NodeView, NodesQuery, NoticeView, PartsAnswer, SeriesAnswer, SeriesQuery,
    Service, Status, UsageAnswer, ZoneView,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

/// A daemon to ask. Each call opens a connection of its own, so one client may be used by many threads.
#[derive(Clone)]
pub struct Client {
    target: Target,
    token: Option<String>,
    times: Times,
}

/// How long to wait for the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// To connect; see [`limits::CONNECT_TIME_MAX`].
    pub connect: Duration,
    /// For a whole answer; see [`limits::ANSWER_TIME_MAX`].
    pub answer: Duration,
    /// For the next sign of life of an event stream; see [`limits::SILENCE_TIME_MAX`].
    pub silence: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times { connect: limits::CONNECT_TIME_MAX, answer: limits::ANSWER_TIME_MAX, silence: limits::SILENCE_TIME_MAX }
    }
}

impl Client {
    /// A client of the daemon at `target`, which is not asked anything yet. `token` is what the daemon wants over TCP, if it does.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if the token cannot be sent in a header.
    pub fn new(target: Target, token: Option<String>) -> Result<Client, Error> {
        Client::with_times(target, token, Times::default())
    }

    /// As [`Client::new`], with other times than the usual ones. A time of zero counts as a millisecond.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_times(target: Target, token: Option<String>, times: Times) -> Result<Client, Error> {
        if token.as_ref().is_some_and(|t| t.is_empty() || !t.bytes().all(|b| b.is_ascii_graphic())) {
            let message =
                "the API token must be visible ASCII characters without spaces, as in the daemon's file (api.token_file)";
            return Err(Error::BadRequest(message.into()));
        }
        let at_least = |d: Duration| d.max(Duration::from_millis(1));
        let times = Times { connect: at_least(times.connect), answer: at_least(times.answer), silence: at_least(times.silence) };
        Ok(Client { target, token, times })
    }

    /// The daemon that is asked.
    pub fn target(&self) -> &Target {
        &self.target
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.call("GET", path, None)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: Option<&impl Serialize>) -> Result<T, Error> {
        let body = body.map(|b| serde_json::to_vec(b).expect("api types are JSON"));
        self.call("POST", path, body.as_deref())
    }

    fn call<T: DeserializeOwned>(&self, method: &'static str, path: &str, body: Option<&[u8]>) -> Result<T, Error> {
        let mut answer = self.send(method, path, body, "application/json")?;
        let bytes = answer.read_body().map_err(|f| self.failed(&f))?;
        serde_json::from_slice(&bytes).map_err(|e| self.strange(&format!("it answers {path} with something else ({e})")))
    }

    /// Sends a request and gives the answer if it is a good one.
    fn send(&self, method: &'static str, path: &str, body: Option<&[u8]>, accept: &'static str) -> Result<Answer, Error> {
        let stream = self.target.connect(self.times.connect).map_err(|e| self.not_there(&e))?;
        let host = match &self.target {
            Target::Unix(_) => "localhost".to_string(),
            http @ Target::Http { .. } => http.to_string().trim_start_matches("http://").to_string(),
        };
        let request = Request { method, path, host: &host, token: self.token.as_deref(), accept, body };
        let mut answer = ask(stream, &request, self.times.answer).map_err(|f| self.failed(&f))?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let bytes = answer.read_body().map_err(|f| self.failed(&f))?;
        Err(self.refusal(answer.status, &bytes))
    }

    /// The daemon's own error, as it was before it went through HTTP.
    fn refusal(&self, status: u16, body: &[u8]) -> Error {
        #[derive(Deserialize)]
        struct Body {
            error: Reason,
        }
        #[derive(Deserialize)]
        struct Reason {
            code: String,
            message: String,
        }
        let Ok(Body { error: Reason { code, message } }) = serde_json::from_slice(body) else {
            return self.strange(&format!("it answers with status {status} and no reason"));
        };
        let as_given = serde_json::json!({ "code": code, "message": message });
        match serde_json::from_value(as_given) {
            Ok(error) => error,
            // Refusals that only HTTP knows.
            Err(_) => match status {
                401 | 403 => Error::Unauthorised(message),
                404 => Error::NotFound(message),
                429 => Error::TooMany(message),
                400..500 => Error::BadRequest(message),
                _ => Error::Unavailable(message),
            },
        }
    }

    fn not_there(&self, e: &io::Error) -> Error {
        match e.kind() {
            io::ErrorKind::NotFound if matches!(self.target, Target::Unix(_)) => nobody(&self.target.to_string()),
            io::ErrorKind::ConnectionRefused => nobody(&self.target.to_string()),
            io::ErrorKind::PermissionDenied => {
                let message = format!(
                    "this user may not ask the daemon at {}; become a member of the socket's group, or name another with --api",
                    self.target
                );
                Error::Unauthorised(message)
            }
            _ => nobody(&format!("{} ({e})", self.target)),
        }
    }

    fn failed(&self, f: &Failure) -> Error {
        match f {
            Failure::NotHttp(what) => self.strange(what),
            Failure::Io(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                let seconds = self.times.answer.as_secs_f64();
                let message =
                    format!("the daemon at {} gave no answer within {seconds} s; look at its log, or restart it", self.target);
                Error::Unavailable(message)
            }
            Failure::Io(e) => {
                let message = format!("the daemon at {} broke off its answer ({e}); look at its log and try again", self.target);
                Error::Unavailable(message)
            }
        }
    }

    fn strange(&self, what: &str) -> Error {
        let message = format!(
            "what answers at {} is no peermon daemon, or one of another version: {what}; name the right one with --api",
            self.target
        );
        Error::Unavailable(message)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the token.
        f.debug_struct("Client").field("target", &self.target).finish_non_exhaustive()
    }
}

const NOTHING: Option<&()> = None;

/// A path with a query, being written.
struct Asked {
    path: String,
    sign: char,
}

impl Asked {
    fn new(path: &str) -> Asked {
        Asked { path: path.to_string(), sign: '?' }
    }

    fn one(&mut self, name: &str, value: &(impl ToString + ?Sized)) {
        self.path.push(std::mem::replace(&mut self.sign, '&'));
        self.path += &format!("{name}={}", encode(&value.to_string()));
    }

    fn several(&mut self, name: &str, values: &[impl ToString]) {
        values.iter().for_each(|v| self.one(name, v));
    }
}

impl Service for Client {
    fn nodes(&self, query: &NodesQuery) -> Result<Vec<NodeView>, Error> {
        let mut asked = Asked::new("/api/v1/nodes");
        asked.one("all", &query.all);
        if let Some(state) = query.state {
            asked.one("state", state.name());
        }
        asked.several("where", &query.conditions);
        asked.several("order", &query.order);
        self.get(&asked.path)
    }

    fn node(&self, name_or_id: &str) -> Result<NodeView, Error> {
        if name_or_id.is_empty() {
            return Err(Error::BadRequest("the node's name is empty; `peermon nodes` lists them".into()));
        }
        self.get(&format!("/api/v1/nodes/{}", encode(name_or_id)))
    }

    fn best(&self, query: &BestQuery) -> Result<BestAnswer, Error> {
        let by = match query.by {
            By::Cpu => "cpu",
            By::Mem => "mem",
            By::Both => "both",
        };
        let mut asked = Asked::new("/api/v1/best");
        // Without it, `select` says how many.
        if query.n > 0 || query.select.is_none() {
            asked.one("n", &query.n);
        }
        asked.one("by", by);
        asked.one("cpu_delta", &query.cpu_delta);
        asked.one("mem_delta", &query.mem_delta);
        asked.one("explain", &query.explain);
        asked.one("whole", &query.whole);
        asked.several("cpus", query.cpus.as_slice());
        asked.several("mem", query.mem.as_slice());
        asked.several("gpus", query.gpus.as_slice());
        asked.several("gpu_mem", query.gpu_mem.as_slice());
        asked.several("label", &query.label);
        asked.several("zone", query.zone.as_slice());
        asked.several("where", &query.conditions);
        asked.several("order", &query.order);
        asked.several("select", query.select.as_slice());
        self.get(&asked.path)
    }

    fn zones(&self) -> Result<Vec<ZoneView>, Error> {
        self.get("/api/v1/zones")
    }

    fn series(&self, query: &SeriesQuery) -> Result<SeriesAnswer, Error> {
        let mut asked = Asked::new("/api/v1/series");
        asked.several("node", &query.node);
        asked.several("attribute", &query.attribute);
        asked.one("seconds", &query.seconds);
        asked.several("points", query.points.as_slice());
        asked.one("fold", &query.fold.name());
        self.get(&asked.path)
    }

    fn status(&self) -> Result<Status, Error> {
        self.get("/api/v1/status")
    }

    fn events(&self) -> Result<EventStream, Error> {
        let answer = self.send("GET", "/api/v1/events", None, "text/event-stream")?;
        events::follow(answer, self.times.silence)
    }

    fn invite(&self) -> Result<Invitation, Error> {
        self.post("/api/v1/invite", NOTHING)
    }

    fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, Error> {
        self.post("/api/v1/join", Some(request))
    }

    fn keys(&self) -> Result<Vec<KeyView>, Error> {
        self.get("/api/v1/keys")
    }

    fn rotate_key(&self) -> Result<Vec<KeyView>, Error> {
        self.post("/api/v1/keys/rotate", NOTHING)
    }

    fn announce(&self, announcement: &Announcement) -> Result<Vec<NoticeView>, Error> {
        self.post("/api/v1/announce", Some(announcement))
    }

    fn health(&self) -> Result<HealthAnswer, Error> {
        self.get("/api/v1/health")
    }

    fn usage(&self) -> Result<UsageAnswer, Error> {
        self.get("/api/v1/usage")
    }

    fn parts(&self) -> Result<PartsAnswer, Error> {
        self.get("/api/v1/parts")
    }

    fn claims(&self) -> Result<Vec<ClaimView>, Error> {
        self.get("/api/v1/claims")
    }

    fn claim(&self, request: &ClaimRequest) -> Result<ClaimView, Error> {
        self.post("/api/v1/claims", Some(request))
    }

    fn cancel_claim(&self, number: u16) -> Result<ClaimView, Error> {
        self.call("DELETE", &format!("/api/v1/claims/{number}"), None)
    }

    fn choose(&self, request: &ChooseRequest) -> Result<BestAnswer, Error> {
        self.post("/api/v1/best", Some(request))
    }
}
