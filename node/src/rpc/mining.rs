// SPDX-License-Identifier: Apache-2.0
//! The methods that Ethash miners call: `eth_getWork` and its relatives, in geth's shapes.
//!
//! geth (1.9 and 1.10) sets the standard, as miners are written against it. Two things differ, to a miner's
//! advantage. Where geth returns an error or outdated work, `eth_getWork` waits a moment for new work, as ethminer
//! stays away for half a minute after an error. And a hash rate may have leading zeros, as ethminer sends it.
//!
//! Not here: where connections come from (`miners.rs`, or the node's RPC server), and whether a seal is valid
//! (`isthmus_engine::Sealer`).

use crate::client::FullSealer;
use isthmus_engine::{Job, SubmitError};
use isthmus_primitives::{digest::Seal, Hash};
use jsonrpsee::{
	core::async_trait,
	proc_macros::rpc,
	types::{error::INVALID_PARAMS_CODE, ErrorObjectOwned},
	Extensions,
};
use polkadot_sdk::*;
use sc_rpc_api::{check_if_safe, UnsafeRpcError};
use std::time::{Duration, Instant};

/// The code of geth's errors without a code of their own.
const GETH_ERROR: i32 = -32000;
/// How long `eth_getWork` waits for work. A template takes two seconds at most.
const WORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Work for miners, with geth's names and shapes. Numbers and bytes are hexadecimal, with `0x`.
#[rpc(server)]
pub(crate) trait EthMiningApi {
	/// Returns the current work: the hash to seal (32 bytes), the seed of its Ethash epoch (32 bytes), the
	/// boundary that the result must not exceed (32 bytes), and the block's number.
	#[method(name = "eth_getWork", with_extensions)]
	async fn get_work(&self) -> Result<[String; 4], Error>;

	/// Submits a seal: the nonce (8 bytes), the hash that it seals and the mix hash. Returns true if it made a
	/// block, and false if it is invalid, or its work unknown or too old. The log says which.
	#[method(name = "eth_submitWork", with_extensions)]
	async fn submit_work(
		&self,
		nonce: String,
		seal_hash: String,
		mix_hash: String,
	) -> Result<bool, Error>;

	/// Reports a miner's hash rate, in hashes a second, under an identifier of its choice (32 bytes). It counts
	/// for ten seconds.
	#[method(name = "eth_submitHashrate", aliases = ["eth_submitHashRate"], with_extensions)]
	fn submit_hash_rate(&self, rate: String, id: String) -> Result<bool, Error>;

	/// Returns the sum of the built-in miner's hash rate and of all that were submitted.
	#[method(name = "eth_hashrate")]
	fn hash_rate(&self) -> Result<String, Error>;

	/// Returns whether this node has work for miners.
	#[method(name = "eth_mining")]
	fn mining(&self) -> Result<bool, Error>;
}

/// Why a method does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
	#[error("mining is not enabled: start the node with `--mine` and `--beneficiary ACCOUNT`")]
	NotMining,
	#[error("no mining work available yet")]
	NoWork,
	#[error("invalid argument {index}: {reason}")]
	Argument { index: usize, reason: ArgumentError },
	#[error(transparent)]
	Unsafe(#[from] UnsafeRpcError),
}

/// Why an argument is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
	#[error("hex string without 0x prefix")]
	NoPrefix,
	#[error("hex string has {got} digits, want {want}")]
	Length { got: usize, want: usize },
	#[error("empty hex string")]
	Empty,
	#[error("invalid hex string")]
	NotHex,
	#[error("hex number > 64 bits")]
	TooLarge,
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		let code = match error {
			Error::Unsafe(refused) => return refused.into(),
			Error::NotMining | Error::NoWork => GETH_ERROR,
			Error::Argument { .. } => INVALID_PARAMS_CODE,
		};
		Self::owned(code, error.to_string(), None::<()>)
	}
}

/// Answers from a sealer, or without one where the node does not mine.
pub(crate) struct EthMining(Option<FullSealer>);

impl EthMining {
	pub(crate) fn new(sealer: Option<FullSealer>) -> Self {
		Self(sealer)
	}

