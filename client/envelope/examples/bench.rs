//! How fast the envelope is on one core, as one line of JSON: encryption and decryption of a value in
//! memory, and the making and opening of the largest grant. `scripts/bench-sharing` runs it.

use isthmus_envelope::*;
use std::time::{Duration, Instant};

/// Bytes of the value.
const SIZE: usize = 256 << 20;
/// How often each is done; the median counts.
const ROUNDS: usize = 9;
/// How many grants are made in a round.
const GRANTS: u32 = 200;

fn median(mut times: Vec<Duration>) -> f64 {
	times.sort();
	times[times.len() / 2].as_secs_f64()
}

/// The median time of `ROUNDS` rounds.
fn timed(
	mut work: impl FnMut() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<f64, Box<dyn std::error::Error>> {
	let mut times = Vec::new();
	for _ in 0..ROUNDS {
		let start = Instant::now();
		work()?;
		times.push(start.elapsed());
	}
	Ok(median(times))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
	let (genesis, owner, grantee) = ([1; 32], [2; 32], [3; 32]);
	let id = EpochId {
		genesis,
		owner,
		dataset: 0,
		epoch: 0,
	};
	let root = MasterSecret::generate()?.epoch_root(&id);
	let leaf = root.leaf_key(7);
	let context = RecordContext {
		genesis,
		owner,
		key: [4; 32],
		version: 0,
	};
	// Not zeros, and no page that was never touched.
	let value: Vec<u8> = (0..SIZE).map(|i| (i >> 3) as u8 ^ i as u8).collect();

	let mut chunk = Vec::with_capacity(record::MAX_CHUNK_SIZE as usize + record::TAG_LEN);
	let encrypt = timed(|| {
		let mut encryptor = Encryptor::new(&leaf, &context, record::MAX_CHUNK_SIZE, SIZE as u64)?;
		for plain in value.chunks(record::MAX_CHUNK_SIZE as usize) {
			chunk.clear();
			chunk.extend_from_slice(plain);
			encryptor.encrypt_chunk(&mut chunk)?;
		}
		Ok(())
	})?;
	let stored = encrypt_value(&leaf, &context, &value)?;
	let header = record::Header::read(&stored)?;
	let decrypt = timed(|| {
		let decryptor = Decryptor::new(&leaf, &context, header.clone())?;
		let chunks =
			stored[record::Header::LEN..].chunks(record::MAX_CHUNK_SIZE as usize + record::TAG_LEN);
		for (number, sealed) in (0..).zip(chunks) {
			chunk.clear();
			chunk.extend_from_slice(sealed);
			decryptor.decrypt_chunk(number, &mut chunk)?;
		}
		Ok(())
	})?;

	// The range with the largest cover: 62 nodes.
	let range = Range::new(1, tree::LEAVES - 1)?;
	let scope = GrantScope {
		grantee,
		range,
		expiry: 1000,
	};
	let pair = EncryptionKeyPair::generate()?;
	let public = pair.public_key();
	let sealed = seal_grant(&root, &scope, &public)?;
	let seal = timed(|| {
		for _ in 0..GRANTS {
			seal_grant(&root, &scope, &public)?;
		}
		Ok(())
	})?;
	let open = timed(|| {
		for _ in 0..GRANTS {
			open_grant(&pair, &id, &scope, &sealed)?;
		}
		Ok(())
	})?;
	println!(
		"{{\"encryptGBps\":{:.2},\"decryptGBps\":{:.2},\"largestGrantBytes\":{},\"sealGrantMicros\":{:.0},\"openGrantMicros\":{:.0}}}",
		SIZE as f64 / encrypt / 1e9,
		SIZE as f64 / decrypt / 1e9,
		sealed.len(),
		seal / f64::from(GRANTS) * 1e6,
		open / f64::from(GRANTS) * 1e6,
	);
	Ok(())
}
