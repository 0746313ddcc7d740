// SPDX-License-Identifier: Apache-2.0
//! The RPC method `isthmus_risk`. It reports the odds that an attacker's private fork replaces a block
//! (paper, section IV.B), and whether finality rules that out.
//!
//! The formulas are in `isthmus-security`. The paper's z, the number of blocks that a merchant waits for,
//! is here the number of blocks on top of the block in question. The block itself does not count, which is
//! the cautious interpretation.

use super::{
	block::{BlockRef, Found},
	error::Error,
};
use crate::client::{FullChain, FullClient};
use isthmus_primitives::{BlockNumber, Hash};
use isthmus_security::{depth, equation_3, exact, DepthError, Model, Risk, Share};
use jsonrpsee::proc_macros::rpc;
use polkadot_sdk::*;
use serde::Serialize;
use sp_blockchain::HeaderBackend;
use std::{fmt, sync::Arc};

/// The risk if the caller specifies none: the Bitcoin paper's 0.1 %.
pub const DEFAULT_RISK: f64 = 0.001;
/// The number of recent blocks used to measure the time between blocks.
const BLOCKS_MEASURED: BlockNumber = 100;

/// The RPC method.
#[rpc(server)]
pub trait RiskApi {
	/// Returns the odds of a private fork against a block. `block` is the block's number on the best chain,
	/// its hash, or null for the best block. `attackerShare` is q, the attacker's share of the hash power,
	/// between 0 and 1. `risk` is the odds that the caller accepts, 0.001 by default.
	#[method(name = "isthmus_risk", blocking)]
	fn risk(
		&self,
		block: Option<BlockRef>,
		#[argument(rename = "attackerShare")] attacker_share: f64,
		risk: Option<f64>,
	) -> Result<RiskReport, Error>;
}

/// How long to wait until the odds are below the risk, as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
	/// The minimum z at which the odds are below the risk.
	pub depth: u32,
	/// How many more blocks are needed on top of the block.
	pub blocks: u32,
	/// The expected number of seconds until then; null if the time between blocks is unknown.
	pub seconds: Option<f64>,
}

/// The response, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RiskReport {
	/// The block's number (H_i).
	pub number: BlockNumber,
	/// The block's hash.
	pub hash: Hash,
	/// Whether it is the best block or an ancestor of it.
	pub on_best_chain: bool,
	/// z: the number of blocks on top of it; null if it is not on the best chain.
	pub depth: Option<BlockNumber>,
	/// Whether it is finalized.
	#[serde(rename = "final")]
	pub is_finalized: bool,
	/// q: the attacker's share of the hash power.
	pub attacker_share: f64,
	/// The attacker's odds by the paper's Eq. 3.
	pub equation3: Option<f64>,
	/// The attacker's odds by the exact formula.
	pub exact: Option<f64>,
	/// The odds that the caller accepts.
	pub risk: f64,
	/// When the exact odds, ignoring finality, fall below that risk; null if they never do.
	pub wait: Option<Wait>,
	/// The mean time between recent blocks, in seconds; null if there are fewer than two.
	pub block_interval: Option<f64>,
	/// The response in a sentence or two.
	pub statement: String,
}

/// Computes responses from the chain's headers.
pub struct Risks {
	client: Arc<FullClient>,
	chain: Arc<FullChain>,
}

impl Risks {
	pub fn new(client: Arc<FullClient>, chain: Arc<FullChain>) -> Self {
		Self { client, chain }
	}

	/// Returns the mean time between recent blocks, in seconds. The genesis block does not count: its
	/// timestamp is a parameter and can be far in the past.
	fn block_interval(&self) -> Result<Option<f64>, Error> {
		let best = self.client.info();
		let first = best.best_number.saturating_sub(BLOCKS_MEASURED).max(1);
		let blocks = best.best_number.saturating_sub(first);
		let Some(hash) = self.client.hash(first)?.filter(|_| blocks > 0) else {
			return Ok(None);
		};
		let since = self.chain.parent(hash)?.timestamp;
		let time = self
			.chain
			.parent(best.best_hash)?
			.timestamp
			.saturating_sub(since);
		Ok(Some(time as f64 / f64::from(blocks)))
	}
}

impl RiskApiServer for Risks {
	fn risk(
		&self,
		block: Option<BlockRef>,
		attacker_share: f64,
		risk: Option<f64>,
	) -> Result<RiskReport, Error> {
		let share = Share::new(attacker_share)?;
		let risk = Risk::new(risk.unwrap_or(DEFAULT_RISK))?;
		let block = Found::look_up(&self.client, block)?;
		let finalized = self.client.info().finalized_number;
		let interval = self.block_interval()?;
		Ok(RiskReport::new(block, finalized, share, risk, interval))
	}
}

impl RiskReport {
	/// Assembles the response for a block.
	pub fn new(
		block: Found,
		finalized: BlockNumber,
		share: Share,
		risk: Risk,
		block_interval: Option<f64>,
	) -> Self {
		let is_finalized = block.depth.is_some() && block.number <= finalized;
		let needed = depth(Model::Exact, share, risk);
		let wait = needed.ok().map(|depth| {
			let blocks = depth.saturating_sub(block.depth.unwrap_or(0));
			Wait {
				depth,
				blocks,
				seconds: block_interval.map(|seconds| seconds * f64::from(blocks)),
			}
		});
		let odds = block.depth.map(|z| exact(share, z));
		let statement = Statement {
			block,
			is_finalized,
			share,
			risk,
			odds,
			needed,
			wait,
		};
		Self {
			number: block.number,
			hash: block.hash,
			on_best_chain: block.depth.is_some(),
			depth: block.depth,
			is_finalized,
			attacker_share: share.attacker(),
			equation3: block.depth.map(|z| equation_3(share, z)),
			exact: odds,
			risk: risk.get(),
			wait,
			block_interval,
			statement: statement.to_string(),
		}
	}
}

/// A block's risk in a sentence or two.
struct Statement {
	block: Found,
	is_finalized: bool,
	share: Share,
	risk: Risk,
	odds: Option<f64>,
	needed: Result<u32, DepthError>,
	wait: Option<Wait>,
}

impl fmt::Display for Statement {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		let (Some(depth), Some(odds)) = (self.block.depth, self.odds) else {
			return f.write_str(
				"Not on the best chain: a heavier fork took its place, or it never was on the best chain.",
			);
		};
		if self.is_finalized {
			return write!(
				f,
				"Finalized: no node follows a fork without it, however heavy. Without finality, an attacker with \
				 {} of the hash power would overtake the {depth} blocks on top of it with odds of {odds:.3e}.",
				self.share.attacker()
			);
		}
		write!(
			f,
			"Not finalized, with {depth} blocks on top of it: an attacker with {} of the hash power overtakes the \
			 chain with odds of {odds:.3e}",
			self.share.attacker()
		)?;
		match (&self.needed, self.wait) {
			(Err(e), _) => write!(f, "; {e}."),
			(Ok(_), Some(wait)) if wait.blocks > 0 => write!(
				f,
				"; {} more blocks reduce them to under {}.",
				wait.blocks,
				self.risk.get()
			),
			(Ok(_), _) => write!(f, ", under {}.", self.risk.get()),
		}
	}
}
