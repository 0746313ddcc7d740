// SPDX-License-Identifier: Apache-2.0
//! This machine's clock.

use crate::types::Seconds;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time of this machine's clock, in seconds since 1970; 0 if it is set to an earlier time.
pub fn now() -> Seconds {
	let since = SystemTime::now().duration_since(UNIX_EPOCH);
	since.map_or(0, |since| since.as_secs())
}
