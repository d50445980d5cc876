//! Every limit of the shared types, by name, with its reason.

/// Bytes of a node name: a DNS label's length, since names are used as such.
pub const NAME_BYTES_MAX: usize = 63;
/// Bytes of one encoded, signed record: it must fit one datagram on every path that carries IPv6 (1,280 bytes).
pub const RECORD_BYTES_MAX: usize = 1_100;
/// Bytes of one text fact; longer ones are cut. CPU models and kernel versions fit.
pub const FACT_TEXT_BYTES_MAX: usize = 96;
/// Addresses a record carries: two families, two networks.
pub const ADDRESSES_MAX: usize = 4;
/// Custom vitals of one node: the row's last mask byte has 8 bits.
pub const CUSTOM_VITALS_MAX: usize = 8;
/// Notices of people and programs that a record carries.
pub const NOTICES_MAX: usize = 4;
/// Findings of self-probes that a record carries besides: the worst ones.
pub const FINDINGS_MAX: usize = 4;
/// Bytes of a notice's text.
pub const NOTICE_TEXT_BYTES_MAX: usize = 80;
/// Bytes of an attribute's full name.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;
/// Labels (`key=value`) of one node.
pub const LABELS_MAX: usize = 8;
/// Members a table holds at most, unless configured otherwise: twice the flat scale the protocol was tried at.
pub const MEMBERS_MAX: usize = 20_000;
/// Nodes in all zones up to which zones tell each other of every one, unless configured otherwise: beyond it, what other zones'
/// rows cost shows.
pub const MEMBERS_FULL: usize = 5_000;
/// Nodes of a zone that pass its rows to other zones: one may fail, and a second one while it is being replaced.
pub const RELAYS: usize = 3;
/// Seconds that a claim holds at most unless it is renewed: by then a job shows in the node's own values.
pub const CLAIM_SECONDS_MAX: u64 = 600;
/// Claims of one node that hold at a time: the nodes of a large parallel job, twice.
pub const CLAIMS_OF_ONE_MAX: usize = 512;
/// Claims in a table: 50 bytes each, and all are told over every new link, 20 bytes each.
pub const CLAIMS_MAX: usize = 4_096;
/// Zones a table knows at most: each costs a summary of some 40 bytes now and then.
pub const ZONES_MAX: usize = 1_000;
