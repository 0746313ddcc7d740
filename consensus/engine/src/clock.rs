// SPDX-License-Identifier: Apache-2.0
//! Reads the computer's clock: in seconds, as headers use them, and in milliseconds, as the timestamp
//! inherent does.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time in milliseconds since the Unix epoch, or 0 if the clock is before 1970.
pub(crate) fn unix_now_millis() -> u64 {
	let now = SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default();
	u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time in seconds since the Unix epoch, or 0 if the clock is before 1970.
pub(crate) fn unix_now() -> u64 {
	unix_now_millis() / 1000
}
