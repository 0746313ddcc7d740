//! Messages that are no announcements, or more than that.

use super::{Case, Expected, Offer};
use crate::wire::announcement;
use Expected::{Closed, LeftAside};

/// The most bytes of an announcement that a node's network layer takes.
const MAX_ANNOUNCEMENT: usize = 1024 * 1024;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
	Case { name: "foreign_data", expected: Closed, make: |stage| {
		let header = stage.seal(&stage.child())?;
		Ok(Some(Offer::Bytes(announcement(&header, true, b"anything"))))
	} },
	Case { name: "undecodable_announcement", expected: LeftAside("failed to decode block announce"), make: |_| Ok(Some(Offer::Bytes(vec![0xff; 200]))) },
	Case { name: "oversized_announcement", expected: Closed, make: |stage| {
		let header = stage.seal(&stage.child())?;
		Ok(Some(Offer::Bytes(announcement(&header, true, &vec![0; MAX_ANNOUNCEMENT]))))
	} },
];
