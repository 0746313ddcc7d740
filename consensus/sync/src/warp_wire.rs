// SPDX-License-Identifier: Apache-2.0
//! Asks peers for proofs of finality and for state, and checks the answers, off the threads of the network and the
//! import.

use crate::{
	answer::{state_proof, state_request},
	machine::Failure,
	warp::{ProofStep, StateStep, Target},
	wire::{Answer, Foot, WarpAnswer, Wire},
	LOG_TARGET,
};
use codec::Encode;
use futures::{channel::oneshot, future::BoxFuture};
use isthmus_engine::{ChainClient, HistoryStart};
use isthmus_primitives::Block;
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::ProofProvider;
use sc_consensus::IncomingBlock;
use sc_network::{IfDisconnected, PeerId, ProtocolName};
use sc_network_sync::{
	service::network::NetworkServiceHandle,
	strategy::{
		state_sync::{ImportResult, StateSync, StateSyncProgress, StateSyncProvider},
		warp::{EncodedProof, VerificationResult, Verifier, WarpProofRequest, WarpSyncProvider},
	},
	StateResponse,
};
use sp_runtime::Justifications;
use std::{collections::HashMap, sync::Arc};

/// A proof without any final block, encoded.
const NOTHING: [u8; 2] = [0, 1];

/// Where to ask for proofs and state.
#[derive(Clone)]
pub struct WarpProtocols {
	/// Verifies proofs.
	pub provider: Arc<dyn WarpSyncProvider<Block>>,
	/// The protocol for proofs.
	pub proofs: ProtocolName,
	/// The protocol for state.
	pub state: ProtocolName,
	/// Sends requests.
	pub network: NetworkServiceHandle,
}

/// How far a peer's proof has come.
struct Proving {
	verifier: Box<dyn Verifier<Block>>,
	/// The last block that is proved to be final, and the votes for it.
	last: Option<(Target, Justifications)>,
}

/// The state that is fetched.
struct Fetched {
	target: Target,
	state: Box<dyn StateSyncProvider<Block>>,
	/// The block with its state, when it is complete.
	complete: Option<Box<IncomingBlock<Block>>>,
}

/// Sends the requests of a warp sync, and keeps what is not complete yet.
pub(crate) struct WarpWire<C> {
	wire: Wire<C>,
	protocols: WarpProtocols,
	client: Arc<C>,
	proving: HashMap<PeerId, Arc<Mutex<Proving>>>,
	foot: Option<Foot>,
	fetched: Option<Arc<Mutex<Fetched>>>,
	proof_bytes: Arc<Mutex<u64>>,
}

impl<C: ChainClient + ProofProvider<Block>> WarpWire<C> {
	/// Creates the sender of requests.
	pub(crate) fn new(wire: Wire<C>, client: Arc<C>, protocols: WarpProtocols) -> Self {
		Self {
			wire,
			protocols,
			client,
			proving: HashMap::new(),
			foot: None,
			fetched: None,
			proof_bytes: Arc::default(),
		}
	}

	/// Returns the bytes of proofs that were verified.
	pub(crate) fn proof_bytes(&self) -> u64 {
		*self.proof_bytes.lock()
	}

	/// Returns how much of the state has arrived.
	pub(crate) fn state_progress(&self) -> Option<StateSyncProgress> {
		let fetched = self.fetched.as_ref()?.try_lock()?;
		Some(fetched.state.progress())
	}

	/// Forgets what a peer has proved.
	pub(crate) fn restart(&mut self, peer: PeerId) {
		let proving = Proving {
			verifier: self.protocols.provider.create_verifier(),
			last: None,
		};
		self.proving.insert(peer, Arc::new(Mutex::new(proving)));
	}

	/// Forgets a peer.
	pub(crate) fn remove_peer(&mut self, peer: &PeerId) {
		self.proving.remove(peer);
	}

