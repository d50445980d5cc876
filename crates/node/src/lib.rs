//! A whole node as one pure state machine.
