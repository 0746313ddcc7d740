// SPDX-License-Identifier: Apache-2.0
//! Tests the RPC methods for miners: arguments, errors, and a node that does not mine.

use futures::executor::block_on;
use isthmus_node::rpc::mining::{
	bytes, number, ArgumentError, Error, EthMining, EthMiningApiServer,
};
use jsonrpsee::{types::ErrorObjectOwned, Extensions};
use polkadot_sdk::*;
use sc_rpc_api::{DenyUnsafe, UnsafeRpcError};

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
	// Older documentation shows a hash rate of this length.
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
