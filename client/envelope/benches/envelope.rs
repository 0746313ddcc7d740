// SPDX-License-Identifier: Apache-2.0
//! Measures the envelope on one core and prints one line of JSON: encrypting and decrypting a value in
//! memory, and sealing and opening the largest grant. `scripts/bench-sharing` runs it.
//!
//! Without `--bench`, which `cargo bench` passes, it runs once over a small value to show that it works.

use isthmus_envelope::*;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const GENESIS: [u8; 32] = [1; 32];
const OWNER: [u8; 32] = [2; 32];
const GRANTEE: [u8; 32] = [3; 32];

/// How much to measure.
struct Effort {
	/// Length of the value in bytes.
	size: usize,
	/// Rounds per measurement, of which the median is reported.
	rounds: usize,
	/// Grants sealed or opened per round.
	grants: u32,
}

const MEASURE: Effort = Effort {
	size: 256 << 20,
	rounds: 9,
	grants: 200,
};
const TRY: Effort = Effort {
	size: 3 << 20,
	rounds: 1,
	grants: 1,
};

fn median(mut times: Vec<Duration>) -> f64 {
	times.sort();
	times[times.len() / 2].as_secs_f64()
}

/// Returns the median time of the rounds, in seconds.
fn timed(effort: &Effort, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
	let mut times = Vec::new();
	for _ in 0..effort.rounds {
		let start = Instant::now();
		work()?;
		times.push(start.elapsed());
	}
	Ok(median(times))
}

fn root() -> Result<EpochRoot> {
	Ok(MasterSecret::generate()?.epoch_root(&epoch()))
}

fn epoch() -> EpochId {
	EpochId {
		genesis: GENESIS,
		owner: OWNER,
		dataset: 0,
		epoch: 0,
	}
}

/// Returns the number of bytes encrypted and decrypted per second.
fn records(effort: &Effort) -> Result<(f64, f64)> {
	let leaf = root()?.leaf_key(7);
	let context = RecordContext {
		genesis: GENESIS,
		owner: OWNER,
		key: [4; 32],
		version: 0,
	};
	let (size, chunk_size) = (effort.size, record::MAX_CHUNK_SIZE as usize);
	// The value is not all zeros, so that every page is really in memory.
	let value: Vec<u8> = (0..size).map(|i| (i >> 3) as u8 ^ i as u8).collect();

	let mut chunk = Vec::with_capacity(chunk_size + record::TAG_LEN);
	let encrypt = timed(effort, || {
		let mut encryptor = Encryptor::new(&leaf, &context, record::MAX_CHUNK_SIZE, size as u64)?;
		for plain in value.chunks(chunk_size) {
			chunk.clear();
			chunk.extend_from_slice(plain);
			encryptor.encrypt_chunk(&mut chunk)?;
		}
		Ok(())
	})?;
	let stored = encrypt_value(&leaf, &context, &value)?;
	let header = Header::read(&stored)?;
	let decrypt = timed(effort, || {
		let decryptor = Decryptor::new(&leaf, &context, header.clone())?;
		let chunks = stored[Header::LEN..].chunks(chunk_size + record::TAG_LEN);
		for (number, sealed) in (0..).zip(chunks) {
			chunk.clear();
			chunk.extend_from_slice(sealed);
			decryptor.decrypt_chunk(number, &mut chunk)?;
		}
		Ok(())
	})?;
	Ok((size as f64 / encrypt, size as f64 / decrypt))
}

/// Returns the length of the largest grant and the seconds that it takes to seal and to open it.
fn grants(effort: &Effort) -> Result<(usize, f64, f64)> {
	// The range with the largest cover: 62 nodes.
	let range = Range::new(1, tree::LEAVES - 1)?;
	let scope = GrantScope {
		grantee: GRANTEE,
		range,
		expiry: 1000,
	};
	let (root, pair) = (root()?, EncryptionKeyPair::generate()?);
	let public = pair.public_key();
	let sealed = seal_grant(&root, &scope, &public)?;
	let seal = timed(effort, || {
		for _ in 0..effort.grants {
			seal_grant(&root, &scope, &public)?;
		}
		Ok(())
	})?;
	let open = timed(effort, || {
		for _ in 0..effort.grants {
			open_grant(&pair, &epoch(), &scope, &sealed)?;
		}
		Ok(())
	})?;
	let each = f64::from(effort.grants);
	Ok((sealed.len(), seal / each, open / each))
}

fn main() -> Result<()> {
	let effort = match std::env::args().any(|arg| arg == "--bench") {
		true => MEASURE,
		false => TRY,
	};
	let (encrypt, decrypt) = records(&effort)?;
	let (length, seal, open) = grants(&effort)?;
	println!(
		"{{\"encryptGBps\":{:.2},\"decryptGBps\":{:.2},\"largestGrantBytes\":{length},\"sealGrantMicros\":{:.0},\"openGrantMicros\":{:.0}}}",
		encrypt / 1e9,
		decrypt / 1e9,
		seal * 1e6,
		open * 1e6,
	);
	Ok(())
}
