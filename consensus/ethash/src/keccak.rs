// SPDX-License-Identifier: Apache-2.0
//! Computes KEC256 and KEC512, the papers' Keccak hashes (with the original padding, not SHA-3's). Messages
//! must fit in one block, as all messages that Ethash hashes do. Messages and digests are little-endian
//! 64-bit words.

use crate::{
	kernel::{Kernel, Machine, States, STATES},
	machine::Portable,
};

/// The round constants of Keccak's step ι.
const ROUND_CONSTANTS: [u64; 24] = [
	0x0000_0000_0000_0001,
	0x0000_0000_0000_8082,
	0x8000_0000_0000_808a,
	0x8000_0000_8000_8000,
	0x0000_0000_0000_808b,
	0x0000_0000_8000_0001,
	0x8000_0000_8000_8081,
	0x8000_0000_0000_8009,
	0x0000_0000_0000_008a,
	0x0000_0000_0000_0088,
	0x0000_0000_8000_8009,
	0x0000_0000_8000_000a,
	0x0000_0000_8000_808b,
	0x8000_0000_0000_008b,
	0x8000_0000_0000_8089,
	0x8000_0000_0000_8003,
	0x8000_0000_0000_8002,
	0x8000_0000_0000_0080,
	0x0000_0000_0000_800a,
	0x8000_0000_8000_000a,
	0x8000_0000_8000_8081,
	0x8000_0000_0000_8080,
	0x0000_0000_8000_0001,
	0x8000_0000_8000_8008,
];

/// The first bit of the padding, after the message, and its last bit, at the end of the block.
const FIRST_BIT: u64 = 1;
const LAST_BIT: u64 = 1 << 63;
/// The block lengths in words: 200 bytes minus twice the digest.
const BLOCK_512: usize = 9;
const BLOCK_256: usize = 17;

/// Computes KEC256 of N words, with N < 17.
#[inline(always)]
pub(crate) fn keccak256<const N: usize>(message: &[u64; N]) -> [u64; 4] {
	hash::<N, 4, BLOCK_256>(message)
}

/// Computes KEC512 of N words, with N < 9.
#[inline(always)]
pub(crate) fn keccak512<const N: usize>(message: &[u64; N]) -> [u64; 8] {
	hash::<N, 8, BLOCK_512>(message)
}

/// Computes KEC256 of K messages, side by side.
#[inline(always)]
pub(crate) fn keccak256_each<M: Machine, const N: usize, const K: usize>(
	machine: M,
	messages: &[[u64; N]; K],
) -> [[u64; 4]; K] {
	hash_each::<M, N, 4, BLOCK_256, K>(machine, messages)
}

/// Computes KEC512 of K messages, side by side.
#[inline(always)]
pub(crate) fn keccak512_each<M: Machine, const N: usize, const K: usize>(
	machine: M,
	messages: &[[u64; N]; K],
) -> [[u64; 8]; K] {
	hash_each::<M, N, 8, BLOCK_512, K>(machine, messages)
}

/// Returns the bytes of a digest.
pub(crate) fn bytes(words: &[u64; 4]) -> [u8; 32] {
	let mut bytes = [0; 32];
	for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
		to.copy_from_slice(&word.to_le_bytes());
	}
	bytes
}

/// Reads words from bytes: the reverse of [`bytes`].
pub(crate) fn words(bytes: &[u8; 32]) -> [u64; 4] {
	let mut words = [0; 4];
	for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
		let mut array = [0; 8];
		array.copy_from_slice(from);
		*word = u64::from_le_bytes(array);
	}
	words
}

#[inline(always)]
fn hash<const N: usize, const D: usize, const BLOCK: usize>(message: &[u64; N]) -> [u64; D] {
	const { assert!(N < BLOCK && D <= 25) };
	let mut state = [0; 25];
	state[..N].copy_from_slice(message);
	state[N] ^= FIRST_BIT;
	state[BLOCK - 1] ^= LAST_BIT;
	permute(Portable, &mut state);
	core::array::from_fn(|i| state[i])
}

#[inline(always)]
fn hash_each<M: Machine, const N: usize, const D: usize, const BLOCK: usize, const K: usize>(
	machine: M,
	messages: &[[u64; N]; K],
) -> [[u64; D]; K] {
	const { assert!(N < BLOCK && D <= 25) };
	let mut digests = [[0; D]; K];
	let mut states: States = [[0; STATES]; 25];
	for (messages, digests) in messages.chunks(STATES).zip(digests.chunks_mut(STATES)) {
		for word in &mut states[N..] {
			*word = [0; STATES];
		}
		states[N] = [FIRST_BIT; STATES];
		for word in &mut states[BLOCK - 1] {
			*word ^= LAST_BIT;
		}
		for (k, message) in messages.iter().enumerate() {
			for (i, word) in message.iter().enumerate() {
				states[i][k] = *word;
			}
		}
		machine.run(Permute {
			states: &mut states,
			count: messages.len(),
		});
		for (k, digest) in digests.iter_mut().enumerate() {
			*digest = core::array::from_fn(|i| states[i][k]);
		}
	}
	digests
}

/// Applies Keccak-f[1600] to the first `count` states, `LANES` at once.
struct Permute<'a> {
	states: &'a mut States,
	count: usize,
}

