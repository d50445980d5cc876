//! Keys, sealed datagrams, replay protection and invitations.
