// SPDX-License-Identifier: Apache-2.0
//! Connects the state machine to Substrate's sync engine.

use crate::{
	justifications::Justifications,
	ledger::{ChainLedger, HashedHeader},
	machine::{Action, Ledger, Limits, Machine, Offence, Outcome, Time},
	metrics::SyncMetrics,
	thinning::Thinning,
	warp_wire::WarpProtocols,
	warping::{Step, Warping},
	wire::{Answer, Wire},
	LOG_TARGET,
};
use futures::{future::BoxFuture, FutureExt};
use isthmus_engine::{Chain, ChainClient, PeerCheck, RateLimitedLog};
use isthmus_primitives::{Block, BlockNumber, Hash, Header};
use polkadot_sdk::*;
use sc_client_api::ProofProvider;
use sc_consensus::{BlockImportError, BlockImportStatus};
use sc_network::{PeerId, ProtocolName, ReputationChange};
use sc_network_common::sync::message::BlockAnnounce;
use sc_network_sync::{
	block_relay_protocol::BlockDownloader,
	service::network::NetworkServiceHandle,
	strategy::{StrategyKey, SyncingAction, SyncingStrategy},
	types::BadPeer,
	SyncState, SyncStatus,
};
use sp_blockchain::Error as ClientError;
use sp_consensus::BlockOrigin;
use std::{any::Any, sync::Arc, time::Instant};

const HEADERS: StrategyKey = StrategyKey::new("headers");
const BODIES: StrategyKey = StrategyKey::new("bodies");
const CHECK: StrategyKey = StrategyKey::new("check");
const JUSTIFICATION: StrategyKey = StrategyKey::new("justification");
const WARP: StrategyKey = StrategyKey::new("warp");

/// What a sync needs.
pub struct SyncParts<C> {
	/// The chain.
	pub chain: Arc<Chain<C>>,
	/// Sends requests for blocks.
	pub downloader: Arc<dyn BlockDownloader<Block>>,
	/// The operator's limits.
	pub limits: Limits,
	/// Where to ask for proofs of finality and for state, if the node is to begin with a finalized block instead of
	/// genesis.
	pub warp: Option<WarpProtocols>,
	/// Announces a block to peers.
	pub announce: Box<dyn Fn(Hash) + Send>,
	/// The metrics, if any are exported.
	pub metrics: Option<SyncMetrics>,
}

/// The sync of a node, for Substrate's sync engine.
pub struct HeaviestSync<C: ChainClient> {
	machine: Machine<ChainLedger<C>>,
	wire: Wire<C>,
	/// The warp sync, until it is over.
	warp: Option<Warping<C>>,
	announce: Box<dyn Fn(Hash) + Send>,
	metrics: Option<SyncMetrics>,
	protocol: ProtocolName,
	justifications: Justifications,
	thinning: Thinning,
	started: Instant,
	warnings: RateLimitedLog,
	actions: Vec<SyncingAction<Block>>,
}

type BlockResult = (
	Result<BlockImportStatus<BlockNumber>, BlockImportError>,
	Hash,
);

impl<C: ChainClient + ProofProvider<Block>> HeaviestSync<C> {
	/// Creates a sync without peers.
	pub fn new(parts: SyncParts<C>) -> Self {
		let SyncParts {
			chain,
			downloader,
			limits,
			warp,
			announce,
			metrics,
		} = parts;
		let protocol = downloader.protocol_name().clone();
		let wire = Wire::new(Arc::new(PeerCheck::new(chain.clone())), downloader);
		Self {
			machine: Machine::new(ChainLedger::new(chain.clone()), limits),
			warp: warp.and_then(|protocols| Warping::begin(chain, wire.clone(), protocols)),
			wire,
			announce,
			metrics,
			protocol,
			justifications: Justifications::default(),
			thinning: Thinning::default(),
			started: Instant::now(),
			warnings: RateLimitedLog::default(),
			actions: Vec::new(),
		}
	}

