// SPDX-License-Identifier: Apache-2.0
//! Carries out what the state machine of the warp sync wants, and reports its progress.

use crate::{
	machine::{Offence, Time},
	warp::{Action, Phase, Warning, Warp},
	warp_wire::{WarpProtocols, WarpWire},
	wire::{Answer, WarpAnswer, Wire},
	LOG_TARGET,
};
use futures::future::BoxFuture;
use isthmus_engine::{Chain, ChainClient};
use isthmus_primitives::{Block, BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::ProofProvider;
use sc_consensus::IncomingBlock;
use sc_network::PeerId;
use sc_network_sync::{
	strategy::state_sync::StateSyncProgress, SyncState, SyncStatus, WarpSyncPhase, WarpSyncProgress,
};
use std::sync::Arc;

/// What the sync engine is to do.
pub(crate) enum Step {
	/// Start a request to this peer.
	Ask(PeerId, BoxFuture<'static, Answer>),
	/// Import a block with its state.
	Import(Box<IncomingBlock<Block>>),
	/// Disconnect a peer.
	Drop(PeerId, Offence),
}

/// A warp sync that is under way.
pub(crate) struct Warping<C> {
	machine: Warp<PeerId>,
	wire: WarpWire<C>,
	chain: Arc<Chain<C>>,
}

impl<C: ChainClient + ProofProvider<Block>> Warping<C> {
	/// Begins a warp sync, if the database has no state yet.
	pub(crate) fn begin(
		chain: Arc<Chain<C>>,
		wire: Wire<C>,
		protocols: WarpProtocols,
	) -> Option<Self> {
		let client = chain.client();
		let info = client.info();
		if info.finalized_state.is_some() {
			log::info!(
				target: LOG_TARGET,
				"`--sync warp` has no effect: the database has the state of block #{} already",
				info.finalized_number,
			);
			return None;
		}
		Some(Self {
			machine: Warp::default(),
			wire: WarpWire::new(wire, client.clone(), protocols),
			chain,
		})
	}

	/// Adds a peer.
	pub(crate) fn add_peer(&mut self, peer: PeerId) {
		self.machine.add_peer(peer);
	}

	/// Removes a peer.
	pub(crate) fn remove_peer(&mut self, peer: &PeerId) {
		self.machine.remove_peer(peer);
		self.wire.remove_peer(peer);
	}

	/// Takes a peer's answer.
	pub(crate) fn answered(&mut self, peer: PeerId, answer: WarpAnswer) {
		match answer {
			WarpAnswer::Proof(step) => self.machine.proved(peer, step),
			WarpAnswer::Foot(of, foot) => {
				let result = foot.as_ref().map(|_| ()).map_err(|failure| *failure);
				if self.machine.foot(peer, of, result) {
					self.wire.keep_foot(foot.ok());
				}
			}
			WarpAnswer::State(of, step) => self.machine.state(peer, of, step),
		}
	}

	/// Takes the result of an import. Returns whether the warp sync is over.
	pub(crate) fn imported(&mut self, hash: &Hash, success: bool) -> bool {
		match self.machine.phase() {
			Phase::Importing(target) if target.hash == *hash => self.machine.imported(success),
			_ => return false,
		}
		let Phase::Done(target) = self.machine.phase() else {
			return false;
		};
		log::info!(
			target: LOG_TARGET,
			"the warp sync is complete: this node's history begins with block #{} ({})",
			target.number,
			target.hash,
		);
		true
	}

	/// Goes on to this time, and returns what is to be done.
	pub(crate) fn poll(&mut self, now: Time) -> Vec<Step> {
		let actions = self.machine.poll(now).into_iter();
		actions.filter_map(|action| self.act(action)).collect()
	}

	fn act(&mut self, action: Action<PeerId>) -> Option<Step> {
		match action {
			Action::Restart(peer) => self.wire.restart(peer),
			Action::AskProof(peer) => return Some(Step::Ask(peer, self.wire.proof(peer))),
			Action::AskFoot(peer, target) => {
				return Some(Step::Ask(peer, self.wire.foot(peer, target)))
			}
			Action::BeginState(target) => self.wire.begin_state(target),
			Action::AskState(peer, target) => {
				return Some(Step::Ask(peer, self.wire.state(peer, target)))
			}
			Action::Import(_) => match self.import() {
				Some(block) => return Some(Step::Import(block)),
				None => self.machine.imported(false),
			},
			Action::Drop(peer, why) => return Some(Step::Drop(peer, why)),
			Action::Warn(warning) => warn(warning),
		}
		None
	}

	/// Returns the target with its state, and notes in the database that the history begins with it.
	fn import(&mut self) -> Option<Box<IncomingBlock<Block>>> {
		let (block, start) = self.wire.take()?;
		match self.chain.begin_history(start) {
			Ok(()) => Some(block),
			Err(error) => {
				log::error!(target: LOG_TARGET, "cannot begin with a warp target: {error}");
				None
			}
		}
	}

	/// Returns what the informant shows.
	pub(crate) fn status(&self, peers: usize) -> SyncStatus<Block> {
		let (phase, target) = self.phase();
		SyncStatus {
			state: SyncState::Downloading {
				target: target.unwrap_or(0),
			},
			best_seen_block: target,
			num_peers: u32::try_from(peers).unwrap_or(u32::MAX),
			queued_blocks: 0,
			state_sync: self.state_progress(),
			warp_sync: Some(WarpSyncProgress {
				phase,
				total_bytes: self.wire.proof_bytes(),
				status: None,
			}),
		}
	}

	fn state_progress(&self) -> Option<StateSyncProgress> {
		match self.machine.phase() {
			Phase::State(_) | Phase::Importing(_) => self.wire.state_progress(),
			_ => None,
		}
	}

	fn phase(&self) -> (WarpSyncPhase<Block>, Option<BlockNumber>) {
		match self.machine.phase() {
			Phase::Waiting => (WarpSyncPhase::AwaitingPeers { required_peers: 1 }, None),
			Phase::Proving => (WarpSyncPhase::DownloadingWarpProofs, None),
			Phase::Foot(target) => (WarpSyncPhase::DownloadingTargetBlock, Some(target.number)),
			Phase::State(target) => (WarpSyncPhase::DownloadingState, Some(target.number)),
			Phase::Importing(target) => (WarpSyncPhase::ImportingState, Some(target.number)),
			Phase::Done(target) => (WarpSyncPhase::Complete, Some(target.number)),
		}
	}
}

fn warn(warning: Warning) {
	match warning {
		Warning::NoFinality => log::warn!(
			target: LOG_TARGET,
			"no peer proves a final block, and a warp sync needs one: trying again. Without finality, start with \
			 `--sync full`",
		),
		Warning::TwoFinalBlocks(one, other) => log::error!(
			target: LOG_TARGET,
			"peers prove two final blocks of height {}: {} and {}. More than a third of some set of verifiers voted for \
			 both, or keys of former verifiers are misused. Find out which chain is right, and connect to its nodes alone",
			one.number,
			one.hash,
			other.hash,
		),
		Warning::NoState(target) => log::warn!(
			target: LOG_TARGET,
			"no peer has the state of block #{}: asking for a newer one. Peers with `--state-pruning archive` keep all",
			target.number,
		),
		Warning::ImportFailed(target) => log::error!(
			target: LOG_TARGET,
			"could not import the state of block #{}: trying again in a minute",
			target.number,
		),
	}
}
