// SPDX-License-Identifier: Apache-2.0
//! Computes the sizes of an epoch's cache and dataset, and its seed (yellow paper, appendix J.1 and J.2).

use crate::{error::Error, keccak};

/// J_epoch: the number of blocks in an epoch.
pub const EPOCH_LENGTH: u64 = 30_000;
/// The exclusive upper bound of a dataset's length in bytes: its 64-byte items have 32-bit numbers. With
/// [`Sizes::FULL`] the last epoch below it is 32639, which ends with block 979,199,999 and has a cache of 4
/// GiB.
pub const MAX_DATASET_BYTES: u64 = 1 << 38;

/// J_hashbytes: the length of a cache row and of a dataset item, in bytes.
const HASH_BYTES: u64 = 64;
/// J_mixbytes: the length of the mix and of a dataset page, in bytes.
const MIX_BYTES: u64 = 128;

/// The sizes of the cache and the dataset in epoch 0, and their growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
	/// J_cacheinit, in bytes.
	cache_initial: u64,
	/// J_cachegrowth, in bytes per epoch.
	cache_growth: u64,
	/// J_datasetinit, in bytes.
	dataset_initial: u64,
	/// J_datasetgrowth, in bytes per epoch.
	dataset_growth: u64,
}

impl Sizes {
	/// Ethereum's sizes: 16 MiB and 1 GiB in epoch 0, and 128 KiB and 8 MiB more in each epoch.
	pub const FULL: Self = Self {
		cache_initial: 1 << 24,
		cache_growth: 1 << 17,
		dataset_initial: 1 << 30,
		dataset_growth: 1 << 23,
	};

	/// Sizes for development chains: 16 KiB and 1 MiB in every epoch. They are generated instantly, and the
	/// proof of work fits in any processor's cache.
	pub const DEVELOPMENT: Self = Self {
		cache_initial: 1 << 14,
		cache_growth: 0,
		dataset_initial: 1 << 20,
		dataset_growth: 0,
	};

	/// Returns E_epoch = ⌊H_i / J_epoch⌋ for a block number H_i.
	pub const fn epoch(&self, block_number: u64) -> u64 {
		block_number / EPOCH_LENGTH
	}

	/// Returns the last epoch whose dataset stays below [`MAX_DATASET_BYTES`].
	pub const fn max_epoch(&self) -> u64 {
		match (MAX_DATASET_BYTES - 1 - self.dataset_initial).checked_div(self.dataset_growth) {
			Some(epochs) => epochs,
			None => u64::MAX,
		}
	}

	/// Returns c_size = E_prime(J_cacheinit + J_cachegrowth · E_epoch − J_hashbytes, J_hashbytes), in
	/// bytes.
	///
	/// # Errors
	///
	/// Returns [`Error::EpochTooHigh`] beyond [`Sizes::max_epoch`].
	pub fn cache_bytes(&self, epoch: u64) -> Result<u64, Error> {
		self.check(epoch)?;
		let bound = self
			.cache_initial
			.saturating_add(self.cache_growth.saturating_mul(epoch));
		Ok(largest_prime_multiple(bound, HASH_BYTES))
	}

	/// Returns d_size = E_prime(J_datasetinit + J_datasetgrowth · E_epoch − J_mixbytes, J_mixbytes), in
	/// bytes.
	///
	/// # Errors
	///
	/// Returns [`Error::EpochTooHigh`] beyond [`Sizes::max_epoch`].
	pub fn dataset_bytes(&self, epoch: u64) -> Result<u64, Error> {
		self.check(epoch)?;
		let bound = self
			.dataset_initial
			.saturating_add(self.dataset_growth.saturating_mul(epoch));
		Ok(largest_prime_multiple(bound, MIX_BYTES))
	}

	fn check(&self, epoch: u64) -> Result<(), Error> {
		let max = self.max_epoch();
		if epoch > max {
			return Err(Error::EpochTooHigh { epoch, max });
		}
		Ok(())
	}
}