	fn now(&self) -> Time {
		self.started.elapsed()
	}

	/// Starts work whose result comes back as an answer of this peer.
	fn start(&mut self, peer_id: PeerId, key: StrategyKey, work: BoxFuture<'static, Answer>) {
		let protocol = self.protocol.clone();
		let request = async move {
			let answer: Box<dyn Any + Send> = Box::new(work.await);
			Ok(Ok((answer, protocol)))
		};
		self.actions.push(SyncingAction::StartRequest {
			peer_id,
			key,
			request: request.boxed(),
		});
	}

	fn act(&mut self, action: Action<ChainLedger<C>>) {
		match action {
			Action::AskHeaders {
				peer,
				from,
				direction,
				max,
			} => {
				let answer = self.wire.headers(peer, from, direction, max);
				self.start(peer, HEADERS, answer);
			}
			Action::Check {
				peer,
				base,
				headers,
			} => {
				let checked = self.wire.check(base, headers);
				self.start(peer, CHECK, checked);
			}
			Action::AskBodies { peer, hashes } => {
				let answer = self.wire.bodies(peer, hashes);
				self.start(peer, BODIES, answer);
			}
			Action::Import {
				blocks,
				catching_up,
			} => {
				let origin = match catching_up {
					true => BlockOrigin::NetworkInitialSync,
					false => BlockOrigin::NetworkBroadcast,
				};
				let mut blocks: Vec<_> = blocks.into_iter().map(|(block, _)| *block).collect();
				if catching_up {
					self.thinning.thin_out(&mut blocks);
				}
				self.actions
					.push(SyncingAction::ImportBlocks { origin, blocks });
			}
			Action::Announce(hash) => (self.announce)(hash),
			Action::Drop { peer, why } => self.disconnect(peer, why),
		}
	}

	fn disconnect(&mut self, peer: PeerId, why: Offence) {
		log::debug!(target: LOG_TARGET, "disconnecting {peer}: {why:?}");
		if let Some(metrics) = &self.metrics {
			metrics.disconnected(why);
		}
		self.justifications.remove_peer(&peer);
		let bad = BadPeer(peer, reputation(why));
		self.actions.push(SyncingAction::DropPeer(bad));
	}

	/// Resumes the warp sync.
	fn resume_warp(&mut self) {
		let now = self.now();
		let steps = self.warp.as_mut().map(|warp| warp.poll(now));
		for step in steps.into_iter().flatten() {
			match step {
				Step::Ask(peer, answer) => self.start(peer, WARP, answer),
				Step::Import(block) => self.actions.push(SyncingAction::ImportBlocks {
					origin: BlockOrigin::NetworkInitialSync,
					blocks: vec![*block],
				}),
				Step::Drop(peer, why) => self.disconnect(peer, why),
			}
		}
	}

	/// Takes results of imports during the warp sync.
	fn note_warp(&mut self, results: &[BlockResult]) {
		for (result, hash) in results {
			if let Err(error) = result {
				log::error!(target: LOG_TARGET, "could not import block {hash} with its state: {error}");
			}
			let is_over = |warp: &mut Warping<C>| warp.imported(hash, result.is_ok());
			if self.warp.as_mut().is_some_and(is_over) {
				self.warp = None;
				self.machine.best_changed();
				self.machine.finalized();
			}
		}
	}

	fn ask_for_justifications(&mut self) {
		let peers: Vec<PeerId> = self.machine.peer_names().collect();
		let may_have = |peer: &PeerId, number| self.machine.peer_may_have(peer, number);
		for (peer, hash) in self.justifications.next(self.now(), &peers, may_have) {
			let answer = self.wire.justification(peer, hash);
			self.start(peer, JUSTIFICATION, answer);
		}
	}

