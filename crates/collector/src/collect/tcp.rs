//! TCP, UDP and IP: what went through the protocols, and what went wrong in them.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, by_prometheus, put, put_some};
use crate::hot_file::HotFile;
use crate::rate::{Former, per_second};
use crate::text::{Text, name, words};
use peermon_model::Unit::{Bytes, Count, PerSecond, Ratio};
use peermon_model::{Attribute, Sample};

attributes! {
    RETRANSMIT_RATE = &Attribute::gauge("tcp.retransmits.rate", PerSecond, "Segments sent again per second.");
    RETRANSMIT_SHARE = &Attribute::gauge("tcp.retransmits.share", Ratio, "Share of the segments sent in the last period that were sent again.");
    TCP_ACTIVEOPENS = &Attribute::counter("tcp.opens.active", Count, "Connections this machine began.").prom_untyped("node_netstat_Tcp_ActiveOpens");
    TCP_PASSIVEOPENS = &Attribute::counter("tcp.opens.passive", Count, "Connections others began.").prom_untyped("node_netstat_Tcp_PassiveOpens");
    ESTABLISHED = &Attribute::gauge("tcp.established", Count, "Connections that are established.").prom_untyped("node_netstat_Tcp_CurrEstab");
    TCP_INSEGS = &Attribute::counter("tcp.rx.segments", Count, "Segments received.").prom_untyped("node_netstat_Tcp_InSegs");
    SENT = &Attribute::counter("tcp.tx.segments", Count, "Segments sent.").prom_untyped("node_netstat_Tcp_OutSegs");
    RETRANSMITS = &Attribute::counter("tcp.retransmits", Count, "Segments sent again.").prom_untyped("node_netstat_Tcp_RetransSegs");
    TCP_INERRS = &Attribute::counter("tcp.rx.errors", Count, "Segments received that were wrong.").prom_untyped("node_netstat_Tcp_InErrs");
    TCP_OUTRSTS = &Attribute::counter("tcp.tx.resets", Count, "Resets sent.").prom_untyped("node_netstat_Tcp_OutRsts");
    TCPEXT_LISTENOVERFLOWS = &Attribute::counter("tcp.listen.overflows", Count, "Connections refused because a program did not accept them fast enough.").prom_untyped("node_netstat_TcpExt_ListenOverflows");
    TCPEXT_LISTENDROPS = &Attribute::counter("tcp.listen.drops", Count, "Beginnings of connections dropped.").prom_untyped("node_netstat_TcpExt_ListenDrops");
    TCPEXT_SYNCOOKIESSENT = &Attribute::counter("tcp.syncookies", Count, "Cookies sent because too many connections began at once.").prom_untyped("node_netstat_TcpExt_SyncookiesSent");
    TCPEXT_TCPTIMEOUTS = &Attribute::counter("tcp.timeouts", Count, "Retransmission timers that ran out.").prom_untyped("node_netstat_TcpExt_TCPTimeouts");
    TCPEXT_TCPOFOQUEUE = &Attribute::counter("tcp.rx.out_of_order", Count, "Segments that came out of order.").prom_untyped("node_netstat_TcpExt_TCPOFOQueue");
    TCPEXT_TCPRCVQDROP = &Attribute::counter("tcp.rx.queue_drops", Count, "Segments dropped because a receive buffer was full.").prom_untyped("node_netstat_TcpExt_TCPRcvQDrop");
    UDP_INDATAGRAMS = &Attribute::counter("udp.rx", Count, "Datagrams received.").prom_untyped("node_netstat_Udp_InDatagrams");
    UDP_OUTDATAGRAMS = &Attribute::counter("udp.tx", Count, "Datagrams sent.").prom_untyped("node_netstat_Udp_OutDatagrams");
    UDP_INERRORS = &Attribute::counter("udp.rx.errors", Count, "Datagrams that could not be delivered.").prom_untyped("node_netstat_Udp_InErrors");
    UDP_NOPORTS = &Attribute::counter("udp.rx.no_port", Count, "Datagrams to ports on which nobody listened.").prom_untyped("node_netstat_Udp_NoPorts");
    UDP_RCVBUFERRORS = &Attribute::counter("udp.rx.buffer_errors", Count, "Datagrams dropped because a receive buffer was full.").prom_untyped("node_netstat_Udp_RcvbufErrors");
    UDP_SNDBUFERRORS = &Attribute::counter("udp.tx.buffer_errors", Count, "Datagrams not sent because a send buffer was full.").prom_untyped("node_netstat_Udp_SndbufErrors");
    IPEXT_INOCTETS = &Attribute::counter("ip.rx.bytes", Bytes, "Bytes received over IPv4, headers included.").prom_untyped("node_netstat_IpExt_InOctets");
    IPEXT_OUTOCTETS = &Attribute::counter("ip.tx.bytes", Bytes, "Bytes sent over IPv4, headers included.").prom_untyped("node_netstat_IpExt_OutOctets");
}

