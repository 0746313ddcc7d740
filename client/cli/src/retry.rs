// SPDX-License-Identifier: Apache-2.0
//! When services try again after an error.

use crate::stop::Stop;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The wait before the first new attempt after an error.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between attempts. After an attempt that went well for longer, the waits begin with the first again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The attempts of a service. The wait between two doubles with each attempt.
pub(crate) struct Retry {
	/// When the present attempt began.
	began: Instant,
	/// The wait after it.
	wait: Duration,
}

impl Retry {
	/// Begins the first attempt.
	pub(crate) fn begin() -> Self {
		Self {
			began: Instant::now(),
			wait: FIRST_WAIT,
		}
	}

	/// Waits after an attempt that failed, and begins the next one. Returns whether there is a next one: not if the service
	/// was asked to end.
	pub(crate) async fn again(&mut self, stop: &Stop) -> bool {
		if self.began.elapsed() > LONGEST_WAIT {
			self.wait = FIRST_WAIT;
		}
		let goes_on = stop.or(sleep(self.wait)).await.is_some();
		self.wait = (self.wait * 2).min(LONGEST_WAIT);
		self.began = Instant::now();
		goes_on
	}
}
