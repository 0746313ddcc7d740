// SPDX-License-Identifier: Apache-2.0

//! `selfish`: mines selfishly, by withholding blocks from a network of nodes.

use super::{print, Drawn};
use isthmus_adversary::{selfish::selfish, AttackError};

pub(crate) async fn run(options: Drawn) -> Result<bool, AttackError> {
	let (network, share) = options.join().await?;
	let report = selfish(&network, share, options.blocks, options.seed).await?;
	print(&report);
	Ok(report.held)
}