struct Tcp {
    files: [Table; 2],
    former: Former<[Option<u64>; 2]>,
}

/// A file of pairs of lines, one with names and one with numbers. Which column is what is found out once per shape.
struct Table {
    file: HotFile,
    pairs: Vec<Pair>,
}

struct Pair {
    names: Vec<u8>,
    wanted: Vec<(usize, &'static Attribute)>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let table = |path| Table { file: setup.hot(path), pairs: Vec::new() };
    Box::new(Tcp { files: [table("proc/net/snmp"), table("proc/net/netstat")], former: Former::default() })
}

impl Collector for Tcp {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let mut counts = [None, None];
        for table in &mut self.files {
            table.read(|attribute, value| {
                put(out, attribute, value);
                if std::ptr::eq(attribute, SENT) {
                    counts[0] = Some(value);
                } else if std::ptr::eq(attribute, RETRANSMITS) {
                    counts[1] = Some(value);
                }
            })?;
        }
        let Some((seconds, old)) = self.former.replace(round.now, counts) else { return Ok(()) };
        let rate = |i: usize| per_second(old[i]?, counts[i]?, seconds);
        put_some(out, RETRANSMIT_RATE, rate(1));
        // Nothing sent: no share. The kernel counts segments sent again apart from those sent.
        let share =
            rate(1).zip(rate(0)).filter(|(again, first)| again + first > 0.0).map(|(again, first)| again / (again + first));
        put_some(out, RETRANSMIT_SHARE, share);
        Ok(())
    }
}

impl Table {
    fn read(&mut self, mut each: impl FnMut(&'static Attribute, u64)) -> Result<(), CollectError> {
        let Some(text) = self.file.read_if_there()? else { return Ok(()) };
        let mut lines = text.lines();
        let mut place = 0;
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            if self.pairs.get(place).is_none_or(|p| p.names != names) {
                self.pairs.truncate(place);
                self.pairs.push(Pair { names: names.to_vec(), wanted: wanted(names) });
            }
            let pair = &self.pairs[place];
            if !pair.wanted.is_empty() {
                read_pair(&text, pair, values, &mut each)?;
            }
            place += 1;
        }
        Ok(())
    }
}

fn read_pair(
    text: &Text<'_>,
    pair: &Pair,
    values: &[u8],
    each: &mut impl FnMut(&'static Attribute, u64),
) -> Result<(), CollectError> {
    let mut values = words(values).enumerate();
    for (column, attribute) in &pair.wanted {
        let word = values.find(|(i, _)| i == column).map(|(_, w)| w);
        let field = || name(words(&pair.names).nth(*column).unwrap_or_default());
        let title = || name(words(&pair.names).next().unwrap_or_default());
        let value = word.and_then(crate::text::number);
        let value = value.ok_or_else(|| text.garbage(word, format_args!("{} {}", title(), field()), "a whole number"))?;
        each(attribute, value);
    }
    Ok(())
}

/// Which columns of a line of names are attributes, in order.
fn wanted(names: &[u8]) -> Vec<(usize, &'static Attribute)> {
    let mut words = words(names).enumerate();
    let Some((_, title)) = words.next() else { return Vec::new() };
    let title = name(title).trim_end_matches(':').to_string();
    let attribute = |field: &[u8]| {
        let full = format!("{title}_{}", name(field));
        by_prometheus(ATTRIBUTES, "node_netstat_").find(|(k, _)| *k == full).map(|(_, a)| a)
    };
    words.filter_map(|(i, field)| Some((i, attribute(field)?))).collect()
}