	fn sealer(&self) -> Result<&FullSealer, Error> {
		self.0.as_ref().ok_or(Error::NotMining)
	}
}

#[async_trait]
impl EthMiningApiServer for EthMining {
	async fn get_work(&self, extensions: &Extensions) -> Result<[String; 4], Error> {
		check_if_safe(extensions)?;
		let job = self.sealer()?.wait_for_current(WORK_TIMEOUT).await;
		Ok(work(&*job.ok_or(Error::NoWork)?))
	}

	async fn submit_work(
		&self,
		extensions: &Extensions,
		nonce: String,
		seal_hash: String,
		mix_hash: String,
	) -> Result<bool, Error> {
		check_if_safe(extensions)?;
		let nonce = u64::from_be_bytes(bytes(0, &nonce)?);
		let seal_hash = Hash::from(bytes(1, &seal_hash)?);
		let mix_hash = Hash::from(bytes(2, &mix_hash)?);
		let seal = Seal { mix_hash, nonce };
		match self.sealer()?.submit(seal_hash, seal).await {
			Ok(_) => Ok(true),
			Err(error @ SubmitError::UnknownWork(_)) => {
				log::info!(target: "pow", "ignoring a miner's late seal: {error}");
				Ok(false)
			}
			Err(error) => {
				log::warn!(target: "pow", "rejecting a miner's seal: {error}");
				Ok(false)
			}
		}
	}

	fn submit_hash_rate(
		&self,
		extensions: &Extensions,
		rate: String,
		id: String,
	) -> Result<bool, Error> {
		check_if_safe(extensions)?;
		let rate = number(0, &rate)?;
		let id = Hash::from(bytes(1, &id)?);
		Ok(self.sealer()?.hash_rate().submit(id, rate, Instant::now()))
	}

	fn hash_rate(&self) -> Result<String, Error> {
		let rate = self.0.as_ref().map_or(0, |sealer| {
			let (rate, now) = (sealer.hash_rate(), Instant::now());
			rate.built_in(now).saturating_add(rate.submitted(now))
		});
		Ok(format!("{rate:#x}"))
	}

	fn mining(&self) -> Result<bool, Error> {
		Ok(self.0.is_some())
	}
}

/// Returns a job as geth writes it: the hash to seal, the epoch's seed, the boundary, and H_i.
pub(crate) fn work(job: &Job) -> [String; 4] {
	let hex = |bytes: [u8; 32]| format!("0x{}", hex::encode(bytes));
	[
		hex(job.seal_hash.0),
		hex(job.epoch_seed()),
		hex(job.boundary()),
		format!("{:#x}", job.number),
	]
}

/// Parses exactly `N` bytes.
fn bytes<const N: usize>(index: usize, text: &str) -> Result<[u8; N], Error> {
	let parse = || {
		let digits = text.strip_prefix("0x").ok_or(ArgumentError::NoPrefix)?;
		let mut bytes = [0; N];
		if digits.len() != 2 * N {
			return Err(ArgumentError::Length {
				got: digits.len(),
				want: 2 * N,
			});
		}
		hex::decode_to_slice(digits, &mut bytes).map_err(|_| ArgumentError::NotHex)?;
		Ok(bytes)
	};
	parse().map_err(|reason| Error::Argument { index, reason })
}

/// Parses a number of at most 64 bits, with any number of leading zeros.
fn number(index: usize, text: &str) -> Result<u64, Error> {
	let parse = || {
		let digits = text.strip_prefix("0x").ok_or(ArgumentError::NoPrefix)?;
		if digits.is_empty() {
			return Err(ArgumentError::Empty);
		}
		// `from_str_radix` would accept a sign, too.
		if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
			return Err(ArgumentError::NotHex);
		}
		match digits.trim_start_matches('0') {
			"" => Ok(0),
			digits => u64::from_str_radix(digits, 16).map_err(|_| ArgumentError::TooLarge),
		}
	};
	parse().map_err(|reason| Error::Argument { index, reason })
}

#[cfg(test)]
mod tests {
	use super::*;
	use futures::executor::block_on;
	use sc_rpc_api::DenyUnsafe;

