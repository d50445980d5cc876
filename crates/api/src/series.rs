//! The past: what the node that answers remembers of every node's vitals.

use serde::{Deserialize, Serialize};

/// Which values of the past to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields, default)]
pub struct SeriesQuery {
    /// Of which nodes, by name or id; of all if none is named. May be given several times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node: Vec<String>,
    /// Which vitals, e.g. `cpu.busy`; at least one. May be given several times.
    pub attribute: Vec<String>,
    /// How far back, in seconds.
    pub seconds: f64,
    /// Values told of each, at even steps; by default one for each of the node's periods, 300 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<usize>,
    /// What becomes of several values in one step.
    pub fold: Fold,
}

impl SeriesQuery {
    /// Values of one series at most, and of one answer.
    pub const POINTS_MAX: usize = 10_000;
    /// Values of one answer at most: 2,200 nodes, six vitals, a minute.
    pub const VALUES_MAX: usize = 1_000_000;
    /// Points if the query does not say.
    pub const POINTS: usize = 300;
}

impl Default for SeriesQuery {
    fn default() -> Self {
        SeriesQuery { node: Vec::new(), attribute: Vec::new(), seconds: 300.0, points: None, fold: Fold::Mean }
    }
}

/// What becomes of several values in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fold {
    /// Their mean.
    #[default]
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The latest.
    Last,
}

impl Fold {
    /// All of them.
    pub const ALL: [Fold; 4] = [Fold::Mean, Fold::Min, Fold::Max, Fold::Last];

    /// Its name in a query.
    pub const fn name(self) -> &'static str {
        match self {
            Fold::Mean => "mean",
            Fold::Min => "min",
            Fold::Max => "max",
            Fold::Last => "last",
        }
    }
}

/// Values of the past at even steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeriesAnswer {
    /// Seconds from one value to the next.
    pub step_seconds: f64,
    /// How old the last value of each series is at least, in seconds: where its step ends.
    pub to_seconds_ago: f64,
    /// How far back this node remembers at most, in seconds.
    pub kept_seconds: f64,
    /// In order of node, then as asked for.
    pub series: Vec<Series>,
}

/// One vital of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Series {
    /// The node's name.
    pub node: String,
    /// The node's id.
    pub id: String,
    /// The vital.
    pub attribute: String,
    /// Its values in base units, oldest first, to four digits; null where nothing was known.
    pub values: Vec<Option<f64>>,
}