	/// Tells the operator if no peer keeps the blocks that are needed.
	fn warn_of_lost_bodies(&self) {
		let Some(number) = self.machine.lost() else {
			return;
		};
		if let Some(end) = self.warnings.may_write("lost", Instant::now()) {
			log::warn!(
				target: LOG_TARGET,
				"no peer keeps the body of block #{number}, which comes next: connect to a node without \
				 `--blocks-pruning`, or purge the chain and start with `--sync warp`{end}",
			);
		}
	}

	/// Takes the result of an import, as far as it is not the state machine's business.
	fn note_import(&mut self, (result, hash): &BlockResult) -> Outcome {
		let error = match result {
			Ok(BlockImportStatus::ImportedKnown(..)) => return Outcome::Imported,
			Ok(BlockImportStatus::ImportedUnknown(number, aux, peer)) => {
				if aux.clear_justification_requests {
					self.justifications.clear();
				}
				if aux.needs_justification {
					self.justifications.need(*hash, *number);
				}
				if let Some(peer) = peer.as_ref().filter(|_| aux.bad_justification) {
					self.machine.drop_peer(*peer, Offence::BadJustification);
				}
				return Outcome::Imported;
			}
			Err(error) => error,
		};
		let (outcome, kind) = match error {
			BlockImportError::Cancelled | BlockImportError::UnknownParent => {
				return Outcome::Skipped
			}
			BlockImportError::MissingState => return Outcome::Unusable,
			BlockImportError::IncompleteHeader(_) | BlockImportError::VerificationFailed(..) => {
				(Outcome::Invalid, "invalid")
			}
			// The fault may be ours: this machine may have failed to execute it.
			BlockImportError::BadBlock(_) | BlockImportError::Other(_) => {
				(Outcome::Failed, "failed")
			}
		};
		match self.warnings.may_write(kind, Instant::now()) {
			Some(end) => {
				log::warn!(target: LOG_TARGET, "could not import block {hash}: {error}{end}")
			}
			None => log::debug!(target: LOG_TARGET, "could not import block {hash}: {error}"),
		}
		outcome
	}
}

impl<C: ChainClient + ProofProvider<Block>> SyncingStrategy<Block> for HeaviestSync<C> {
	fn add_peer(&mut self, peer_id: PeerId, best_hash: Hash, best_number: BlockNumber) {
		self.machine.add_peer(peer_id, best_hash, best_number);
		if let Some(warp) = &mut self.warp {
			warp.add_peer(peer_id);
		}
	}

	fn remove_peer(&mut self, peer_id: &PeerId) {
		self.machine.remove_peer(peer_id);
		self.justifications.remove_peer(peer_id);
		if let Some(warp) = &mut self.warp {
			warp.remove_peer(peer_id);
		}
	}

	fn on_validated_block_announce(
		&mut self,
		is_best: bool,
		peer_id: PeerId,
		announce: &BlockAnnounce<Header>,
	) -> Option<(Hash, BlockNumber)> {
		let header = HashedHeader::from(announce.header.clone());
		let announced = (announce.header.hash(), announce.header.number);
		self.machine.announced(peer_id, header, is_best);
		is_best.then_some(announced)
	}

	fn set_sync_fork_request(&mut self, peers: Vec<PeerId>, hash: &Hash, number: BlockNumber) {
		self.machine.want(&peers, *hash, number);
	}

	fn request_justification(&mut self, hash: &Hash, number: BlockNumber) {
		self.justifications.need(*hash, number);
	}

	fn clear_justification_requests(&mut self) {
		self.justifications.clear();
	}

	fn on_justification_import(&mut self, hash: Hash, _number: BlockNumber, success: bool) {
		self.justifications.ended(&hash, success);
	}

