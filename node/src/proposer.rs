// SPDX-License-Identifier: Apache-2.0
//! Builds blocks for the miner's templates: inherents first, then transactions from the pool.
//!
//! It differs from Substrate's `sc-basic-authorship` in three ways: it stops when the template is given up; with
//! no time to spend it does not even ask the pool; and it measures a block's size as the block grows, instead of
//! adding up all transactions for each one.

use crate::{client::FullClient, pool::FullPool};
use codec::Encode;
use futures::{
	channel::oneshot,
	future::{self, BoxFuture},
	FutureExt,
};
use isthmus_primitives::{Block, Hash, Header};
use polkadot_sdk::*;
use sc_block_builder::{BlockBuilder, BlockBuilderBuilder};
use sc_service::SpawnTaskHandle;
use sc_transaction_pool_api::{
	InPoolTransaction, ReadyTransactions, TransactionPool, TxInvalidityReportMap,
};
use sp_blockchain::{ApplyExtrinsicFailed, Error};
use sp_consensus::{Environment, Proposal, ProposeArgs, Proposer};
use sp_runtime::{
	transaction_validity::TransactionValidityError, ExtrinsicInclusionMode, OpaqueExtrinsic,
};
use std::{sync::Arc, time::Instant};

/// How many transactions that do not fit are skipped before a block counts as full, once half of the time is
/// over. Smaller ones behind them may still fit.
const MAX_SKIPPED: usize = 8;

/// Creates a proposer for each template.
pub(crate) struct Proposers {
	pub(crate) client: Arc<FullClient>,
	pub(crate) pool: Arc<FullPool>,
	pub(crate) spawn: SpawnTaskHandle,
}

/// Builds one block.
pub(crate) struct BlockProposer {
	client: Arc<FullClient>,
	pool: Arc<FullPool>,
	spawn: SpawnTaskHandle,
	parent: Header,
}

impl Environment<Block> for Proposers {
	type Proposer = BlockProposer;
	type CreateProposer = future::Ready<Result<BlockProposer, Error>>;
	type Error = Error;

	fn init(&mut self, parent: &Header) -> Self::CreateProposer {
		future::ok(BlockProposer {
			client: self.client.clone(),
			pool: self.pool.clone(),
			spawn: self.spawn.clone(),
			parent: parent.clone(),
		})
	}
}

impl Proposer<Block> for BlockProposer {
	type Proposal = BoxFuture<'static, Result<Proposal<Block>, Error>>;
	type Error = Error;

	fn propose(self, args: ProposeArgs<Block>) -> Self::Proposal {
		let (sender, receiver) = oneshot::channel();
		let spawn = self.spawn.clone();
		// Building a block takes the processor for as long as two seconds.
		spawn.spawn_blocking("block-proposer", Some("block-authoring"), async move {
			let proposal = self.build(args, || sender.is_canceled()).await;
			// If it was given up, no one waits for it.
			let _ = sender.send(proposal);
		});
		receiver
			.map(|proposal| proposal.unwrap_or_else(|_| Err(given_up())))
			.boxed()
	}
}

impl BlockProposer {
	async fn build(
		&self,
		args: ProposeArgs<Block>,
		is_given_up: impl Fn() -> bool + Send,
	) -> Result<Proposal<Block>, Error> {
		let started = Instant::now();
		let parent = self.parent.hash();
		let mut builder = BlockBuilderBuilder::new(&*self.client)
			.on_parent_block(parent)
			.with_parent_block_number(self.parent.number)
			.with_inherent_digests(args.inherent_digests)
			.build()?;
		for inherent in builder.create_inherents(args.inherent_data)? {
			// All of this chain's inherents are mandatory.
			builder.push(inherent)?;
		}
		let open = builder.extrinsic_inclusion_mode() == ExtrinsicInclusionMode::AllExtrinsics;
		if open && !args.max_duration.is_zero() {
			// A tenth of the time is for the end of the block: the state's root.
			let time = args.max_duration.saturating_sub(args.max_duration / 10);
			let mut ready = self.pool.ready_at_with_timeout(parent, time / 8).await;
			let limits = Limits {
				size: args.block_size_limit.unwrap_or(usize::MAX),
				soft_deadline: started + time / 2,
				deadline: started + time,
			};
			let size = builder.estimate_block_size();
			let mut draft = Draft { builder, size };
			let invalid = fill(&mut draft, &mut *ready, limits, Instant::now, &is_given_up)
				.map_err(|GivenUp| given_up())?;
			builder = draft.builder;
			if !invalid.is_empty() {
				self.pool.report_invalid(Some(parent), invalid).await;
			}
		}
		if is_given_up() {
			return Err(given_up());
		}
		let (block, storage_changes) = builder.build()?.into_inner();
		Ok(Proposal {
			block,
			storage_changes,
		})
	}
}