	/// Asks a peer to prove its final block, or to resume its proof.
	pub(crate) fn proof(&self, peer: PeerId) -> BoxFuture<'static, Answer> {
		let Some(proving) = self.proving.get(&peer).cloned() else {
			let answer = Answer::Warp(WarpAnswer::Proof(Err(Failure::Unanswered)));
			return Box::pin(async move { answer });
		};
		let begin = proving.lock().verifier.next_proof_context();
		let request = WarpProofRequest::<Block> { begin }.encode();
		let answer = self.request(peer, self.protocols.proofs.clone(), request);
		let (wire, total) = (self.wire.clone(), self.proof_bytes.clone());
		Box::pin(async move {
			let step = match answer.await {
				Ok(bytes) => wire
					.work(move |_| {
						let mut total = total.lock();
						*total = total.saturating_add(bytes.len() as u64);
						proving.lock().verify(bytes)
					})
					.await
					.unwrap_or(Err(Failure::Unanswered)),
				Err(failure) => Err(failure),
			};
			Answer::Warp(WarpAnswer::Proof(step))
		})
	}

	/// Asks a peer for the target's body and the headers below it.
	pub(crate) fn foot(&self, peer: PeerId, target: Target) -> BoxFuture<'static, Answer> {
		self.wire.foot(peer, target)
	}

	/// Keeps the target's foot.
	pub(crate) fn keep_foot(&mut self, foot: Option<Foot>) {
		self.foot = foot;
	}

	/// Begins with the state of the target whose foot is kept, or resumes it.
	pub(crate) fn begin_state(&mut self, target: Target) {
		let is_same = |fetched: &Arc<Mutex<Fetched>>| {
			let fetched = fetched.lock();
			fetched.target == target && fetched.complete.is_none()
		};
		if self.fetched.as_ref().is_some_and(is_same) {
			return;
		}
		let Some(block) = self.foot.as_ref().map(|foot| &foot.block) else {
			return;
		};
		let Some(header) = block.header.clone() else {
			return;
		};
		// The votes that came with the body were not checked. Those of a proof were.
		let votes = self.proving.values().find_map(|proving| {
			let proving = proving.try_lock()?;
			let (last, votes) = proving.last.as_ref()?;
			(*last == target).then(|| votes.clone())
		});
		let state = StateSync::new(
			self.client.clone(),
			header,
			block.body.clone(),
			votes,
			false,
		);
		self.fetched = Some(Arc::new(Mutex::new(Fetched {
			target,
			state: Box::new(state),
			complete: None,
		})));
	}

	/// Asks a peer for the next part of the state.
	pub(crate) fn state(&self, peer: PeerId, target: Target) -> BoxFuture<'static, Answer> {
		let Some(fetched) = self.fetched.clone() else {
			let answer = Answer::Warp(WarpAnswer::State(target, Err(Failure::Unanswered)));
			return Box::pin(async move { answer });
		};
		let request = fetched.lock().state.next_request();
		let request = state_request(&request.block, &request.start);
		let answer = self.request(peer, self.protocols.state.clone(), request);
		let wire = self.wire.clone();
		Box::pin(async move {
			let step = match answer.await {
				Ok(bytes) => wire
					.work(move |_| fetched.lock().add(&bytes))
					.await
					.unwrap_or(Err(Failure::Unanswered)),
				Err(failure) => Err(failure),
			};
			Answer::Warp(WarpAnswer::State(target, step))
		})
	}

	/// Returns the target with its state and what is below it, when both are complete.
	pub(crate) fn take(&mut self) -> Option<(Box<IncomingBlock<Block>>, HistoryStart)> {
		let foot = self.foot.take()?;
		let block = self.fetched.take()?.lock().complete.take()?;
		let start = HistoryStart {
			hash: block.hash,
			below: foot.below,
		};
		Some((block, start))
	}

	/// Sends a request, and returns the answer's bytes.
	fn request(
		&self,
		peer: PeerId,
		protocol: ProtocolName,
		request: Vec<u8>,
	) -> BoxFuture<'static, Result<Vec<u8>, Failure>> {
		let (sender, answer) = oneshot::channel();
		self.protocols.network.start_request(
			peer,
			protocol,
			request,
			sender,
			IfDisconnected::ImmediateError,
		);
		Box::pin(async move {
			match answer.await {
				Ok(Ok((bytes, _))) => Ok(bytes),
				Ok(Err(error)) => {
					log::debug!(target: LOG_TARGET, "{peer} did not answer: {error}");
					Err(Failure::Unanswered)
				}
				Err(_) => Err(Failure::Unanswered),
			}
		})
	}
}

impl Proving {
	fn verify(&mut self, bytes: Vec<u8>) -> Result<ProofStep, Failure> {
		if bytes == NOTHING {
			// There is nothing above what is proved already.
			let last = self.last.as_ref().map(|(target, _)| *target);
			return Ok(last.map_or(ProofStep::Nothing, ProofStep::Target));
		}
		let (headers, is_complete) = match self.verifier.verify(&EncodedProof(bytes)) {
			Ok(VerificationResult::Complete(_, headers)) => (headers, true),
			Ok(VerificationResult::Partial(headers)) => (headers, false),
			Err(error) => {
				log::debug!(target: LOG_TARGET, "a proof of finality is wrong: {error}");
				return Err(Failure::Invalid);
			}
		};
		let (header, votes) = headers.into_iter().next_back().ok_or(Failure::Nonsense)?;
		let target = Target {
			number: header.number,
			hash: header.hash(),
		};
		// A proof that leads nowhere would be asked for without end.
		if self.last.as_ref().is_some_and(|(last, _)| target <= *last) {
			return Err(Failure::Nonsense);
		}
		self.last = Some((target, votes));
		Ok(match is_complete {
			true => ProofStep::Target(target),
			false => ProofStep::More,
		})
	}
}

impl Fetched {
	/// Adds a part of the state.
	fn add(&mut self, answer: &[u8]) -> Result<StateStep, Failure> {
		// The part of a peer that has left meanwhile may have been the last one.
		if self.complete.is_some() {
			return Ok(StateStep::Complete);
		}
		let before = self.state.next_request().start;
		let proof = state_proof(answer).ok_or(Failure::Nonsense)?;
		let bytes = proof.len() as u64;
		let response = StateResponse {
			proof,
			..StateResponse::default()
		};
		match self.state.import(response) {
			// A part without a key would be asked for without end.
			ImportResult::Continue if self.state.next_request().start == before => {
				Err(Failure::Nonsense)
			}
			ImportResult::Continue => Ok(StateStep::More(bytes)),
			ImportResult::BadResponse => Err(Failure::Invalid),
			ImportResult::Import(hash, header, state, body, justifications) => {
				self.complete = Some(Box::new(IncomingBlock {
					hash,
					header: Some(header),
					body,
					indexed_body: None,
					justifications,
					origin: None,
					allow_missing_state: true,
					import_existing: true,
					skip_execution: true,
					state: Some(state),
				}));
				Ok(StateStep::Complete)
			}
		}
	}
}
