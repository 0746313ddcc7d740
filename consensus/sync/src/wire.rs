// SPDX-License-Identifier: Apache-2.0
//! Asks peers for headers, bodies and justifications, and checks the answers, off the threads of the network and the
//! import.
//!
//! A request never fails as far as Substrate is concerned: its failure is part of the answer. Otherwise Substrate
//! would disconnect the peer, and never tell us.

use crate::{
	answer::{is_reasonable, MAX_JUSTIFICATION},
	ledger::HashedHeader,
	machine::{
		Arrival, Base, Checked, Direction, Failure, Link, Problem, Proved, HEADERS_AHEAD,
		HEADERS_PER_REQUEST,
	},
	warp::{ProofStep, StateStep, Target},
	LOG_TARGET,
};
use codec::Encode;
use futures::future::BoxFuture;
use isthmus_engine::{BlockError, ChainClient, PeerCheck, ProvedHeader, HEADERS_BELOW, SEALS_KEPT};
use isthmus_primitives::{
	digest::MAX_HEADER_BYTES, params::EthashSizes, Block, Hash, Header, TotalDifficulty,
};
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sc_consensus::IncomingBlock;
use sc_network::PeerId;
use sc_network_common::sync::message::{
	BlockAttributes, BlockData, BlockRequest, Direction as WireDirection, FromBlock,
};
use sc_network_sync::block_relay_protocol::BlockDownloader;
use sp_runtime::{ConsensusEngineId, EncodedJustification, Justifications, OpaqueExtrinsic};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// The engine that an old form of answers does not name.
const GRANDPA: ConsensusEngineId = *b"FRNK";
/// The maximum size of an answer with headers, in bytes.
const MAX_HEADERS_ANSWER: usize = HEADERS_PER_REQUEST as usize * (MAX_HEADER_BYTES + 128);
/// How many answers are decoded and checked at the same time.
const WORKERS: usize = 2;

// The import must find the results for the seals that were checked this far ahead of it, also while there is a fork.
const _: () = assert!(SEALS_KEPT >= 2 * HEADERS_AHEAD);

/// A block that arrived.
pub(crate) type Arrived = Arrival<Box<IncomingBlock<Block>>>;
/// The result of a check of headers.
pub(crate) type CheckedHeaders = Checked<HashedHeader, ProvedHeader, TotalDifficulty>;

/// An answer to a request, or the result of a check.
pub(crate) enum Answer {
	/// Headers arrived, or not.
	Headers(Result<Vec<HashedHeader>, Failure>),
	/// Bodies arrived, or not.
	Bodies(Result<Vec<Arrived>, Failure>),
	/// Headers were checked.
	Checked(CheckedHeaders),
	/// The justification of this block arrived, or not.
	Justification(Hash, Option<Justifications>),
	/// Something that the warp sync asked for arrived, or not.
	Warp(WarpAnswer),
}

/// An answer to a request of the warp sync.
pub(crate) enum WarpAnswer {
	/// A proof of finality.
	Proof(Result<ProofStep, Failure>),
	/// This target's body and the headers below it.
	Foot(Target, Result<Foot, Failure>),
	/// A part of this target's state.
	State(Target, Result<StateStep, Failure>),
}

/// A target's body and the headers below it, checked.
pub(crate) struct Foot {
	/// The header, body and justification.
	pub(crate) block: Box<IncomingBlock<Block>>,
	/// The headers below, nearest first.
	pub(crate) below: Vec<Header>,
}

/// Sends requests, and checks the answers.
pub(crate) struct Wire<C> {
	check: Arc<PeerCheck<C>>,
	downloader: Arc<dyn BlockDownloader<Block>>,
	workers: Arc<Semaphore>,
}

impl<C> Clone for Wire<C> {
	fn clone(&self) -> Self {
		Self {
			check: self.check.clone(),
			downloader: self.downloader.clone(),
			workers: self.workers.clone(),
		}
	}
}

