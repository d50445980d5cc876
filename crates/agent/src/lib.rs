//! The daemon: sockets, clock, collectors and configuration around the node.
