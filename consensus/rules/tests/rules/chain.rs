// SPDX-License-Identifier: Apache-2.0
//! Builds the input of the tests: valid headers for a test to change, a small chain with valid difficulties,
//! and sealed uncles on it.

use isthmus_ethash::final_result;
use isthmus_primitives::{
	digest::{uncles_hash, GasUsed, PowHeader, PreDigest, Seal, POW_ENGINE_ID},
	params::{ChainParameters, DifficultyRule, EthashSizes, Miners},
	AccountId, Header,
};
use isthmus_rules::{
	difficulty, validate_difficulty, validate_extra_data, validate_gas_limit_bound,
	validate_gas_limit_maximum, validate_gas_limit_minimum, validate_gas_used,
	validate_minimum_difficulty, validate_not_future, validate_number, validate_parent_hash,
	validate_seal_quick, validate_timestamp, validate_uncles, Ancestry, HeaderError, Parent,
	Rejection, Work,
};
use polkadot_sdk::{
	sp_core::{H256, U256},
	sp_runtime::{Digest, DigestItem},
};

/// H_s of the genesis block.
pub(crate) const GENESIS_TIME: u64 = 1_500_000_000;
/// How many seconds apart the blocks of [`Chain`] are. At this pace the difficulty stays the same.
pub(crate) const BLOCK_TIME: u64 = 13;
/// A time at which none of the chain's blocks is in the future.
pub(crate) const NOW: u64 = GENESIS_TIME + 1_000_000;

/// Returns Homestead's rules, with a difficulty that is low enough to seal a header at once, and high enough
/// that one step of it, a 2048th, is not zero.
pub(crate) fn params() -> ChainParameters {
	ChainParameters {
		ethash: EthashSizes::Development,
		difficulty_rule: DifficultyRule::Homestead { bomb: false },
		minimum_difficulty: 2048.into(),
		genesis_difficulty: 4096.into(),
		genesis_gas_limit: 3_141_592,
		genesis_timestamp: GENESIS_TIME,
		block_reward: 5_000_000_000_000,
		miners: Miners::Anyone,
		changes: Default::default(),
	}
}

/// An invalid seal.
pub(crate) const NO_SEAL: Seal = Seal {
	mix_hash: H256::zero(),
	nonce: 0,
};

/// The fields of a header, which a test may change before it makes the header.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
	pub(crate) parent_hash: H256,
	pub(crate) number: u32,
	pub(crate) state_root: H256,
	pub(crate) pre: PreDigest,
	pub(crate) gas_used: u64,
	/// Items of the digest that the engine does not know.
	pub(crate) others: Vec<DigestItem>,
}

impl Draft {
	/// Returns a child of `parent`, [`BLOCK_TIME`] later, that is valid except for its seal.
	pub(crate) fn child_of(params: &ChainParameters, parent: &Parent) -> Self {
		let timestamp = parent.timestamp + BLOCK_TIME;
		Self {
			parent_hash: parent.hash,
			number: parent.number + 1,
			state_root: H256::repeat_byte(1),
			pre: PreDigest {
				beneficiary: AccountId::new([0x88; 32]),
				difficulty: difficulty(params, parent, timestamp),
				gas_limit: parent.gas_limit,
				timestamp,
				uncles_hash: uncles_hash(&[]),
				extra_data: vec![0x42],
			},
			gas_used: 21_000,
			others: vec![],
		}
	}

	/// Returns the header with a given seal.
	pub(crate) fn with_seal(&self, seal: Seal) -> Header {
		let mut logs = vec![
			DigestItem::PreRuntime(POW_ENGINE_ID, codec::Encode::encode(&self.pre)),
			DigestItem::Consensus(
				POW_ENGINE_ID,
				codec::Encode::encode(&GasUsed(self.gas_used)),
			),
		];
		logs.extend(self.others.iter().cloned());
		let seal = codec::Encode::encode(&seal);
		logs.push(DigestItem::Seal(POW_ENGINE_ID, seal));
		Header {
			parent_hash: self.parent_hash,
			number: self.number,
			state_root: self.state_root,
			extrinsics_root: H256::repeat_byte(2),
			digest: Digest { logs },
		}
	}

	/// Returns the header as read, with [`NO_SEAL`].
	pub(crate) fn unsealed(&self) -> PowHeader {
		read(&self.with_seal(Seal {
			mix_hash: H256::zero(),
			nonce: 0,
		}))
	}

	/// Returns the header with a seal that [`fake_hashimoto`] agrees with.
	pub(crate) fn sealed(&self) -> Header {
		let mut header = self.unsealed();
		for nonce in 0.. {
			let mix_hash = fake_mix(header.seal_hash, nonce);
			header.seal = Seal { mix_hash, nonce };
			if validate_seal_quick(&header).is_ok() {
				return self.with_seal(header.seal);
			}
		}
		unreachable!("some nonce seals a header of so small a difficulty")
	}
}