fn given_up() -> Error {
	Error::Application(Box::new(GivenUp))
}

/// The template is not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template was given up")]
pub struct GivenUp;

/// When a block is full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
	/// The maximum size in bytes.
	pub size: usize,
	/// Until this time, transactions that do not fit are skipped, however many they are.
	pub soft_deadline: Instant,
	/// When the block must be complete.
	pub deadline: Instant,
}

/// Why a transaction was not added to a block.
#[derive(Clone, Debug)]
pub enum Refused {
	/// The block has no room for it.
	NoRoom,
	/// It is not valid on this parent.
	Invalid(Option<TransactionValidityError>),
}

/// A block that transactions are added to.
pub trait AddTransactions {
	/// Returns its size in bytes.
	fn size(&self) -> usize;

	/// Executes a transaction and adds it.
	///
	/// # Errors
	///
	/// Returns [`Refused`] if it was not added.
	fn add(&mut self, transaction: OpaqueExtrinsic) -> Result<(), Refused>;
}

struct Draft<'a> {
	builder: BlockBuilder<'a, Block, FullClient>,
	size: usize,
}

impl AddTransactions for Draft<'_> {
	fn size(&self) -> usize {
		self.size
	}

	fn add(&mut self, transaction: OpaqueExtrinsic) -> Result<(), Refused> {
		let size = transaction.encoded_size();
		match self.builder.push(transaction) {
			Ok(()) => {
				self.size = self.size.saturating_add(size);
				Ok(())
			}
			Err(Error::ApplyExtrinsicFailed(ApplyExtrinsicFailed::Validity(error))) => {
				Err(match error.exhausted_resources() {
					true => Refused::NoRoom,
					false => Refused::Invalid(Some(error)),
				})
			}
			Err(error) => {
				log::debug!(target: "pow", "a transaction could not be applied: {error}");
				Err(Refused::Invalid(None))
			}
		}
	}
}

/// Adds transactions until the block is full, the time is over or none is left. Returns the invalid ones.
///
/// # Errors
///
/// Returns [`GivenUp`] once the template is given up.
pub fn fill<T>(
	block: &mut impl AddTransactions,
	ready: &mut (impl ReadyTransactions<Item = Arc<T>> + ?Sized),
	limits: Limits,
	now: impl Fn() -> Instant,
	is_given_up: impl Fn() -> bool,
) -> Result<TxInvalidityReportMap<Hash>, GivenUp>
where
	T: InPoolTransaction<Transaction = Arc<OpaqueExtrinsic>, Hash = Hash>,
{
	let mut invalid = TxInvalidityReportMap::new();
	let mut skipped = 0;
	while let Some(transaction) = ready.next() {
		if is_given_up() {
			return Err(GivenUp);
		}
		let time = now();
		if time > limits.deadline {
			break;
		}
		let data = OpaqueExtrinsic::clone(transaction.data());
		let size = block.size().saturating_add(data.encoded_size());
		let added = match size > limits.size {
			true => Err(Refused::NoRoom),
			false => block.add(data),
		};
		match added {
			Ok(()) => continue,
			Err(Refused::NoRoom) => {
				skipped += 1;
				if skipped > MAX_SKIPPED && time >= limits.soft_deadline {
					break;
				}
			}
			Err(Refused::Invalid(error)) => {
				invalid.insert(*transaction.hash(), error);
			}
		}
		// The pool leaves out those that depend on it.
		ready.report_invalid(&transaction);
	}
	Ok(invalid)
}
