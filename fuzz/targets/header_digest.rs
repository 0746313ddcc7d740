// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the reader of block headers that peers announce. A header's digest contains the proof-of-work
//! items: the paper's header fields and the seal.
//!
//! - If bytes decode as a header, encoding it again returns the same bytes.
//! - If a header can be read, it consists of exactly the fields that were read.
//! - A header made by a miner is read back unchanged.

#![no_main]

use codec::{DecodeAll, Encode};
use isthmus_primitives::{
	digest::{
		read_receipts, read_unsealed, seal_hash, DigestError, GasUsed, Item, PowHeader, PreDigest,
		Receipts, Seal, MAX_HEADER_BYTES, POW_ENGINE_ID, RECEIPTS_ENGINE_ID,
	},
	Header,
};
use libfuzzer_sys::{
	arbitrary::{Result, Unstructured},
	fuzz_target,
};
use polkadot_sdk::{
	sp_core::{H256, U256},
	sp_runtime::{traits::Header as _, Digest, DigestItem},
};

/// The maximum number of items that a made header has besides the engine's.
const MAX_EXTRA: usize = 8;

/// Makes a digest item that a miner of this chain may add.
fn extra(input: &mut Unstructured) -> Result<DigestItem> {
	Ok(match input.int_in_range(0..=2_u8)? {
		0 => DigestItem::Other(input.arbitrary()?),
		1 => match input.arbitrary()? {
			(POW_ENGINE_ID | RECEIPTS_ENGINE_ID, bytes) => DigestItem::Other(bytes),
			(id, bytes) => DigestItem::Consensus(id, bytes),
		},
		_ => DigestItem::RuntimeEnvironmentUpdated,
	})
}

/// Makes items of the proof-of-work engine in any number and order, so that a header almost matches the
/// format.
fn items(input: &mut Unstructured) -> Result<Vec<DigestItem>> {
	input
		.arbitrary_iter::<(u8, Vec<u8>)>()?
		.map(|item| {
			let (kind, bytes) = item?;
			Ok(match kind % 10 {
				0 => DigestItem::PreRuntime(POW_ENGINE_ID, bytes),
				1 => DigestItem::Consensus(POW_ENGINE_ID, bytes),
				2 => DigestItem::Seal(POW_ENGINE_ID, bytes),
				3 => DigestItem::Seal(*b"FRNK", bytes),
				4 => DigestItem::PreRuntime(*b"FRNK", bytes),
				5 => DigestItem::PreRuntime(POW_ENGINE_ID, pre_digest(input_of(&bytes))?.encode()),
				6 => DigestItem::Consensus(POW_ENGINE_ID, GasUsed(kind.into()).encode()),
				7 => DigestItem::Consensus(RECEIPTS_ENGINE_ID, bytes),
				8 => DigestItem::Consensus(
					RECEIPTS_ENGINE_ID,
					receipts(&mut input_of(&bytes))?.encode(),
				),
				_ => DigestItem::Seal(POW_ENGINE_ID, seal(&mut input_of(&bytes))?.encode()),
			})
		})
		.collect()
}

fn input_of(bytes: &[u8]) -> Unstructured<'_> {
	Unstructured::new(bytes)
}

fn hash(input: &mut Unstructured) -> Result<H256> {
	Ok(H256(input.arbitrary()?))
}

fn pre_digest(mut input: Unstructured) -> Result<PreDigest> {
	Ok(PreDigest {
		beneficiary: input.arbitrary::<[u8; 32]>()?.into(),
		difficulty: U256::from_big_endian(&input.arbitrary::<[u8; 32]>()?).into(),
		gas_limit: input.arbitrary()?,
		timestamp: input.arbitrary()?,
		uncles_hash: hash(&mut input)?,
		extra_data: input.take_rest().to_vec(),
	})
}

fn seal(input: &mut Unstructured) -> Result<Seal> {
	Ok(Seal {
		mix_hash: hash(input)?,
		nonce: input.arbitrary()?,
	})
}

fn receipts(input: &mut Unstructured) -> Result<Receipts> {
	Ok(Receipts {
		count: input.arbitrary()?,
		root: hash(input)?,
	})
}

fn header(input: &mut Unstructured, logs: Vec<DigestItem>) -> Result<Header> {
	Ok(Header::new(
		input.arbitrary()?,
		hash(input)?,
		hash(input)?,
		hash(input)?,
		Digest { logs },
	))
}

