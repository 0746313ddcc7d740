// SPDX-License-Identifier: Apache-2.0
//! Tests values in chunks: they are stored, interrupted, resumed, changed in between, and read in full or in
//! part.

use crate::scenario::*;
use isthmus_sdk::{upload::CHUNK_SIZE, *};
use std::{collections::BTreeMap, io::Cursor, time::Instant};
use tokio::sync::oneshot;

/// Stops an upload in the middle: the task that runs it panics at this progress.
struct StopAt(u64);

impl Progress for StopAt {
	fn at(&mut self, stage: Stage, done: u64, _: u64) {
		assert!(stage != Stage::Sending || done < self.0, "stopped");
	}
}

/// Tells when the first chunk is in a block.
struct TellFirst(Option<oneshot::Sender<()>>);

impl Progress for TellFirst {
	fn at(&mut self, stage: Stage, _: u64, _: u64) {
		if let Some(tell) = self.0.take_if(|_| stage == Stage::Sending) {
			let _ = tell.send(());
		}
	}
}

/// Notes how much of a value was compared.
#[derive(Default)]
struct Checked(u64);

impl Progress for Checked {
	fn at(&mut self, stage: Stage, done: u64, _: u64) {
		if stage == Stage::Checking {
			self.0 = done;
		}
	}
}

/// Starts to store a value and stops when some chunks are in blocks.
async fn interrupt(client: &Client, school: &Identity, place: Place, value: &[u8]) {
	let (client, school, value) = (client.clone(), school.clone(), value.to_vec());
	let length = value.len() as u64;
	let stopped = tokio::spawn(async move {
		Upload::new(&client, &school, place)
			.run(&mut Cursor::new(value), length, &mut StopAt(2_000_000))
			.await
	});
	assert!(stopped.await.unwrap_err().is_panic());
}

/// The value has more chunks than are in flight when the upload is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_value_is_interrupted_resumed_and_read() {
	let client = connect().await;
	let uris = ["//large-values//school", "//large-values//company"];
	let [school, company] = accounts(&client, uris).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	let value = bytes(24_000_000);
	let length = value.len() as u64;
	let place = place("large", 0, 5_000);
	interrupt(&client, &school, place, &value).await;
	let refused = read(&client, &school, school.id(), place.key).await;
	assert!(
		matches!(refused, Err(Error::Query(QueryRefusal::Incomplete))),
		"{refused:?}"
	);

	let upload = async |value: &[u8]| {
		let length = value.len() as u64;
		Upload::new(&client, &school, place)
			.run(&mut Cursor::new(value), length, &mut ())
			.await
			.unwrap_err()
	};
	let mut changed = value.clone();
	changed[8_000_000] ^= 1;
	let refused = upload(&changed).await;
	assert!(
		matches!(
			refused,
			Error::Upload(UploadError::ValueChanged { chunk: 7 })
		),
		"{refused:?}"
	);
	let refused = upload(&value[1..]).await;
	assert!(matches!(
		refused,
		Error::Upload(UploadError::LengthChanged { expected }) if expected == length
	));

	// After its epoch has ended, the upload is resumed only on request.
	let start = client.start_epoch(0).await.unwrap();
	client.send(&school.account, &start).await.unwrap();
	let refused = upload(&value).await;
	assert!(
		matches!(
			refused,
			Error::Upload(UploadError::EpochOver {
				epoch: 0,
				now: 1,
				..
			})
		),
		"{refused:?}"
	);

	// Naming another leaf makes no difference: the upload is resumed at the leaf where it started.
	let elsewhere = Place {
		leaf: 6_000,
		..place
	};
	let stored = Upload::new(&client, &school, elsewhere)
		.in_ended_epoch()
		.run(&mut Cursor::new(&value), length, &mut ())
		.await
		.unwrap();
	assert!(stored.resumed);
	assert_eq!(stored.place, place);
	assert!(stored.transactions < 22, "{}", stored.transactions);
	let refused = upload(&value).await;
	assert!(matches!(
		refused,
		Error::Upload(UploadError::AlreadyStored(key)) if key == place.key
	));

	give(&client, &school, company.id(), scope(0, 0, 5_000, 5_001)).await;
	let read = read(&client, &company, school.id(), place.key).await;
	assert!(read.unwrap() == value);
	let reading = Reading::open(&client, &company, school.id(), place.key)
		.await
		.unwrap();
	let part = &value[..3_000_000];
	let intact = reading.check(&mut &part[..], &mut ()).await.unwrap();
	assert_eq!(
		(intact.chunks, intact.bytes),
		(2, 2 * u64::from(CHUNK_SIZE))
	);
	let mut rest = Vec::new();
	reading
		.run(&mut rest, intact.chunks, &mut ())
		.await
		.unwrap();
	assert!(rest == value[intact.bytes as usize..]);
	let mut told = Checked::default();
	assert!(reading.matches(&mut &value[..], &mut told).await.unwrap());
	assert_eq!(told.0, value.len() as u64);
	assert!(!reading.matches(&mut &value[1..], &mut ()).await.unwrap());
}

