//! What programs on this machine show to everybody for a while.

use super::Loop;
use peermon_api::{Error, NoticeView};
use peermon_model::{Instant, Notice, limits};
use std::time::Duration;

impl Loop {
    /// Shows a notice for so long, renews it, or takes it back. Others are told only if something changes.
    pub(super) fn announce(&mut self, now: Instant, notice: Notice, lease: Duration) -> Result<Vec<NoticeView>, Error> {
        self.announced.retain(|(n, until)| !(n.topic == notice.topic && n.text == notice.text) && *until > now);
        if !lease.is_zero() {
            if self.config.notices.len() + self.announced.len() >= limits::NOTICES_MAX {
                self.show_notices(now);
                return Err(Error::TooMany(format!(
                    "a node shows {} notices at most, those of its configuration among them; take one back first",
                    limits::NOTICES_MAX
                )));
            }
            // In order, so that a renewal changes nothing.
            self.announced.push((notice, now + lease));
            self.announced.sort_by(|(a, _), (b, _)| (&a.topic, &a.text).cmp(&(&b.topic, &b.text)));
        }
        self.show_notices(now);
        Ok(self.notices().iter().map(NoticeView::from).collect())
    }

    /// About once a second.
    pub(super) fn forget_announcements(&mut self, now: Instant) {
        if self.announced.iter().any(|(_, until)| *until <= now) {
            self.announced.retain(|(_, until)| *until > now);
            self.show_notices(now);
        }
    }

    /// Hands the node all notices; it tells others if they differ.
    pub(super) fn show_notices(&mut self, now: Instant) {
        let notices = self.notices();
        self.node.handle_notices(now, notices);
        self.changed(now);
    }

    fn notices(&self) -> Vec<Notice> {
        self.config.notices.iter().chain(self.announced.iter().map(|(n, _)| n)).cloned().collect()
    }
}
