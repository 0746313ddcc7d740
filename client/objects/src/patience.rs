// SPDX-License-Identifier: Apache-2.0
//! How long a store is waited for.

use crate::failure::Failure;
use std::{future::Future, time::Duration};

/// The slowest connection that is waited for, in bytes a second.
pub(crate) const SLOWEST: u64 = 32 << 10;
/// How long a store may take for a part: this long, and a second for each [`SLOWEST`] bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a store as long as `size` bytes may take.
pub(crate) async fn patiently<T>(
	size: usize,
	asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
	let patience = PATIENCE + Duration::from_secs(size as u64 / SLOWEST);
	match tokio::time::timeout(patience, asked).await {
		Ok(done) => done,
		Err(_) => Err(Failure::Stalled(patience)),
	}
}
