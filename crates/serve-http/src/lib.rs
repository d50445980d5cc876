//! The HTTP face: JSON API, events and Prometheus text.
