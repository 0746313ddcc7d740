// SPDX-License-Identifier: Apache-2.0
//! Tests the author, which builds block templates: when it builds, abandons and replaces them, and what they
//! contain.

use super::{fork_choice::select_chain, mock::*, submissions::*};
use crate::{Author, AuthorConfig, AuthorParts, Job, MinerChoices, Pace, Pool};
use codec::Encode;
use futures::{
	channel::{mpsc, oneshot},
	executor::block_on,
	future::{self, BoxFuture, Either},
	stream::BoxStream,
	FutureExt, Stream, StreamExt,
};
use futures_timer::Delay;
use isthmus_primitives::{
	digest::{self, GasUsed, PowHeader, POW_ENGINE_ID},
	inherents::UNCLES_INHERENT_IDENTIFIER,
	AccountId, Block, Hash, Header,
};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sp_blockchain::HeaderBackend;
use sp_consensus::{Environment, Error as ConsensusError, Proposal, ProposeArgs, Proposer};
use sp_runtime::{DigestItem, OpaqueExtrinsic};
use std::{
	future::Future,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::sync::watch;

/// A proposal that was started. It finishes only when the test lets it.
struct Started {
	parent: Hash,
	/// Whether the proposer may add transactions.
	full: bool,
	go: oneshot::Sender<()>,
}

/// Proposers that report each proposal that they start to the test.
struct Proposers(mpsc::UnboundedSender<Started>);

struct TestProposer {
	parent: Header,
	started: mpsc::UnboundedSender<Started>,
}

impl Environment<Block> for Proposers {
	type Proposer = TestProposer;
	type CreateProposer = future::Ready<Result<TestProposer, ConsensusError>>;
	type Error = ConsensusError;

	fn init(&mut self, parent: &Header) -> Self::CreateProposer {
		future::ok(TestProposer {
			parent: parent.clone(),
			started: self.0.clone(),
		})
	}
}

impl Proposer<Block> for TestProposer {
	type Error = ConsensusError;
	type Proposal = BoxFuture<'static, Result<Proposal<Block>, ConsensusError>>;

	fn propose(self, args: ProposeArgs<Block>) -> Self::Proposal {
		let full = !args.max_duration.is_zero();
		let uncles: Vec<Header> = args
			.inherent_data
			.get_data(&UNCLES_INHERENT_IDENTIFIER)
			.unwrap()
			.unwrap();
		let extrinsics = match &uncles[..] {
			[] => Vec::new(),
			uncles => vec![OpaqueExtrinsic::from_blob(uncles.encode())],
		};
		let mut digest = args.inherent_digests;
		digest.push(DigestItem::Consensus(POW_ENGINE_ID, GasUsed(0).encode()));
		let header = Header {
			parent_hash: self.parent.hash(),
			number: self.parent.number + 1,
			state_root: Hash::repeat_byte(full.into()),
			extrinsics_root: root(&extrinsics),
			digest,
		};
		let (go, gate) = oneshot::channel();
		self.started
			.unbounded_send(Started {
				parent: header.parent_hash,
				full,
				go,
			})
			.unwrap();
		let block = Block { header, extrinsics };
		gate.map(|gate| {
			gate.map_err(|_| ConsensusError::Other("the test is over".into()))?;
			Ok(Proposal {
				block,
				storage_changes: Default::default(),
			})
		})
		.boxed()
	}
}

/// A pool with a fixed number of ready transactions. No more of them arrive.
struct Waiting(usize);

impl Pool for Waiting {
	fn ready(&self) -> usize {
		self.0
	}

	fn arrivals(&self) -> BoxStream<'static, ()> {
		futures::stream::pending().boxed()
	}
}

/// The node's sync state, as set by a test.
#[derive(Clone, Default)]
struct Oracle {
	syncing: Arc<AtomicBool>,
	offline: Arc<AtomicBool>,
}

impl Oracle {
	fn set_syncing(&self, syncing: bool) {
		self.syncing.store(syncing, Ordering::SeqCst);
	}

	fn set_offline(&self, offline: bool) {
		self.offline.store(offline, Ordering::SeqCst);
	}
}

impl sp_consensus::SyncOracle for Oracle {
	fn is_major_syncing(&self) -> bool {
		self.syncing.load(Ordering::SeqCst)
	}

	fn is_offline(&self) -> bool {
		self.offline.load(Ordering::SeqCst)
	}
}

