// SPDX-License-Identifier: Apache-2.0

//! Cases for messages that are not announcements, or that contain more than an announcement.

use super::{case::Case, offer::Offer};
use crate::wire::announcement;

/// The maximum size of an announcement that a node's network layer accepts, in bytes.
const MAX_ANNOUNCEMENT: usize = 1024 * 1024;

/// The cases.
pub(super) const CASES: &[Case] = &[
	Case::closed("foreign_data", |stage| {
		let header = stage.seal(&stage.child())?;
		Ok(Some(Offer::Bytes(announcement(&header, true, b"anything"))))
	}),
	Case::closed("undecodable_announcement", |_| {
		Ok(Some(Offer::Bytes(vec![0xff; 200])))
	}),
	Case::closed("oversized_announcement", |stage| {
		let header = stage.seal(&stage.child())?;
		Ok(Some(Offer::Bytes(announcement(
			&header,
			true,
			&vec![0; MAX_ANNOUNCEMENT],
		))))
	}),
];
