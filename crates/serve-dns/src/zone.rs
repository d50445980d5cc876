use crate::server::StartError;
use hickory_proto::rr::Name;
use std::net::IpAddr;

/// What the zone is called, and what its records say that the table does not.
#[derive(Clone, Debug)]
pub struct Zone {
    origin: Name,
    /// Seconds that an answer may be kept, and a "no such name" too. Default 5. Longer: fewer questions, and a node that went bad is
    /// given out for longer.
    pub ttl: u32,
    /// Addresses of the best nodes in one answer, 1 to [`crate::limits::ANSWERS_MAX`]. Default 3. More: a client that finds one
    /// gone has others to try. Fewer: those that shuffle what they get stay with the best.
    pub answers: usize,
    /// The name servers in the NS record. Default: none, and `ns.ZONE` stands for this server.
    pub name_servers: Vec<Name>,
    /// Addresses of `ns.ZONE`; if there are none, those of this daemon's node.
    pub addresses: Vec<IpAddr>,
}

impl Zone {
    /// A zone of this name, with everything else at its default.
    ///
    /// # Errors
    /// If it is not a name.
    pub fn new(origin: &str) -> Result<Zone, StartError> {
        let origin = name(origin)?;
        Ok(Zone { origin, ttl: 5, answers: 3, name_servers: Vec::new(), addresses: Vec::new() })
    }

    /// The zone's own name.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// A name below the origin.
    pub(crate) fn below(&self, label: &str) -> Option<Name> {
        let mut name = self.origin.clone();
        for label in label.rsplit('.') {
            name = name.prepend_label(label.as_bytes()).ok()?;
        }
        Some(name)
    }

    /// What stands before the origin, in lower case with dots; empty for the origin itself. `None`: not within the zone.
    pub(crate) fn relative(&self, name: &Name) -> Option<Vec<u8>> {
        if !self.origin.zone_of(name) {
            return None;
        }
        let own = usize::from(name.num_labels()).checked_sub(usize::from(self.origin.num_labels()))?;
        let mut text = Vec::new();
        for (i, label) in name.iter().take(own).enumerate() {
            if i > 0 {
                text.push(b'.');
            }
            // A dot within a label is not the dot between two; no node is found by it.
            text.extend(label.iter().map(|b| if *b == b'.' { 0 } else { b.to_ascii_lowercase() }));
        }
        Some(text)
    }
}

/// A full name as people write it, with or without the last dot.
pub(crate) fn name(text: &str) -> Result<Name, StartError> {
    let wrong = |why: String| StartError::Name { name: text.chars().take(80).collect(), why };
    let mut name = Name::from_ascii(text).map_err(|e| wrong(e.to_string()))?;
    name.set_fqdn(true);
    if name.is_root() {
        return Err(wrong("it is empty".into()));
    }
    Ok(name)
}