/// An author that works on a chain, as seen by a test.
struct Setup {
	sealer: TestSealer,
	/// The proposals that the author starts.
	started: mpsc::UnboundedReceiver<Started>,
	/// Reports to the author that a block was imported, and whether it is the new best block.
	imported: mpsc::UnboundedSender<bool>,
	/// The miner's choices.
	choices: watch::Sender<MinerChoices>,
	author: BoxFuture<'static, ()>,
}

fn setup(sealer: TestSealer) -> Setup {
	setup_with(sealer, Oracle::default())
}

fn setup_with(sealer: TestSealer, sync: Oracle) -> Setup {
	setup_at(sealer, sync, Pace::Continuous, false)
}

fn setup_at(sealer: TestSealer, sync: Oracle, pace: Pace, force: bool) -> Setup {
	let (sender, started) = mpsc::unbounded();
	let (imported, imports) = mpsc::unbounded();
	let chain = sealer.chain().clone();
	let (choices, chosen) = watch::channel(MinerChoices {
		beneficiary: AccountId::new([5; 32]),
		extra_data: b"author".to_vec(),
		gas_target: 20_000_000,
	});
	let author = Author::new(AuthorParts {
		sealer: sealer.clone(),
		blocks: chain.client().clone(),
		select_chain: select_chain(&chain),
		proposers: Proposers(sender),
		pool: Arc::new(Waiting(1)),
		sync,
		choices: chosen,
		config: AuthorConfig {
			block_size_limit: 1 << 20,
			pace,
			force,
		},
	});
	Setup {
		sealer,
		started,
		imported,
		choices,
		author: author.run_on(imports).boxed(),
	}
}

/// Runs the author until `test` ends. The author must not end first.
fn with_author(author: BoxFuture<'static, ()>, test: impl Future<Output = ()>) {
	match block_on(future::select(author, Box::pin(test))) {
		Either::Left(_) => panic!("the author ended"),
		Either::Right(_) => {}
	}
}

async fn next_job(jobs: &mut (impl Stream<Item = Arc<Job>> + Unpin)) -> Arc<Job> {
	jobs.next().await.unwrap()
}

/// Lets the author build the empty template on a new parent, and returns the full one that it starts next.
async fn after_the_empty_one(
	started: &mut mpsc::UnboundedReceiver<Started>,
	jobs: &mut (impl Stream<Item = Arc<Job>> + Unpin),
) -> Started {
	let empty = started.next().await.unwrap();
	assert!(!empty.full);
	empty.go.send(()).unwrap();
	assert_eq!(next_job(jobs).await.parent, empty.parent);
	let full = started.next().await.unwrap();
	assert_eq!((full.full, full.parent), (true, empty.parent));
	full
}

#[test]
fn miners_have_an_empty_template_while_the_full_one_is_built() {
	let Setup {
		sealer,
		mut started,
		imported,
		author,
		..
	} = setup(sealer());
	let mut jobs = sealer.jobs();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	with_author(author, async move {
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		let empty = sealer.current().unwrap();
		assert_eq!(empty.parent, genesis);
		full.go.send(()).unwrap();
		let job = next_job(&mut jobs).await;
		assert!(empty.stale.load(Ordering::Relaxed));
		assert_eq!(job.parent, genesis);

		// The same on the next best block. A seal for its empty template makes a block.
		let best = extend(&chain, genesis, 13);
		imported.unbounded_send(true).unwrap();
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		assert_eq!(full.parent, best);
		let empty = sealer.current().unwrap();
		let seal = good_seal(empty.seal_hash);
		assert!(
			sealer
				.submit(empty.seal_hash, seal)
				.await
				.unwrap()
				.is_new_best
		);
		assert_eq!(sealer.metrics().new_work_seconds.get_sample_count(), 1);
	});
}

#[test]
fn a_development_chain_makes_no_empty_block_while_transactions_wait() {
	let pace = Pace::OnDemand {
		heartbeat: Duration::from_secs(3600),
	};
	let Setup {
		mut started,
		imported: _imported,
		author,
		..
	} = setup_at(sealer(), Oracle::default(), pace, false);
	with_author(author, async move {
		assert!(started.next().await.unwrap().full);
	});
}

#[test]
fn other_choices_are_in_the_next_template() {
	let Setup {
		sealer,
		mut started,
		imported: _imported,
		choices,
		author,
	} = setup(sealer());
	let mut jobs = sealer.jobs();
	let chain = sealer.chain().clone();
	with_author(author, async move {
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		full.go.send(()).unwrap();
		next_job(&mut jobs).await;
		choices.send_modify(|choices| choices.beneficiary = AccountId::new([6; 32]));
		started.next().await.unwrap().go.send(()).unwrap();
		let job = next_job(&mut jobs).await;
		let seal = good_seal(job.seal_hash);
		let mined = sealer.submit(job.seal_hash, seal).await.unwrap();
		let header = chain.client().header(mined.hash).unwrap().unwrap();
		let pre = PowHeader::read(&header).unwrap().pre;
		assert_eq!(pre.beneficiary, AccountId::new([6; 32]));
	});
}