impl Kernel for Permute<'_> {
	type Output = ();

	#[inline(always)]
	fn run<M: Machine>(self, machine: M) {
		for at in (0..self.count).step_by(M::LANES) {
			let mut lanes = [machine.splat(0); 25];
			for (lanes, words) in lanes.iter_mut().zip(&*self.states) {
				*lanes = machine.load_lanes(words, at);
			}
			permute(machine, &mut lanes);
			for (lanes, words) in lanes.into_iter().zip(&mut *self.states) {
				machine.store_lanes(lanes, words, at);
			}
		}
	}
}

/// Applies Keccak-f[1600] to `LANES` states at once. The state is a[x + 5y]; each row of the new state
/// is written out below: θ, the rotations of ρ, the places of π, then χ and ι.
#[inline(always)]
fn permute<M: Machine>(m: M, state: &mut [M::Lanes; 25]) {
	let mut a = *state;
	for constant in ROUND_CONSTANTS {
		let column = |x: usize| m.xor3(a[x], a[x + 5], m.xor3(a[x + 10], a[x + 15], a[x + 20]));
		let c = [column(0), column(1), column(2), column(3), column(4)];
		let rotated = |x: usize| m.rotate::<1>(c[x]);
		let r = [rotated(0), rotated(1), rotated(2), rotated(3), rotated(4)];
		let theta = |i: usize| m.xor3(a[i], c[(i + 4) % 5], r[(i + 1) % 5]);
		let row = |b: [M::Lanes; 5]| {
			[
				m.chi(b[0], b[1], b[2]),
				m.chi(b[1], b[2], b[3]),
				m.chi(b[2], b[3], b[4]),
				m.chi(b[3], b[4], b[0]),
				m.chi(b[4], b[0], b[1]),
			]
		};
		let rows = [
			row([
				theta(0),
				m.rotate::<44>(theta(6)),
				m.rotate::<43>(theta(12)),
				m.rotate::<21>(theta(18)),
				m.rotate::<14>(theta(24)),
			]),
			row([
				m.rotate::<28>(theta(3)),
				m.rotate::<20>(theta(9)),
				m.rotate::<3>(theta(10)),
				m.rotate::<45>(theta(16)),
				m.rotate::<61>(theta(22)),
			]),
			row([
				m.rotate::<1>(theta(1)),
				m.rotate::<6>(theta(7)),
				m.rotate::<25>(theta(13)),
				m.rotate::<8>(theta(19)),
				m.rotate::<18>(theta(20)),
			]),
			row([
				m.rotate::<27>(theta(4)),
				m.rotate::<36>(theta(5)),
				m.rotate::<10>(theta(11)),
				m.rotate::<15>(theta(17)),
				m.rotate::<56>(theta(23)),
			]),
			row([
				m.rotate::<62>(theta(2)),
				m.rotate::<55>(theta(8)),
				m.rotate::<39>(theta(14)),
				m.rotate::<41>(theta(15)),
				m.rotate::<2>(theta(21)),
			]),
		];
		a = core::array::from_fn(|i| rows[i / 5][i % 5]);
		a[0] = m.xor(a[0], m.splat(constant));
	}
	*state = a;
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{machine::Path, testing::Random};
	use tiny_keccak::{Hasher, Keccak};

	fn reference<const D: usize>(mut hasher: Keccak, message: &[u64]) -> [u64; D] {
		for word in message {
			hasher.update(&word.to_le_bytes());
		}
		let mut bytes = vec![0; D * 8];
		hasher.finalize(&mut bytes);
		core::array::from_fn(|i| {
			u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("eight bytes"))
		})
	}

	fn check<const N: usize>(random: &mut Random) {
		struct Each<'a, const N: usize>(&'a [[u64; N]; 11]);
		impl<const N: usize> Kernel for Each<'_, N> {
			type Output = [[u64; 8]; 11];
			#[inline(always)]
			fn run<M: Machine>(self, machine: M) -> Self::Output {
				keccak512_each(machine, self.0)
			}
		}
		let messages: [[u64; N]; 11] = core::array::from_fn(|_| random.words());
		for path in Path::available() {
			let digests = path.run(Each(&messages));
			for (message, digest) in messages.iter().zip(digests) {
				assert_eq!(digest, reference(Keccak::v512(), message), "{path:?}");
				assert_eq!(digest, keccak512(message));
			}
		}
	}

	#[test]
	fn keccak512_is_the_known_one_alone_and_side_by_side() {
		let mut random = Random(2);
		check::<0>(&mut random);
		check::<4>(&mut random);
		check::<5>(&mut random);
		check::<8>(&mut random);
	}

	#[test]
	fn keccak256_is_the_known_one_alone_and_side_by_side() {
		struct Each<'a>(&'a [[u64; 12]; 9]);
		impl Kernel for Each<'_> {
			type Output = [[u64; 4]; 9];
			#[inline(always)]
			fn run<M: Machine>(self, machine: M) -> Self::Output {
				keccak256_each(machine, self.0)
			}
		}
		let mut random = Random(3);
		let messages: [[u64; 12]; 9] = core::array::from_fn(|_| random.words());
		for path in Path::available() {
			for (message, digest) in messages.iter().zip(path.run(Each(&messages))) {
				assert_eq!(digest, reference(Keccak::v256(), message), "{path:?}");
				assert_eq!(digest, keccak256(message));
			}
		}
		let full: [u64; 16] = random.words();
		assert_eq!(keccak256(&full), reference(Keccak::v256(), &full));
		assert_eq!(keccak256(&[]), reference(Keccak::v256(), &[]));
	}

	#[test]
	fn words_and_bytes_agree() {
		let digest = [1, 2 << 32, 3, u64::MAX];
		assert_eq!(words(&bytes(&digest)), digest);
		assert_eq!(bytes(&digest)[12], 2);
	}
}
