//! Options given as environment variables: `gossip.listen` is `PEERMON_GOSSIP_LISTEN`.

use super::input::Input;
use super::{Config, ConfigError, OPTIONS, Opt};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What every variable of ours begins with.
const PREFIX: &str = "PEERMON_";
/// The configuration file's own variable.
const CONFIG: &str = "PEERMON_CONFIG";
/// Variables that belong to the tools, not to the daemon.
const OF_TOOLS: &[&str] = &["PEERMON_API", "PEERMON_TOKEN"];

/// The part of the environment that concerns us.
#[derive(Default, Debug)]
pub(super) struct Environment {
    /// The configuration file, if named.
    pub(super) config: Option<PathBuf>,
    /// Things worth telling that are no errors.
    pub(super) warnings: Vec<String>,
    values: Vec<(&'static Opt, OsString)>,
}

/// Picks what concerns us. A variable that looks like ours but is no option is worth a warning, not an error: another
/// program's may begin alike.
pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
    let mut environment = Environment::default();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|n| n.starts_with(PREFIX)) else { continue };
        if name == CONFIG {
            environment.config = (!value.is_empty()).then(|| PathBuf::from(value));
        } else if let Some(option) = OPTIONS.iter().find(|o| o.variable() == name) {
            environment.values.push((option, value));
        } else if !OF_TOOLS.contains(&name) {
            environment.warnings.push(format!("the environment variable {name} is no option of peermon and is ignored"));
        }
    }
    environment
}

impl Environment {
    pub(super) fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        for (option, value) in &self.values {
            let wrong = |message| ConfigError::Value {
                place: format!("environment variable {}", option.variable()),
                key: option.key.to_string(),
                message,
            };
            let text = OsStr::to_str(value).ok_or_else(|| wrong("must be UTF-8".to_string()))?;
            option.put(config, &Input::Text(text.to_string())).map_err(wrong)?;
        }
        Ok(())
    }
}
