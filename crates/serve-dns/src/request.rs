//! What a request's bytes ask. Only what a question needs is decoded.

use crate::limits;
use hickory_proto::op::{Edns, Header, MessageType, Metadata, OpCode, Query};
use hickory_proto::rr::{Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// A question, understood.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) about: Metadata,
    pub(crate) query: Query,
    pub(crate) edns: Option<Edns>,
}

/// Why there is no question.
#[derive(Debug)]
pub(crate) enum NoQuestion {
    /// Not even an answer can be made: no header, or an answer itself, which must never be answered.
    Silence,
    /// The header can be read, the rest is wrong.
    Malformed(Metadata),
    /// Another operation than a query.
    Unsupported(Metadata),
}

/// Reads one request.
pub(crate) fn read(bytes: &[u8]) -> Result<Question, NoQuestion> {
    let mut decoder = BinDecoder::new(bytes);
    let Header { metadata: about, counts, .. } = Header::read(&mut decoder).map_err(|_| NoQuestion::Silence)?;
    if about.message_type == MessageType::Response {
        return Err(NoQuestion::Silence);
    }
    if about.op_code != OpCode::Query {
        return Err(NoQuestion::Unsupported(about));
    }
    let only_a_question = counts.queries == 1 && counts.answers == 0 && counts.authorities == 0;
    if !only_a_question || counts.additionals > limits::REQUEST_RECORDS_MAX || bytes.len() > limits::REQUEST_BYTES_MAX {
        return Err(NoQuestion::Malformed(about));
    }
    let Ok(query) = Query::read(&mut decoder) else { return Err(NoQuestion::Malformed(about)) };
    let mut edns = None;
    for _ in 0..counts.additionals {
        match Record::read(&mut decoder) {
            Ok(r) if r.record_type() == RecordType::OPT => {
                if edns.is_some() || !r.name.is_root() {
                    return Err(NoQuestion::Malformed(about));
                }
                edns = Some(Edns::from(&r));
            }
            // Signatures of queries are not asked for.
            Ok(_) => {}
            Err(_) => return Err(NoQuestion::Malformed(about)),
        }
    }
    Ok(Question { about, query, edns })
}