#[test]
fn a_template_has_the_fields_that_the_rules_require() {
	let Setup {
		sealer,
		mut started,
		imported: _imported,
		author,
		..
	} = setup(sealer());
	let mut jobs = sealer.jobs();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	with_author(author, async move {
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		full.go.send(()).unwrap();
		let job = next_job(&mut jobs).await;
		assert_eq!((job.parent, job.number, job.uncles), (genesis, 1, 0));
		// Let the rules themselves decide: with a seal, the template is a valid block.
		let mined = sealer
			.submit(job.seal_hash, good_seal(job.seal_hash))
			.await
			.unwrap();
		assert!(mined.is_new_best);
		let header = chain.client().header(mined.hash).unwrap().unwrap();
		let pre = PowHeader::read(&header).unwrap().pre;
		assert_eq!(pre.beneficiary, AccountId::new([5; 32]));
		assert_eq!(pre.extra_data, b"author");
		assert_eq!(pre.difficulty, job.difficulty);
	});
}

#[test]
fn a_new_best_block_cancels_the_template_that_is_being_built() {
	let Setup {
		sealer,
		mut started,
		imported,
		author,
		..
	} = setup(sealer());
	let mut jobs = sealer.jobs();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	with_author(author, async move {
		let first = after_the_empty_one(&mut started, &mut jobs).await;
		assert_eq!(first.parent, genesis);
		// It is not finished: without the import below, the author would build on it forever.
		let best = extend(&chain, genesis, 13);
		imported.unbounded_send(true).unwrap();
		let second = after_the_empty_one(&mut started, &mut jobs).await;
		assert_eq!(second.parent, best);
		assert!(first.go.is_canceled());
		second.go.send(()).unwrap();
		assert_eq!(next_job(&mut jobs).await.parent, best);
		assert_eq!(sealer.current().map(|job| job.parent), Some(best));
	});
}

#[test]
fn a_new_best_block_replaces_the_job() {
	let Setup {
		sealer,
		mut started,
		imported,
		author,
		..
	} = setup(sealer());
	let mut jobs = sealer.jobs();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	with_author(author, async move {
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		full.go.send(()).unwrap();
		let old = next_job(&mut jobs).await;
		let best = extend(&chain, genesis, 13);
		imported.unbounded_send(true).unwrap();
		let second = started.next().await.unwrap();
		// No miner works on the old best block while the new template is built.
		assert!(sealer.current().is_none());
		assert!(old.stale.load(Ordering::Relaxed));
		second.go.send(()).unwrap();
		assert_eq!(next_job(&mut jobs).await.parent, best);
	});
}

#[test]
fn a_brother_that_arrives_while_a_template_is_built_is_named_by_the_next_one() {
	let sealer = sealer();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	extend(&chain, genesis, 13);
	let Setup {
		sealer,
		mut started,
		imported,
		author,
		..
	} = setup(sealer);
	let mut jobs = sealer.jobs();
	with_author(author, async move {
		let first = after_the_empty_one(&mut started, &mut jobs).await;
		let uncle = Draft::on(&chain, genesis, 13).variant(1).mine();
		insert(&chain, &uncle, vec![], NewBlockState::Normal);
		imported.unbounded_send(false).unwrap();
		first.go.send(()).unwrap();
		assert_eq!(next_job(&mut jobs).await.uncles, 0);
		started.next().await.unwrap().go.send(()).unwrap();
		let job = next_job(&mut jobs).await;
		assert_eq!(job.uncles, 1);
		let mined = sealer
			.submit(job.seal_hash, good_seal(job.seal_hash))
			.await
			.unwrap();
		let header = chain.client().header(mined.hash).unwrap().unwrap();
		let named = PowHeader::read(&header).unwrap().pre.uncles_hash;
		assert_eq!(named, digest::uncles_hash(&[uncle]));
	});
}

/// Returns the next proposal that is started within `patience`.
async fn started_within(
	started: &mut mpsc::UnboundedReceiver<Started>,
	patience: Duration,
) -> Option<Started> {
	match future::select(started.next(), Delay::new(patience)).await {
		Either::Left((started, _)) => started,
		Either::Right(_) => None,
	}
}

const SOON: Duration = Duration::from_secs(120);
const A_WHILE: Duration = Duration::from_millis(1300);

