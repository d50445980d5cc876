use std::env::var_os;
use std::path::PathBuf;

/// Where a daemon's files lie unless it is told otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// The configuration file.
    pub config: PathBuf,
    /// The state directory.
    pub state_dir: PathBuf,
    /// The API's unix socket.
    pub socket: PathBuf,
}

impl Places {
    /// Those of the system's own daemon.
    pub fn system() -> Self {
        Places {
            config: "/etc/peermon/peermon.toml".into(),
            state_dir: "/var/lib/peermon".into(),
            socket: "/run/peermon/peermon.sock".into(),
        }
    }

    /// Those of an ordinary user, after the XDG base directory specification. `variable` looks up the environment.
    pub fn user(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        // The specification: a relative path is to be ignored.
        let given = |name: &str| variable(name).filter(|p| p.is_absolute());
        let home = given("HOME").unwrap_or_else(|| "/".into());
        let config = given("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let state = given("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("peermon");
        // Without a runtime directory (no login session) the socket lies beside the state, which is private too.
        let runtime = given("XDG_RUNTIME_DIR").map_or_else(|| state.clone(), |d| d.join("peermon"));
        Places { config: config.join("peermon/peermon.toml"), socket: runtime.join("peermon.sock"), state_dir: state }
    }

    /// Those of root for root, the user's own for anybody else.
    pub fn of_this_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::system() } else { Self::user(|name| var_os(name).map(PathBuf::from)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_get_their_own_places() {
        let with = |vars: &'static [(&'static str, &'static str)]| {
            Places::user(move |n| vars.iter().find(|(k, _)| *k == n).map(|(_, v)| PathBuf::from(v)))
        };
        let p = with(&[("HOME", "/people/ann"), ("XDG_RUNTIME_DIR", "/run/user/7"), ("XDG_STATE_HOME", "relative")]);
        assert_eq!(p.config, PathBuf::from("/people/ann/.config/peermon/peermon.toml"));
        assert_eq!(p.state_dir, PathBuf::from("/people/ann/.local/state/peermon"));
        assert_eq!(p.socket, PathBuf::from("/run/user/7/peermon/peermon.sock"));
        assert_eq!(with(&[("HOME", "/h")]).socket, PathBuf::from("/h/.local/state/peermon/peermon.sock"));
    }
}
