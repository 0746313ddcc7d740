// SPDX-License-Identifier: Apache-2.0
//! Shares a range of a dataset with a reader, then revokes the access by starting a new epoch.
//!
//! ```sh
//! cargo run --release -p isthmus-envelope --example share_range
//! ```

use isthmus_envelope::{
	decrypt_value, encrypt_value, open_grant, seal_grant, EncryptionKeyPair, EpochId, GrantScope,
	LeafKey, MasterSecret, Range, RecordContext, RecordError,
};

/// Stands for the hash of the chain's first block.
const GENESIS: [u8; 32] = [1; 32];
/// Stands for the owner's account.
const OWNER: [u8; 32] = [2; 32];
/// Stands for the reader's account.
const READER: [u8; 32] = [3; 32];

fn epoch(number: u32) -> EpochId {
	EpochId {
		genesis: GENESIS,
		owner: OWNER,
		dataset: 0,
		epoch: number,
	}
}

/// Encrypts a month's value as its own record.
fn store(month: u8, key: &LeafKey) -> Result<(RecordContext, Vec<u8>), RecordError> {
	let context = RecordContext {
		genesis: GENESIS,
		owner: OWNER,
		key: [month; 32],
		version: 0,
	};
	let value = format!("month,{month}\n");
	Ok((context, encrypt_value(key, &context, value.as_bytes())?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
	// The owner stores twelve months, one per leaf.
	let master = MasterSecret::generate()?;
	let root = master.epoch_root(&epoch(0));
	let records = (0..12)
		.map(|month| store(month, &root.leaf_key(month.into())))
		.collect::<Result<Vec<_>, _>>()?;

	// It grants a reader the first quarter, leaves 0 to 2, until block 5000. The sealed grant is
	// public on the chain.
	let pair = EncryptionKeyPair::generate()?;
	let scope = GrantScope {
		grantee: READER,
		range: Range::new(0, 3)?,
		expiry: 5000,
	};
	let sealed = seal_grant(&root, &scope, &pair.public_key())?;

	// The reader opens the grant and, with its keys, the three records in the range.
	let keys = open_grant(&pair, &epoch(0), &scope, &sealed)?;
	for month in 0..3 {
		let (context, record) = &records[month as usize];
		let value = decrypt_value(&keys.leaf_key(month)?, context, record)?;
		print!("{}", String::from_utf8(value)?);
	}
	let outside = keys.leaf_key(3).expect_err("it is outside the range");
	println!("{outside}");

	// After the owner starts a new epoch, the same leaves have unrelated keys.
	let next = master.epoch_root(&epoch(1));
	let (context, record) = store(0, &next.leaf_key(0))?;
	let revoked = decrypt_value(&keys.leaf_key(0)?, &context, &record);
	assert_eq!(revoked, Err(RecordError::WrongKey));
	Ok(())
}

#[test]
fn it_runs() {
	main().unwrap();
}