#[test]
fn nothing_is_mined_before_the_first_sync_is_done() {
	let sync = Oracle::default();
	sync.set_offline(true);
	let Setup {
		mut started,
		imported: _imported,
		author,
		..
	} = setup_with(sealer(), sync.clone());
	with_author(author, async move {
		assert!(started_within(&mut started, A_WHILE).await.is_none());
		// A node without peers never reports "syncing", but this does not mean that it has finished its first
		// sync.
		sync.set_syncing(true);
		sync.set_offline(false);
		assert!(started_within(&mut started, A_WHILE).await.is_none());
		sync.set_syncing(false);
		assert!(started_within(&mut started, SOON).await.is_some());
	});
}

#[test]
fn claims_of_a_higher_chain_do_not_stop_a_node_whose_best_block_is_new_or_that_is_forced() {
	for force in [false, true] {
		let sync = Oracle::default();
		sync.set_syncing(true);
		let sealer = sealer();
		let chain = sealer.chain().clone();
		if !force {
			let genesis = chain.client().info().genesis_hash;
			let age = crate::clock::unix_now() - GENESIS_TIME;
			extend(&chain, genesis, age);
		}
		let Setup {
			mut started,
			imported: _imported,
			author,
			..
		} = setup_at(sealer, sync, Pace::Continuous, force);
		with_author(author, async move {
			assert!(started_within(&mut started, SOON).await.is_some());
		});
	}
}

#[test]
fn claims_of_a_higher_chain_do_not_stop_mining_once_the_first_sync_is_done() {
	let sync = Oracle::default();
	let Setup {
		sealer,
		mut started,
		imported,
		author,
		..
	} = setup_with(sealer(), sync.clone());
	let mut jobs = sealer.jobs();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	with_author(author, async move {
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		full.go.send(()).unwrap();
		next_job(&mut jobs).await;
		sync.set_syncing(true);
		let best = extend(&chain, genesis, 13);
		imported.unbounded_send(true).unwrap();
		let second = after_the_empty_one(&mut started, &mut jobs).await;
		assert_eq!(second.parent, best);
		second.go.send(()).unwrap();
		assert_eq!(next_job(&mut jobs).await.parent, best);
		// Without peers it stops nevertheless, unless it is forced.
		sync.set_offline(true);
		extend(&chain, best, 13);
		imported.unbounded_send(true).unwrap();
		assert!(started_within(&mut started, A_WHILE).await.is_none());
		assert!(sealer.current().is_none());
	});
}

#[test]
fn the_author_ends_with_the_client() {
	let Setup {
		started,
		imported,
		author,
		..
	} = setup(sealer());
	drop(imported);
	block_on(author);
	drop(started);
}

#[test]
fn a_late_seal_makes_a_side_block_and_then_an_uncle_once() {
	let sealer = sealer();
	let chain = sealer.chain().clone();
	let genesis = chain.client().info().genesis_hash;
	let Setup {
		mut started,
		imported,
		author,
		sealer,
		..
	} = setup(sealer);
	let mut jobs = sealer.jobs();
	with_author(author, async move {
		let full = after_the_empty_one(&mut started, &mut jobs).await;
		full.go.send(()).unwrap();
		let late = next_job(&mut jobs).await;
		// Two blocks of another miner arrive before the seal.
		let first = extend(&chain, genesis, 13);
		let second = extend(&chain, first, 13);
		imported.unbounded_send(true).unwrap();
		let mined = sealer
			.submit(late.seal_hash, good_seal(late.seal_hash))
			.await
			.unwrap();
		assert_eq!((mined.number, mined.is_new_best), (1, false));
		assert_eq!(chain.client().info().best_hash, second);
		assert_eq!(
			(
				sealer.metrics().best_blocks.get(),
				sealer.metrics().side_blocks.get()
			),
			(0, 1)
		);
		// The next template names it, and the one after that does not name it again.
		imported.unbounded_send(false).unwrap();
		let mut named = Vec::new();
		while chain.client().info().best_number < 4 {
			let parent = chain.client().info().best_hash;
			let started = started.next().await.unwrap();
			if started.go.send(()).is_err() {
				continue;
			}
			let job = next_job(&mut jobs).await;
			if !started.full || started.parent != parent {
				continue;
			}
			named.push(job.uncles);
			sealer
				.submit(job.seal_hash, good_seal(job.seal_hash))
				.await
				.unwrap();
			imported.unbounded_send(true).unwrap();
		}
		assert_eq!(named, [1, 0]);
		assert_eq!(sealer.metrics().uncles_named.get(), 1);
	});
}