/// The readers of the epoch may include one that is revoked by its end, so what follows must not be under its keys. The value
/// has far more chunks than are in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_upload_stops_when_its_epoch_ends() {
	let client = connect().await;
	let [school] = accounts(&client, ["//stopped//school"]).await;
	register(&client, &school).await;
	let (place, value) = (place("stopped", 0, 0), bytes(48 * CHUNK_SIZE as usize));
	let length = value.len() as u64;
	let (first, started) = oneshot::channel();
	let upload = {
		let (client, school, value) = (client.clone(), school.clone(), value.clone());
		tokio::spawn(async move {
			Upload::new(&client, &school, place)
				.run(&mut Cursor::new(value), length, &mut TellFirst(Some(first)))
				.await
		})
	};
	started.await.unwrap();
	let start = client.start_epoch(0).await.unwrap();
	client.send(&school.account, &start).await.unwrap();
	let stopped = upload.await.unwrap();
	assert!(
		matches!(
			stopped,
			Err(Error::Upload(UploadError::EpochOver {
				epoch: 0,
				now: 1,
				..
			}))
		),
		"{stopped:?}"
	);
	let best = client.best().await.unwrap();
	let record = best.record(school.id(), place.key).await.unwrap().unwrap();
	assert!(!record.payload.is_complete());
	// Who does not mind goes on.
	let stored = Upload::new(&client, &school, place)
		.in_ended_epoch()
		.run(&mut Cursor::new(&value), length, &mut ())
		.await
		.unwrap();
	assert!(stored.resumed);
	assert_eq!(stored.place, place);
}

/// An upload sends one transaction per chunk and does not choose a new anchor for each. How many other
/// requests it sends depends on how many blocks include the chunks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_takes_few_requests() {
	let client = connect().await;
	let [school] = accounts(&client, ["//requests//school"]).await;
	register(&client, &school).await;
	let value = bytes(8 * CHUNK_SIZE as usize);
	let (before, start) = (client.requests(), Instant::now());
	store(&client, &school, place("requests", 0, 0), &value).await;
	let seconds = start.elapsed().as_secs();
	let requests = client.requests();
	println!("before: {before:?}\nafter {seconds} s: {requests:?}");
	let sent = |method: &str| {
		let of = |requests: &BTreeMap<String, u64>| requests.get(method).copied().unwrap_or(0);
		of(&requests) - of(&before)
	};
	// One for the manifest and one for each chunk.
	assert_eq!(sent("transactionWatch_v1_submitAndWatch"), 9);
	// Only the choice of an anchor asks for the last finalized block here, at most once in 10 seconds.
	let anchors = sent("chain_getFinalizedHead");
	assert!(anchors <= 1 + seconds / 10, "{anchors} in {seconds} s");
}
