// SPDX-License-Identifier: Apache-2.0
//! Stores a file as a record, under its own name:
//!
//! ```text
//! ISTHMUS_KEY=//Bob cargo run --release --example store -- marks.csv
//! ```
//!
//! `ISTHMUS_URL` is the node's address and `ISTHMUS_KEY` a development account. The account registers as a
//! producer and creates a dataset, unless it has done so before.

use isthmus_sdk::{
	every, record_key, Client, DatasetId, Identity, Place, ProducerKind, Progress, Stage, Upload,
};
use std::{error::Error, fs::File, path::PathBuf};

/// Prints how much of the file is in blocks.
struct Print;

impl Progress for Print {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if stage == Stage::Sending {
			eprintln!("{done} of {total} bytes");
		}
	}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
	let path = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: store FILE")?);
	let name = path.file_name().and_then(|name| name.to_str());
	let key = record_key(name.ok_or("the file's name is not UTF-8")?)?;
	let url = std::env::var("ISTHMUS_URL").unwrap_or_else(|_| "ws://127.0.0.1:9944".into());
	let client = Client::connect(&url).await?;
	let owner = Identity::development(&std::env::var("ISTHMUS_KEY")?)?;

	let dataset = dataset(&client, &owner).await?;
	let best = client.best().await?;
	let epoch = match best.dataset(owner.id(), dataset).await? {
		Some(dataset) => dataset.epoch,
		None => return Err("the dataset was removed".into()),
	};
	let leaf = best.free_leaf(owner.id(), dataset, epoch).await?;
	let place = Place {
		key,
		dataset,
		epoch,
		leaf,
	};
	let mut file = File::open(&path)?;
	let length = file.metadata()?.len();
	// If the program is run again after an interruption, this resumes the upload.
	let stored = Upload::new(&client, &owner, place)
		.run(&mut file, length, &mut Print)
		.await?;
	println!(
		"stored in block {}, at leaf {} of dataset {dataset}",
		stored.done.block().number,
		stored.place.leaf
	);
	Ok(())
}

/// Returns the account's first dataset. Registers the account and creates the dataset if necessary.
async fn dataset(client: &Client, owner: &Identity) -> Result<DatasetId, isthmus_sdk::Error> {
	let best = client.best().await?;
	if best.producer(owner.id()).await?.is_none() {
		let register = client.register(ProducerKind::Other, "An example").await?;
		client.send(&owner.account, &register).await?;
	}
	let datasets = every(|after| best.datasets(owner.id(), after)).await?;
	if let Some(first) = datasets.first() {
		return Ok(first.id);
	}
	let create = client.create_dataset("examples").await?;
	client.send(&owner.account, &create).await?;
	Ok(0)
}
