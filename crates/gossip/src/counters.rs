/// Everything counted, each by name. Datagram bytes include 28 bytes of IP and UDP headers.
macro_rules! counters {
    ($($field:ident = $name:literal, $help:literal;)*) => {
        /// What happened since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $(#[doc = $help] pub $field: u64,)*
        }

        impl Counters {
            /// Names, sentences and values.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$(($name, $help, self.$field)),*].into_iter()
            }
        }
    };
}

counters! {
    tx_datagrams = "gossip.tx.datagrams", "Datagrams sent.";
    tx_bytes = "gossip.tx.bytes", "Bytes sent, with IP and UDP headers.";
    rx_datagrams = "gossip.rx.datagrams", "Datagrams received.";
    rx_bytes = "gossip.rx.bytes", "Bytes received, with IP and UDP headers.";
    rows_received = "gossip.rows.received", "Rows received.";
    rows_new = "gossip.rows.new", "Rows received that were news.";
    rows_sent = "gossip.rows.sent", "Rows sent.";
    row_bytes_sent = "gossip.rows.sent.bytes", "Bytes of rows sent, without any header.";
    out_of_turn = "gossip.rows.out_of_turn", "Rows this node published before their turn because much had changed.";
    notes_waited = "gossip.rows.note_waited", "Samples of note that waited for their turn because rows out of turn had taken their share of the budget.";
    acks = "gossip.tx.acks", "Datagrams that carry nothing but an acknowledgement.";
    resent = "gossip.resent", "Packets given up as lost; what they told is told again.";
    claims_received = "gossip.claims.received", "Claims received, renewals and cancellations among them.";
    claims_new = "gossip.claims.new", "Claims received that were news.";
    claims_sent = "gossip.claims.sent", "Claims sent to peers.";
    grafts = "gossip.grafts", "Rows asked for because they were missing.";
    pings = "gossip.pings", "Probes sent to silent neighbours.";
    probes = "gossip.probes", "Light probes sent to members in turn.";
    accusations = "gossip.accusations", "Neighbours accused of being silent.";
    refutations = "gossip.refutations", "Accusations of this node that it refuted.";
    synchronisations = "gossip.synchronisations", "Peers served with the whole table.";
    clock_steps = "gossip.clock.steps", "Times the cluster clock was set forward at once.";
    stalls = "gossip.stalls", "Times this node itself was stopped for long.";
    dropped_short = "gossip.dropped.short", "Datagrams too short to be one of ours.";
    dropped_version = "gossip.dropped.version", "Datagrams of another protocol version or kind.";
    dropped_address = "gossip.dropped.address", "Datagrams from addresses that are not allowed.";
    dropped_key = "gossip.dropped.key", "Datagrams sealed with a cluster key not held.";
    dropped_stranger = "gossip.dropped.stranger", "Datagrams of senders not known.";
    dropped_forged = "gossip.dropped.forged", "Datagrams that are altered, or sealed by somebody without the key.";
    dropped_replayed = "gossip.dropped.replayed", "Datagrams that came before.";
    dropped_malformed = "gossip.dropped.malformed", "Authentic datagrams that make no sense.";
    dropped_cookie = "gossip.dropped.cookie", "First contacts with a wrong or stale cookie.";
    dropped_hello_rate = "gossip.dropped.hello_rate", "First contacts beyond the rate answered.";
    dropped_links = "gossip.dropped.links", "Peers refused because all link slots are taken.";
    dropped_busy = "gossip.dropped.busy", "Joiners told to come back because enough are being served.";
    dropped_record = "gossip.dropped.record", "Records with a wrong signature or content.";
    dropped_refused = "gossip.dropped.refused", "Records refused by the address list or because the table is full.";
    dropped_zone = "gossip.dropped.zone", "Records refused because there are too many zones.";
    dropped_future = "gossip.dropped.future", "Rows from the future.";
    dropped_baseless = "gossip.dropped.baseless", "Rows that build on one this node does not have; asked for whole.";
    dropped_outdated = "gossip.dropped.outdated", "First rows of a node that are older than one of a node forgotten since.";
    dropped_claims = "gossip.dropped.claims", "Claims from the future, or beyond what one node or all together may have.";
    dropped_rate = "gossip.dropped.rate", "Flushes put off because the node's byte rate was spent.";
    send_no_buffers = "gossip.send.no_buffers", "Datagrams the kernel had no room for.";
    send_unreachable = "gossip.send.unreachable", "Datagrams for which there was no way.";
    send_too_big = "gossip.send.too_big", "Datagrams larger than the path carries.";
}