pub(crate) fn read(header: &Header) -> PowHeader {
	PowHeader::read(header).expect("the tests build whole digests")
}

/// Stands in for the part of Ethash that needs the dataset. Returns a mix hash that depends on both inputs.
fn fake_mix(seal_hash: H256, nonce: u64) -> H256 {
	let mut mix = seal_hash;
	mix.0[..8].copy_from_slice(&nonce.to_be_bytes());
	mix
}

/// Computes Hashimoto with [`fake_mix`] in place of the dataset.
pub(crate) fn fake_hashimoto(header: &PowHeader) -> Result<Work, Rejection> {
	let nonce = header.seal.nonce;
	let mix_hash = fake_mix(header.seal_hash, nonce);
	let result = final_result(&header.seal_hash.0, nonce, &mix_hash.0);
	Ok(Work {
		mix_hash,
		result: H256(result),
	})
}

/// Validates each rule of one header separately, and returns all violations.
pub(crate) fn broken_rules(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
	now: u64,
) -> Vec<Rejection> {
	let rules: [Result<(), HeaderError>; 10] = [
		validate_extra_data(header),
		validate_gas_used(header),
		validate_gas_limit_minimum(header),
		validate_gas_limit_maximum(header),
		validate_minimum_difficulty(params, header),
		validate_parent_hash(header, parent),
		validate_number(header, parent),
		validate_timestamp(header, parent),
		validate_gas_limit_bound(header, parent),
		validate_difficulty(params, header, parent),
	];
	let mut broken: Vec<Rejection> = rules
		.into_iter()
		.filter_map(|rule| rule.err().map(Rejection::from))
		.collect();
	broken.extend(validate_not_future(header, now).err().map(Rejection::from));
	broken
}

/// A chain from its genesis block to a tip.
pub(crate) struct Chain {
	pub(crate) params: ChainParameters,
	/// What the rules need to know about each block, by block number.
	pub(crate) blocks: Vec<Parent>,
	/// The headers of all blocks but the genesis block, so block n is at index n − 1. Their seals are
	/// invalid, which does not matter, because the uncle rules do not check an ancestor's seal.
	pub(crate) headers: Vec<Header>,
	/// The uncles that the blocks name.
	pub(crate) included: Vec<H256>,
}

impl Chain {
	/// Returns a chain whose tip is block number `height`.
	pub(crate) fn of(height: u32) -> Self {
		Self::with(params(), height)
	}

	/// Returns a chain with other parameters.
	pub(crate) fn with(params: ChainParameters, height: u32) -> Self {
		let genesis = Parent::genesis(H256::repeat_byte(0xff), &params);
		let mut chain = Self {
			params,
			blocks: vec![genesis],
			headers: vec![],
			included: vec![],
		};
		for _ in 0..height {
			let header = Draft::child_of(&chain.params, chain.tip()).with_seal(NO_SEAL);
			chain.blocks.push(Parent::of(&read(&header)));
			chain.headers.push(header);
		}
		chain
	}

	pub(crate) fn tip(&self) -> &Parent {
		self.blocks
			.last()
			.expect("the genesis block is always there")
	}

	/// Returns the draft of a valid child of block `parent` that differs from the chain's own child of it.
	pub(crate) fn uncle_on(&self, parent: usize) -> Draft {
		let mut draft = Draft::child_of(&self.params, &self.blocks[parent]);
		draft.pre.beneficiary = AccountId::new([0xbc; 32]);
		draft
	}

	/// Validates the uncles of a block on the tip that names `uncles`.
	pub(crate) fn name(&self, uncles: &[Header]) -> Result<(), Rejection> {
		self.name_at(uncles, NOW)
	}

	/// Does the same as [`Self::name`] at the time `now`.
	pub(crate) fn name_at(&self, uncles: &[Header], now: u64) -> Result<(), Rejection> {
		let mut draft = Draft::child_of(&self.params, self.tip());
		draft.pre.uncles_hash = uncles_hash(uncles);
		let ancestors: Vec<Parent> = self.blocks.iter().rev().copied().collect();
		let ancestry = Ancestry {
			ancestors: &ancestors,
			included: &self.included,
		};
		let header = draft.unsealed();
		validate_uncles(
			&self.params,
			&header,
			uncles,
			&ancestry,
			now,
			fake_hashimoto,
		)
	}
}

pub(crate) fn power_of_two(exponent: u32) -> U256 {
	U256::one() << exponent
}
