// SPDX-License-Identifier: Apache-2.0
//! How long a store is waited for.

use crate::failure::Failure;
use std::{future::Future, time::Duration};

/// The slowest connection that is waited for, in bytes a second.
pub(crate) const SLOWEST: u64 = 32 << 10;
/// How long a store may take for a part: this long, and a second for each [`SLOWEST`] bytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The slowest store that is waited for when it puts parts together, in bytes a second: it has them.
const SLOWEST_STORE: u64 = 8 << 20;

/// Waits for a store that puts the parts of an object together, as long as that may take for this length in bytes.
pub(crate) async fn patiently_joined<T>(
	length: u64,
	asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
	patiently(joined(length), asked).await
}

/// Returns how many bytes take as long to send as a store takes to put parts of this length together.
fn joined(length: u64) -> usize {
	let size = length / (SLOWEST_STORE / SLOWEST);
	size.try_into().unwrap_or(usize::MAX)
}

/// Returns how long a store is waited for that takes or sends this many bytes.
fn patience(size: usize) -> Duration {
	PATIENCE + Duration::from_secs(size as u64 / SLOWEST)
}

/// Waits for a store as long as `size` bytes may take.
pub(crate) async fn patiently<T>(
	size: usize,
	asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
	let patience = patience(size);
	match tokio::time::timeout(patience, asked).await {
		Ok(done) => done,
		Err(_) => Err(Failure::Stalled(patience)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_part_may_take_a_minute_and_a_second_for_each_32_kib() {
		let seconds = |size| patience(size).as_secs();
		assert_eq!([seconds(0), seconds(8 << 20)], [60, 60 + 256]);
		// A store puts a GiB together in two minutes more.
		assert_eq!(seconds(joined(1 << 30)), 60 + 128);
	}
}
