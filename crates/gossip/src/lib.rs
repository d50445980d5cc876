//! Membership and dissemination of records as a pure state machine.
