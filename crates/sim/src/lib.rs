//! Many whole nodes on a made-up network, checked against a reference model.
