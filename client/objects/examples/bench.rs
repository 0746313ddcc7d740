// SPDX-License-Identifier: Apache-2.0
//! Stores, fetches and reads an object, or the same bytes without encryption, for `scripts/bench-objects`:
//!
//! ```text
//! bench store LOCATION FILE JOURNAL      prints the object: header, length and root
//! bench fetch LOCATION FILE OBJECT
//! bench ranges LOCATION COUNT OBJECT     prints how long reading a MiB somewhere takes, in milliseconds
//! bench put LOCATION FILE                by object_store alone
//! bench get LOCATION FILE
//! bench plain-ranges LOCATION COUNT      prints how long reading a MiB somewhere takes so
//! ```

use isthmus_envelope::{EpochId, LeafKey, MasterSecret, RecordContext};
use isthmus_objects::{Location, Object, Reader, Upload};
use object_store::{ObjectStoreExt, WriteMultipart};
use std::{
	error::Error,
	fs::File,
	io::{Read, Write},
	path::Path,
	time::Instant,
};

/// The bytes of a part, and how many parts are on their way, as an upload has them.
const PART: usize = 8 << 20;
const AT_ONCE: usize = 12;
const MIB: u64 = 1 << 20;

const CONTEXT: RecordContext = RecordContext {
	genesis: [1; 32],
	owner: [2; 32],
	key: [3; 32],
	version: 0,
};

fn leaf() -> LeafKey {
	let epoch = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 0,
		epoch: 0,
	};
	let master = MasterSecret::from_bytes([7; 32]);
	master.epoch_root(&epoch).leaf_key(0)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
	let words: Vec<String> = std::env::args().skip(1).collect();
	match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
		["store", url, file, journal] => store(url, file, journal).await,
		["fetch", url, file, object] => {
			let mut out = File::create(file)?;
			Ok(reader(url, object)?
				.write_to(&mut out, 0, &mut |_| {})
				.await?)
		}
		["ranges", url, count, object] => ranges(url, count.parse()?, object).await,
		["put", url, file] => put(url, file).await,
		["get", url, file] => get(url, file).await,
		["plain-ranges", url, count] => plain_ranges(url, count.parse()?).await,
		_ => Err("usage: bench store|fetch|ranges|put|get|plain-ranges LOCATION …".into()),
	}
}

async fn store(url: &str, file: &str, journal: &str) -> Result<(), Box<dyn Error>> {
	let (location, file, leaf) = (Location::open(url)?, File::open(file)?, leaf());
	let length = file.metadata()?.len();
	let upload = Upload::new(&location, &leaf, &CONTEXT, Path::new(journal));
	let object = upload.run(file, Some(length), &mut |_| {}).await?.object;
	let (header, root) = (object.header().to_bytes(), object.root());
	println!(
		"{}:{}:{}",
		hex::encode(header),
		object.length(),
		hex::encode(root)
	);
	Ok(())
}

fn bytes(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
	hex::decode(digits).map_err(|error| error.to_string().into())
}

/// Opens an object as `store` prints it.
fn reader(url: &str, object: &str) -> Result<Reader, Box<dyn Error>> {
	let [header, length, root] = object.split(':').collect::<Vec<_>>()[..] else {
		return Err("this is not an object".into());
	};
	let header = bytes(header)?
		.try_into()
		.map_err(|_| "the header's length is wrong")?;
	let root = bytes(root)?
		.try_into()
		.map_err(|_| "the root's length is wrong")?;
	let object = Object::new(&header, length.parse()?, root)?;
	Ok(Reader::new(
		&leaf(),
		&CONTEXT,
		object,
		vec![Location::open(url)?],
	)?)
}

/// Where the MiB with a number is read: all over the value, in an order that no cache expects.
fn place(number: u64, length: u64) -> u64 {
	number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (length / MIB).max(1) * MIB
}

async fn ranges(url: &str, count: u64, object: &str) -> Result<(), Box<dyn Error>> {
	let reader = reader(url, object)?;
	for number in 0..=count {
		let from = place(number, reader.length());
		let start = Instant::now();
		reader.read_range(from, MIB).await?;
		// The first one reads the list of checksums, too.
		if number > 0 {
			println!("{:.3}", start.elapsed().as_secs_f64() * 1000.0);
		}
	}
	Ok(())
}

async fn put(url: &str, file: &str) -> Result<(), Box<dyn Error>> {
	let (store, path) = object_store::parse_url_opts(&url.parse()?, variables())?;
	let upload = store.put_multipart(&path).await?;
	let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
	let (mut file, mut part) = (File::open(file)?, vec![0; PART]);
	loop {
		let got = file.read(&mut part)?;
		if got == 0 {
			break;
		}
		upload.wait_for_capacity(AT_ONCE).await?;
		upload.write(&part[..got]);
	}
	upload.finish().await?;
	Ok(())
}

async fn get(url: &str, file: &str) -> Result<(), Box<dyn Error>> {
	use futures::{StreamExt, TryStreamExt};
	let (store, path) = object_store::parse_url_opts(&url.parse()?, variables())?;
	let (size, mut out) = (store.head(&path).await?.size, File::create(file)?);
	let ranges = (0..size)
		.step_by(PART)
		.map(|at| at..size.min(at + PART as u64));
	let parts = futures::stream::iter(ranges.map(|range| store.get_range(&path, range)));
	let mut parts = parts.buffered(AT_ONCE);
	while let Some(part) = parts.try_next().await? {
		out.write_all(&part)?;
	}
	Ok(())
}

async fn plain_ranges(url: &str, count: u64) -> Result<(), Box<dyn Error>> {
	let (store, path) = object_store::parse_url_opts(&url.parse()?, variables())?;
	let length = store.head(&path).await?.size;
	for number in 0..=count {
		let from = place(number, length);
		let start = Instant::now();
		store.get_range(&path, from..from + MIB).await?;
		if number > 0 {
			println!("{:.3}", start.elapsed().as_secs_f64() * 1000.0);
		}
	}
	Ok(())
}

/// Returns the settings in the environment, as `object_store` takes them.
fn variables() -> impl Iterator<Item = (String, String)> {
	std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value))
}