/// Computes s(h): KEC applied E_epoch times to 32 zero bytes. It is the seed of an epoch's cache, and
/// identifies the epoch in `eth_getWork`. This takes one Keccak hash per epoch.
pub fn seed_hash(epoch: u64) -> [u8; 32] {
	let mut seed = [0u64; 4];
	for _ in 0..epoch {
		seed = keccak::keccak256(&seed);
	}
	keccak::bytes(&seed)
}

/// Computes E_prime(x, y) = x if x / y is prime, else E_prime(x − 2y, y), with x = `bound` − `unit`: the
/// largest byte count below `bound` that is a prime number of units. `bound` is an even number of units, so
/// only odd numbers of units are tried.
fn largest_prime_multiple(bound: u64, unit: u64) -> u64 {
	let mut units = (bound / unit).saturating_sub(1);
	while units > 2 && !is_prime(units) {
		units -= 2;
	}
	units * unit
}

/// Returns true if the number is prime, by trial division: at most 23,170 steps for the largest dataset.
fn is_prime(number: u64) -> bool {
	if number < 4 {
		return number > 1;
	}
	if number.is_multiple_of(2) {
		return false;
	}
	let mut divisor = 3;
	while divisor * divisor <= number {
		if number.is_multiple_of(divisor) {
			return false;
		}
		divisor += 2;
	}
	true
}

#[cfg(test)]
mod tests {
	use super::*;

	/// The values are from the tables published in the yellow paper's appendix.
	#[test]
	fn published_sizes() {
		let table = [
			(0, 16_776_896, 1_073_739_904),
			(1, 16_907_456, 1_082_130_304),
			(2047, 285_081_536, 18_245_220_736),
		];
		for (epoch, cache, dataset) in table {
			assert_eq!(Sizes::FULL.cache_bytes(epoch), Ok(cache));
			assert_eq!(Sizes::FULL.dataset_bytes(epoch), Ok(dataset));
		}
	}

	#[test]
	fn development_sizes_follow_the_same_rule_and_do_not_grow() {
		for epoch in [0, 1, u64::MAX] {
			assert_eq!(Sizes::DEVELOPMENT.cache_bytes(epoch), Ok(251 * 64));
			assert_eq!(Sizes::DEVELOPMENT.dataset_bytes(epoch), Ok(8191 * 128));
		}
	}

	#[test]
	fn epochs_that_32_bits_cannot_number_are_refused() {
		assert_eq!(Sizes::FULL.max_epoch(), 32_639);
		assert!(Sizes::FULL
			.dataset_bytes(32_639)
			.is_ok_and(|bytes| bytes < MAX_DATASET_BYTES));
		for epoch in [32_640, 143_165, u64::MAX] {
			let error = Error::EpochTooHigh { epoch, max: 32_639 };
			assert_eq!(Sizes::FULL.dataset_bytes(epoch), Err(error.clone()));
			assert_eq!(Sizes::FULL.cache_bytes(epoch), Err(error));
		}
	}

	#[test]
	fn blocks_belong_to_epochs() {
		assert_eq!(Sizes::FULL.epoch(0), 0);
		assert_eq!(Sizes::FULL.epoch(29_999), 0);
		assert_eq!(Sizes::FULL.epoch(30_000), 1);
		assert_eq!(Sizes::FULL.epoch(u64::from(u32::MAX)), 143_165);
	}

	#[test]
	fn primes() {
		let primes: Vec<u64> = (0..60).filter(|number| is_prime(*number)).collect();
		assert_eq!(
			primes,
			[2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]
		);
		assert!(is_prime(262_139) && !is_prime(262_143) && !is_prime(251 * 251));
	}

	#[test]
	fn seeds_of_the_first_epochs() {
		assert_eq!(hex::encode(seed_hash(0)), "0".repeat(64));
		assert_eq!(
			hex::encode(seed_hash(1)),
			"290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563"
		);
		assert_eq!(
			hex::encode(seed_hash(2)),
			"510e4e770828ddbf7f7b00ab00a9f6adaf81c0dc9cc85f1f8249c256942d61d9"
		);
	}
}