/// Checks that a header that can be read contains exactly the fields that were read.
fn check(header: &Header) {
	let Ok(read) = PowHeader::read(header) else {
		return;
	};
	assert!(header.encoded_size() <= MAX_HEADER_BYTES);
	assert_eq!(
		(read.parent_hash, read.number),
		(header.parent_hash, header.number)
	);
	assert_eq!(read.hash, header.hash());

	let mut unsealed = header.clone();
	let last = unsealed.digest.pop();
	assert_eq!(
		last,
		Some(DigestItem::Seal(POW_ENGINE_ID, read.seal.encode()))
	);
	assert_eq!(read.seal_hash, seal_hash(&unsealed));
	assert_eq!(
		read_unsealed(&unsealed),
		Ok((read.pre.clone(), read.gas_used))
	);

	let engine: Vec<&DigestItem> = unsealed
		.digest
		.logs
		.iter()
		.filter(|item| match item {
			DigestItem::PreRuntime(..) | DigestItem::Seal(..) => true,
			DigestItem::Consensus(id, _) => *id == POW_ENGINE_ID,
			_ => false,
		})
		.collect();
	let pre = DigestItem::PreRuntime(POW_ENGINE_ID, read.pre.encode());
	let gas_used = DigestItem::Consensus(POW_ENGINE_ID, GasUsed(read.gas_used).encode());
	assert!(engine == [&pre, &gas_used] || engine == [&gas_used, &pre]);

	let items: Vec<&DigestItem> = (unsealed.digest.logs.iter())
		.filter(|item| matches!(item, DigestItem::Consensus(RECEIPTS_ENGINE_ID, _)))
		.collect();
	// The header's rules do not ask for the receipts, so any number of them may come, well formed or not.
	let is = |receipts: &Receipts| DigestItem::Consensus(RECEIPTS_ENGINE_ID, receipts.encode());
	match read_receipts(&unsealed.digest) {
		Ok(receipts) => assert_eq!(items, receipts.as_ref().map(is).iter().collect::<Vec<_>>()),
		Err(DigestError::Repeated(Item::Receipts)) => assert!(items.len() > 1),
		Err(DigestError::Undecodable(Item::Receipts)) => assert!(items.iter().any(|item| {
			!matches!(item, DigestItem::Consensus(_, bytes) if Receipts::decode_all(&mut &bytes[..]).is_ok())
		})),
		Err(other) => panic!("reading the receipts found a fault of another item: {other}"),
	}
}

/// Checks that a miner's header is read back unchanged.
fn check_made(input: &mut Unstructured) -> Result<()> {
	let gas_used = input.arbitrary()?;
	let seal = seal(input)?;
	let count = input.int_in_range(0..=MAX_EXTRA)?;
	let mut logs: Vec<DigestItem> = (0..count).map(|_| extra(input)).collect::<Result<_>>()?;
	let mut at = || Ok::<_, libfuzzer_sys::arbitrary::Error>(input.int_in_range(0..=logs.len())?);
	let (first, second) = (at()?, at()?);
	let mut made = header(input, Vec::new())?;
	let pre = pre_digest(input_of(input.peek_bytes(input.len()).unwrap_or_default()))?;
	logs.insert(first, DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode()));
	logs.insert(
		second,
		DigestItem::Consensus(POW_ENGINE_ID, GasUsed(gas_used).encode()),
	);
	made.digest = Digest { logs };
	let unsealed = made.clone();
	made.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	if made.encoded_size() > MAX_HEADER_BYTES {
		assert!(PowHeader::read(&made).is_err());
		return Ok(());
	}
	let read = PowHeader::read(&made).expect("a miner's header is read");
	assert_eq!((read.pre, read.gas_used, read.seal), (pre, gas_used, seal));
	assert_eq!(read.seal_hash, seal_hash(&unsealed));
	Ok(())
}

fuzz_target!(|data: &[u8]| {
	if let Ok(header) = Header::decode_all(&mut &data[..]) {
		assert_eq!(header.encode(), data);
		check(&header);
	}
	let mut input = Unstructured::new(data);
	if let Ok(logs) = items(&mut Unstructured::new(data)) {
		if let Ok(header) = header(&mut input, logs) {
			check(&header);
		}
	}
	let _ = check_made(&mut Unstructured::new(data));
});
