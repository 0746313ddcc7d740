// SPDX-License-Identifier: Apache-2.0
//! A runtime with this pallet, the timestamp pallet and the balances pallet, and a miner that builds its
//! blocks.

use crate as pallet_proof_of_work;
use codec::Encode;
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU128, ConstU64, Hooks},
	weights::{constants::WEIGHT_REF_TIME_PER_SECOND, Weight},
};
use isthmus_primitives::{
	digest::{uncles_hash, GasUsed, PreDigest, Seal, POW_ENGINE_ID},
	params::{ChainParameters, DifficultyRule, Miners},
	AccountId, Balance, Hash, Header,
};
use polkadot_sdk::*;
use sp_runtime::{
	generic,
	traits::{Header as _, IdentityLookup},
	BuildStorage, Digest, DigestItem, Perbill,
};

pub(crate) type Extrinsic = generic::UncheckedExtrinsic<AccountId, RuntimeCall, (), ()>;
pub(crate) type Block = generic::Block<Header, Extrinsic>;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeTask
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type ProofOfWork = pallet_proof_of_work;
	#[runtime::pallet_index(2)]
	pub type Timestamp = pallet_timestamp;
	#[runtime::pallet_index(3)]
	pub type Balances = pallet_balances;
}

parameter_types! {
	pub BlockWeights: frame_system::limits::BlockWeights =
		frame_system::limits::BlockWeights::with_sensible_defaults(
			Weight::from_parts(2 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX),
			Perbill::from_percent(75),
		);
}

pub(crate) const EXISTENTIAL_DEPOSIT: Balance = 10;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type AccountData = pallet_balances::AccountData<Balance>;
	type AccountId = AccountId;
	type Block = Block;
	type BlockHashCount = frame_support::traits::ConstU32<64>;
	type BlockWeights = BlockWeights;
	type Lookup = IdentityLookup<AccountId>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
}

impl pallet_timestamp::Config for Test {
	type MinimumPeriod = ConstU64<1>;
	type Moment = u64;
	type OnTimestampSet = ProofOfWork;
	type WeightInfo = ();
}

impl pallet_proof_of_work::Config for Test {
	type Currency = Balances;
	type WeightInfo = ();
}

/// The timestamp (H_s) of the genesis block.
pub(crate) const GENESIS_TIME: u64 = 1_600_000_000;
/// The gas limit (H_l) of the genesis block.
pub(crate) const GENESIS_GAS_LIMIT: u64 = 1_000_000;
/// The block reward in tests. It is a multiple of 32 and of 8, so that uncle rewards are whole numbers.
pub(crate) const REWARD: Balance = 3200;

pub(crate) fn parameters() -> ChainParameters {
	ChainParameters {
		difficulty_rule: DifficultyRule::Homestead { bomb: false },
		genesis_difficulty: 1_000_000.into(),
		genesis_gas_limit: GENESIS_GAS_LIMIT,
		genesis_timestamp: GENESIS_TIME,
		block_reward: REWARD,
		miners: Miners::Anyone,
		..Default::default()
	}
}

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

/// Returns the state of a new chain with these parameters.
pub(crate) fn chain_with(parameters: ChainParameters) -> sp_io::TestExternalities {
	HashOfLast::set(Hash::zero());
	RuntimeGenesisConfig {
		proof_of_work: pallet_proof_of_work::GenesisConfig {
			parameters,
			..Default::default()
		},
		..Default::default()
	}
	.build_storage()
	.expect("the genesis of the tests is valid; qed")
	.into()
}

/// Runs the test on a new chain, then checks the state's invariants.
pub(crate) fn on_chain(test: impl FnOnce()) {
	on_chain_with(parameters(), test)
}

/// Runs the test as [`on_chain`] does, with other parameters.
pub(crate) fn on_chain_with(parameters: ChainParameters, test: impl FnOnce()) {
	chain_with(parameters).execute_with(|| {
		test();
		ProofOfWork::do_try_state().expect("the state is consistent between blocks");
	})
}

/// Returns the fields that an honest miner, account 1, fixes for the next block, 10 s after the last. The
/// difficulty and the gas limit stay the same as the parent's.
pub(crate) fn next_pre_digest() -> PreDigest {
	let parent = ProofOfWork::current_head();
	PreDigest {
		beneficiary: account(1),
		difficulty: parent.difficulty,
		gas_limit: parent.gas_limit,
		timestamp: parent.timestamp + 10,
		uncles_hash: uncles_hash(&[]),
		extra_data: b"a test".to_vec(),
	}
}

/// Returns the digest of a header with these fields.
pub(crate) fn digest(pre: &PreDigest) -> Digest {
	Digest {
		logs: vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())],
	}
}

/// Starts the next block and sets its time.
pub(crate) fn begin(pre: &PreDigest) {
	begin_with(digest(pre));
	Timestamp::set(RuntimeOrigin::none(), pre.timestamp * 1000 + 999).expect("sets the time");
}

/// Starts the next block with this digest, without its inherents.
pub(crate) fn begin_with(digest: Digest) {
	let number = System::block_number() + 1;
	let parent_hash = HashOfLast::get();
	System::reset_events();
	System::initialize(&number, &parent_hash, &digest);
	System::on_initialize(number);
	ProofOfWork::on_initialize(number);
	Timestamp::on_initialize(number);
}

/// Ends the block and returns its header, sealed.
pub(crate) fn end() -> Header {
	let number = System::block_number();
	ProofOfWork::on_finalize(number);
	Timestamp::on_finalize(number);
	let header = sealed(System::finalize(), 0);
	HashOfLast::set(header.hash());
	header
}

parameter_types! {
	/// The hash of the last block. A client would know it, but the state does not contain it.
	pub static HashOfLast: Hash = Hash::zero();
}

/// Mines a block with these fields, without transactions.
pub(crate) fn mine(pre: &PreDigest) -> Header {
	begin(pre);
	end()
}

/// Mines this number of honest blocks.
pub(crate) fn mine_many(count: u32) -> Vec<Header> {
	(0..count).map(|_| mine(&next_pre_digest())).collect()
}

/// Returns the header with a seal that has this nonce. The seal contains no work, which this pallet does
/// not check.
pub(crate) fn sealed(mut header: Header, nonce: u64) -> Header {
	let seal = Seal {
		mix_hash: Hash::zero(),
		nonce,
	};
	header
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	header
}

/// Returns an orphaned block with the number and the parent of `sibling`, mined by the account with this
/// seed.
pub(crate) fn uncle_of(sibling: &Header, seed: u8) -> Header {
	let pre = PreDigest {
		beneficiary: account(seed),
		difficulty: 1_000_000.into(),
		gas_limit: GENESIS_GAS_LIMIT,
		timestamp: GENESIS_TIME,
		uncles_hash: uncles_hash(&[]),
		extra_data: Vec::new(),
	};
	let mut digest = digest(&pre);
	digest.push(DigestItem::Consensus(POW_ENGINE_ID, GasUsed(0).encode()));
	sealed(
		Header::new(
			*sibling.number(),
			Hash::repeat_byte(seed),
			Hash::repeat_byte(seed),
			*sibling.parent_hash(),
			digest,
		),
		u64::from(seed),
	)
}

/// Returns the fields of a next block that names these uncles.
pub(crate) fn pre_digest_naming(uncles: &[Header]) -> PreDigest {
	PreDigest {
		uncles_hash: uncles_hash(uncles),
		..next_pre_digest()
	}
}
