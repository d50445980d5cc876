use super::input::Input;
use super::options;
use super::{Config, ConfigError};
use std::path::PathBuf;

/// What flags say; it wins over environment and file.
///
/// ```
/// use peermon_agent::Overrides;
/// let mut flags = Overrides::default();
/// flags.set("name", "node-1").list("join", ["10.0.0.1:19810", "10.0.0.2:19810"]);
/// ```
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Overrides {
    /// The configuration file: it must exist then.
    pub config: Option<PathBuf>,
    values: Vec<(String, Input)>,
}

impl Overrides {
    /// Sets an option by its key in the file, e.g. `gossip.rate_max`, in the words of the environment.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.values.push((key.to_string(), Input::Text(value.into())));
        self
    }

    /// Sets an option that is a list.
    pub fn list<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) -> &mut Self {
        let items = values.into_iter().map(|v| Input::Text(v.into())).collect();
        self.values.push((key.to_string(), Input::List(items)));
        self
    }

    pub(super) fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        for (key, value) in &self.values {
            let place = "command line".to_string();
            let Some(option) = options::find(key) else {
                return Err(ConfigError::Unknown { place, key: key.clone(), nearest: options::nearest(key) });
            };
            option.put(config, value).map_err(|message| ConfigError::Value { place, key: key.clone(), message })?;
        }
        Ok(())
    }
}