	fn on_generic_response(
		&mut self,
		peer_id: &PeerId,
		_key: StrategyKey,
		_protocol_name: ProtocolName,
		response: Box<dyn Any + Send>,
	) {
		let Ok(answer) = response.downcast::<Answer>() else {
			log::error!(target: LOG_TARGET, "an answer is of another sync");
			return;
		};
		match *answer {
			Answer::Headers(answer) => self.machine.headers_arrived(*peer_id, answer),
			Answer::Bodies(answer) => self.machine.bodies_arrived(*peer_id, answer),
			Answer::Checked(checked) => self.machine.headers_checked(*peer_id, checked),
			Answer::Warp(answer) => {
				if let Some(warp) = &mut self.warp {
					warp.answered(*peer_id, answer);
				}
			}
			Answer::Justification(hash, justifications) => {
				match (justifications, self.justifications.number(&hash)) {
					(Some(justifications), Some(number)) => {
						self.actions.push(SyncingAction::ImportJustifications {
							peer_id: *peer_id,
							hash,
							number,
							justifications,
						});
					}
					_ => self.justifications.ended(&hash, false),
				}
			}
		}
	}

	fn on_blocks_processed(&mut self, _imported: usize, _count: usize, results: Vec<BlockResult>) {
		if self.warp.is_some() {
			return self.note_warp(&results);
		}
		let finalized = self.machine.ledger().finalized();
		for (result, hash) in &results {
			let is_new = matches!(result, Ok(BlockImportStatus::ImportedUnknown(..)));
			self.thinning.imported(hash, is_new, finalized);
		}
		let outcomes: Vec<_> = results
			.iter()
			.map(|result| (result.1, self.note_import(result)))
			.collect();
		self.machine.imported(outcomes);
	}

	fn on_block_finalized(&mut self, _hash: &Hash, number: BlockNumber) {
		self.justifications.finalized(number);
		self.machine.finalized();
	}

	fn update_chain_info(&mut self, _best_hash: &Hash, _best_number: BlockNumber) {
		self.machine.best_changed();
	}

	fn is_major_syncing(&self) -> bool {
		self.warp.is_some() || self.machine.is_catching_up()
	}

	fn num_peers(&self) -> usize {
		self.machine.peers()
	}

	fn status(&self) -> SyncStatus<Block> {
		if let Some(warp) = &self.warp {
			return warp.status(self.machine.peers());
		}
		let target = self.machine.target();
		let state = match target {
			Some(target) if self.machine.is_catching_up() => SyncState::Downloading { target },
			_ => SyncState::Idle,
		};
		SyncStatus {
			state,
			best_seen_block: target,
			num_peers: u32::try_from(self.machine.peers()).unwrap_or(u32::MAX),
			queued_blocks: u32::try_from(self.machine.importing()).unwrap_or(u32::MAX),
			state_sync: None,
			warp_sync: None,
		}
	}

	fn num_downloaded_blocks(&self) -> usize {
		self.machine.arrived()
	}

	fn num_sync_requests(&self) -> usize {
		0
	}

	fn actions(
		&mut self,
		_network_service: &NetworkServiceHandle,
	) -> Result<Vec<SyncingAction<Block>>, ClientError> {
		if self.warp.is_some() {
			self.resume_warp();
			return Ok(std::mem::take(&mut self.actions));
		}
		let now = self.now();
		for action in self.machine.poll(now) {
			self.act(action);
		}
		self.ask_for_justifications();
		self.warn_of_lost_bodies();
		if let Some(metrics) = &self.metrics {
			metrics.set(self.machine.census());
		}
		Ok(std::mem::take(&mut self.actions))
	}
}

/// Returns what an offence costs a peer. A peer that was disconnected because of something that may be our own fault,
/// or the line's, can connect again.
fn reputation(why: Offence) -> ReputationChange {
	match why {
		Offence::Unanswered => ReputationChange::new(-(1 << 10), "Failed to answer three times"),
		Offence::Nonsense => ReputationChange::new(-(1 << 24), "Answer to another question"),
		Offence::Invalid => ReputationChange::new(-(1 << 29), "Invalid header or body"),
		Offence::BadBlock => ReputationChange::new(-(1 << 12), "Block that cannot be imported"),
		Offence::BadJustification => ReputationChange::new(-(1 << 16), "Bad justification"),
	}
}