impl<C: ChainClient> Wire<C> {
	/// Creates the sender of requests.
	pub(crate) fn new(
		check: Arc<PeerCheck<C>>,
		downloader: Arc<dyn BlockDownloader<Block>>,
	) -> Self {
		Self {
			check,
			downloader,
			workers: Arc::new(Semaphore::new(WORKERS)),
		}
	}

	/// Asks a peer for headers.
	pub(crate) fn headers(
		&self,
		peer: PeerId,
		from: Hash,
		direction: Direction,
		max: u32,
	) -> BoxFuture<'static, Answer> {
		let wire = self.clone();
		let request = request(from, direction, max, BlockAttributes::HEADER);
		Box::pin(async move {
			let answer = wire.download(peer, request, move |wire, request, bytes| {
				wire.read_headers(&request, bytes, direction)
			});
			Answer::Headers(answer.await)
		})
	}

	/// Asks a peer for consecutive blocks, lowest first.
	pub(crate) fn bodies(&self, peer: PeerId, hashes: Vec<Hash>) -> BoxFuture<'static, Answer> {
		let wire = self.clone();
		let fields =
			BlockAttributes::HEADER | BlockAttributes::BODY | BlockAttributes::JUSTIFICATION;
		let first = hashes.first().copied().unwrap_or_default();
		let max = u32::try_from(hashes.len()).unwrap_or(HEADERS_PER_REQUEST);
		let request = request(first, Direction::Up, max, fields);
		Box::pin(async move {
			let answer = wire.download(peer, request, move |wire, request, bytes| {
				wire.read_bodies(&request, bytes, &hashes, peer)
			});
			Answer::Bodies(answer.await)
		})
	}

	/// Asks a peer for the justification of a block.
	pub(crate) fn justification(&self, peer: PeerId, hash: Hash) -> BoxFuture<'static, Answer> {
		let wire = self.clone();
		let request = request(hash, Direction::Up, 1, BlockAttributes::JUSTIFICATION);
		Box::pin(async move {
			let answer = wire.download(peer, request, move |wire, request, bytes| {
				if bytes.len() > MAX_JUSTIFICATION {
					return Err(Failure::Nonsense);
				}
				let block = wire.decode(&request, bytes)?.into_iter().next();
				Ok(block
					.filter(|block| block.hash == hash)
					.and_then(|mut block| justification(&mut block))
					.map(|justification| (GRANDPA, justification).into()))
			});
			Answer::Justification(hash, answer.await.unwrap_or(None))
		})
	}

	/// Asks a peer for the body of a finalized block and the headers below it.
	pub(crate) fn foot(&self, peer: PeerId, target: Target) -> BoxFuture<'static, Answer> {
		let wire = self.clone();
		Box::pin(async move {
			let headers = request(
				target.hash,
				Direction::Down,
				HEADERS_PER_REQUEST,
				BlockAttributes::HEADER,
			);
			let below = wire
				.download(peer, headers, move |wire, request, bytes| {
					wire.read_below(&request, bytes, target)
				})
				.await;
			let below = match below {
				Ok(below) => below,
				Err(failure) => return Answer::Warp(WarpAnswer::Foot(target, Err(failure))),
			};
			let Answer::Bodies(bodies) = wire.bodies(peer, vec![target.hash]).await else {
				return Answer::Warp(WarpAnswer::Foot(target, Err(Failure::Unanswered)));
			};
			let foot = bodies.and_then(|bodies| {
				let block = bodies.into_iter().next().ok_or(Failure::Unanswered)?.block;
				Ok(Foot { block, below })
			});
			Answer::Warp(WarpAnswer::Foot(target, foot))
		})
	}

	/// Checks headers, lowest first.
	pub(crate) fn check(
		&self,
		base: Base<ProvedHeader>,
		headers: Vec<HashedHeader>,
	) -> BoxFuture<'static, Answer> {
		let wire = self.clone();
		Box::pin(async move {
			let failed = Checked {
				proved: Vec::new(),
				problem: Some(Problem::CouldNotCheck),
				left: Vec::new(),
			};
			let checked = wire.work(move |wire| wire.prove(base, headers)).await;
			Answer::Checked(checked.unwrap_or(failed))
		})
	}

	fn prove(&self, base: Base<ProvedHeader>, headers: Vec<HashedHeader>) -> CheckedHeaders {
		let plain: Vec<Header> = headers.iter().map(|h| h.header.clone()).collect();
		let result = self.check.headers(base.facts.ok_or(base.hash), &plain);
		let passed = result.proved.len();
		let proved = headers
			.iter()
			.zip(result.proved)
			.map(|(header, facts)| Proved {
				hash: header.hash(),
				parent: header.parent(),
				number: header.number(),
				weight: facts.weight,
				facts,
			});
		let problem = result.error.map(|error| match error {
			BlockError::Rejected(Rejection::Invalid(_)) => Problem::Invalid,
			BlockError::Rejected(Rejection::Transient(future)) => Problem::Future(
				Duration::from_secs(future.got.saturating_sub(future.latest)),
			),
			BlockError::CouldNotCheck(_) => Problem::CouldNotCheck,
		});
		Checked {
			proved: proved.collect(),
			problem,
			left: headers.into_iter().skip(passed).collect(),
		}
	}

	/// Sends a request, and reads the answer on a thread for work.
	async fn download<T: Send + 'static>(
		&self,
		peer: PeerId,
		request: BlockRequest<Block>,
		read: impl FnOnce(&Self, BlockRequest<Block>, Vec<u8>) -> Result<T, Failure> + Send + 'static,
	) -> Result<T, Failure> {
		let answer = self.downloader.download_blocks(peer, request.clone()).await;
		match answer {
			Ok(Ok((bytes, _))) => self
				.work(move |wire| read(wire, request, bytes))
				.await
				.unwrap_or(Err(Failure::Unanswered)),
			Ok(Err(error)) => {
				log::debug!(target: LOG_TARGET, "{peer} did not answer: {error}");
				Err(Failure::Unanswered)
			}
			Err(_) => Err(Failure::Unanswered),
		}
	}

	/// Does work on a thread for it. Returns `None` if the node is ending.
	pub(crate) async fn work<T: Send + 'static>(
		&self,
		work: impl FnOnce(&Self) -> T + Send + 'static,
	) -> Option<T> {
		let permit = self.workers.clone().acquire_owned().await.ok()?;
		let wire = self.clone();
		let work = tokio::task::spawn_blocking(move || {
			let done = work(&wire);
			drop(permit);
			done
		});
		work.await.ok()
	}

	fn decode(
		&self,
		request: &BlockRequest<Block>,
		bytes: Vec<u8>,
	) -> Result<Vec<BlockData<Block>>, Failure> {
		let max = request.max.unwrap_or(HEADERS_PER_REQUEST) as usize;
		if !is_reasonable(&bytes, max) {
			return Err(Failure::Nonsense);
		}
		let blocks = self.downloader.block_response_into_blocks(request, bytes);
		blocks.map_err(|_| Failure::Nonsense)
	}

	fn read_headers(
		&self,
		request: &BlockRequest<Block>,
		bytes: Vec<u8>,
		direction: Direction,
	) -> Result<Vec<HashedHeader>, Failure> {
		if bytes.len() > MAX_HEADERS_ANSWER {
			return Err(Failure::Nonsense);
		}
		let blocks = self.decode(request, bytes)?;
		let headers: Option<Vec<_>> = blocks.into_iter().map(|block| block.header).collect();
		let headers = headers.ok_or(Failure::Nonsense)?;
		let shape = |header: &Header| match header.number {
			// Genesis has no seal. Its hash is known.
			0 => Ok(()),
			_ => self.check.shape(header).map_err(|_| Failure::Invalid),
		};
		// The lowest header that is invalid is the one to name.
		match direction {
			Direction::Down => headers.iter().rev().try_for_each(shape)?,
			Direction::Up => headers.iter().try_for_each(shape)?,
		}
		Ok(headers.into_iter().map(HashedHeader::from).collect())
	}

	/// Reads the headers from a finalized block down, and checks each against the one below it, proof of work included:
	/// keys of verifiers alone do not make a target. Returns the nearest headers below the block.
	fn read_below(
		&self,
		request: &BlockRequest<Block>,
		bytes: Vec<u8>,
		target: Target,
	) -> Result<Vec<Header>, Failure> {
		let mut headers = self.read_headers(request, bytes, Direction::Down)?;
		let mut expected = target.hash;
		for header in &headers {
			if header.hash() != expected {
				return Err(Failure::Nonsense);
			}
			expected = header.parent();
		}
		let wanted = HEADERS_PER_REQUEST.min(target.number.saturating_add(1));
		if headers.len() < wanted as usize {
			// The peer's own history begins here.
			return Err(Failure::Unanswered);
		}
		headers.reverse();
		let mut headers: Vec<Header> = headers.into_iter().map(|h| h.header).collect();
		match self.check.run(&headers) {
			Ok(()) => {}
			Err(BlockError::Rejected(_)) => return Err(Failure::Invalid),
			Err(BlockError::CouldNotCheck(_)) => return Err(Failure::Unanswered),
		}
		headers.reverse();
		let below = headers.into_iter().skip(1).take(HEADERS_BELOW);
		Ok(below.filter(|header| header.number > 0).collect())
	}

	fn read_bodies(
		&self,
		request: &BlockRequest<Block>,
		bytes: Vec<u8>,
		hashes: &[Hash],
		peer: PeerId,
	) -> Result<Vec<Arrived>, Failure> {
		let blocks = self.decode(request, bytes)?;
		let mut arrived = Vec::with_capacity(blocks.len());
		for (mut block, hash) in blocks.into_iter().zip(hashes) {
			let (Some(header), Some(body)) = (block.header.take(), block.body.take()) else {
				return Err(Failure::Nonsense);
			};
			if header.hash() != *hash {
				if arrived.is_empty() {
					return Err(Failure::Nonsense);
				}
				// The peer's best chain has changed since it proved this one.
				break;
			}
			self.check
				.body(&header, &body)
				.map_err(|_| Failure::Invalid)?;
			let justification = justification(&mut block);
			let other_bytes = header
				.encoded_size()
				.saturating_add(justification.as_ref().map_or(0, Vec::len));
			arrived.push(Arrival {
				hash: *hash,
				size: size(&body).saturating_add(other_bytes as u64),
				block: Box::new(IncomingBlock {
					hash: *hash,
					header: Some(header),
					body: Some(body),
					indexed_body: None,
					justifications: justification
						.map(|justification| (GRANDPA, justification).into()),
					origin: Some(peer),
					allow_missing_state: true,
					skip_execution: false,
					import_existing: false,
					state: None,
				}),
			});
		}
		// With development sizes, reading the uncles takes longer than hashing them.
		if self.check.chain().parameters().ethash == EthashSizes::Full {
			let blocks = arrived.iter().filter_map(|arrival: &Arrived| {
				let IncomingBlock { header, body, .. } = &*arrival.block;
				Some((header.as_ref()?, body.as_deref()?))
			});
			self.check.hash_uncles(blocks);
		}
		Ok(arrived)
	}
}

fn request(
	from: Hash,
	direction: Direction,
	max: u32,
	fields: BlockAttributes,
) -> BlockRequest<Block> {
	BlockRequest::<Block> {
		id: 0,
		fields,
		from: FromBlock::Hash(from),
		direction: match direction {
			Direction::Down => WireDirection::Descending,
			Direction::Up => WireDirection::Ascending,
		},
		max: Some(max),
	}
}

/// Takes GRANDPA's justification. No other engine needs one.
fn justification(block: &mut BlockData<Block>) -> Option<EncodedJustification> {
	let old_form = block.justification.take();
	block
		.justifications
		.take()
		.and_then(|justifications| justifications.into_justification(GRANDPA))
		.or(old_form)
}

fn size(body: &[OpaqueExtrinsic]) -> u64 {
	body.iter().map(|e| e.encoded_size() as u64).sum()
}