	fn reason<T>(parsed: Result<T, Error>) -> ArgumentError {
		match parsed {
			Err(Error::Argument { index: 3, reason }) => reason,
			Err(other) => panic!("{other}"),
			Ok(_) => panic!("it was accepted"),
		}
	}

	#[test]
	fn numbers_may_have_leading_zeros_and_at_most_64_bits() {
		for (text, value) in [
			("0x0", 0),
			("0x1f4", 500),
			("0x00000000000001F4", 500),
			("0xffffffffffffffff", u64::MAX),
		] {
			assert_eq!(number(3, text).unwrap(), value);
		}
		// The length that older documentation shows.
		assert_eq!(
			number(3, &format!("0x{:0>64}", "500000")).unwrap(),
			0x50_0000
		);
		assert_eq!(reason(number(3, "500")), ArgumentError::NoPrefix);
		assert_eq!(reason(number(3, "0x")), ArgumentError::Empty);
		assert_eq!(reason(number(3, "0x+1")), ArgumentError::NotHex);
		assert_eq!(
			reason(number(3, "0x10000000000000000")),
			ArgumentError::TooLarge
		);
	}

	#[test]
	fn bytes_have_exactly_their_length() {
		assert_eq!(
			bytes(3, "0x0123456789abcDEF").unwrap(),
			0x0123_4567_89ab_cdef_u64.to_be_bytes()
		);
		assert_eq!(reason(bytes::<2>(3, "0123")), ArgumentError::NoPrefix);
		assert_eq!(
			reason(bytes::<2>(3, "0x012")),
			ArgumentError::Length { got: 3, want: 4 }
		);
		assert_eq!(reason(bytes::<2>(3, "0x01é")), ArgumentError::NotHex);
	}

	/// A node that does not mine.
	fn idle() -> EthMining {
		EthMining::new(None)
	}

	fn extensions(deny: DenyUnsafe) -> Extensions {
		let mut extensions = Extensions::new();
		extensions.insert(deny);
		extensions
	}

	#[test]
	fn a_node_that_does_not_mine_answers_with_an_error() {
		let open = extensions(DenyUnsafe::No);
		let hash = || format!("0x{:064x}", 1);
		let nonce = format!("0x{:016x}", 1);
		let answers = [
			block_on(idle().get_work(&open)).map(|_| ()),
			block_on(idle().submit_work(&open, nonce, hash(), hash())).map(|_| ()),
			idle()
				.submit_hash_rate(&open, "0x1".into(), hash())
				.map(|_| ()),
		];
		for answer in answers {
			assert!(matches!(answer, Err(Error::NotMining)), "{answer:?}");
		}
		assert!(!idle().mining().unwrap());
		assert_eq!(idle().hash_rate().unwrap(), "0x0");
	}

	#[test]
	fn untrusted_callers_may_neither_take_nor_submit_work() {
		let closed = extensions(DenyUnsafe::Yes);
		let answers = [
			block_on(idle().get_work(&closed)).map(|_| ()),
			block_on(idle().submit_work(&closed, "".into(), "".into(), "".into())).map(|_| ()),
			idle()
				.submit_hash_rate(&closed, "".into(), "".into())
				.map(|_| ()),
		];
		for answer in answers {
			assert!(matches!(answer, Err(Error::Unsafe(_))), "{answer:?}");
		}
	}

	#[test]
	fn errors_have_geths_codes_and_sentences() {
		let object = |error: Error| {
			let object = ErrorObjectOwned::from(error);
			(object.code(), object.message().to_owned())
		};
		assert_eq!(
			object(Error::NoWork),
			(-32000, "no mining work available yet".into())
		);
		let reason = ArgumentError::NoPrefix;
		assert_eq!(
			object(Error::Argument { index: 0, reason }),
			(
				-32602,
				"invalid argument 0: hex string without 0x prefix".into()
			)
		);
		assert_eq!(object(UnsafeRpcError.into()).0, -32601);
		let (code, message) = object(Error::NotMining);
		assert_eq!(code, -32000);
		assert!(message.starts_with("mining is not enabled"), "{message}");
	}
}
