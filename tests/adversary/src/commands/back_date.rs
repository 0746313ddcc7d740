// SPDX-License-Identifier: Apache-2.0

//! `back-date`: replaces late blocks by brothers with earlier timestamps, on a network of nodes.

use super::{print, Drawn};
use isthmus_adversary::{back_dating::back_dating, AttackError};

pub(crate) async fn run(options: Drawn) -> Result<bool, AttackError> {
	let (network, share) = options.join().await?;
	let report = back_dating(&network, share, options.blocks, options.seed).await?;
	print(&report);
	Ok(report.held)
}
