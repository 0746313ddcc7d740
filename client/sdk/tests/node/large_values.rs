//! Large values, and what a dataset of them tells.

use super::*;

/// Values in chunks: stored, interrupted, gone on with, changed in between, read, and read in part.
pub(super) async fn large_values(client: &Client, school: &Identity, company: &Identity) {
	let dataset = new_dataset(client, school, "of large values").await;
	// More chunks than are in flight when it is stopped.
	let value = value(24_000_000);
	let length = value.len() as u64;
	let place = Place {
		key: record_key("large").unwrap(),
		dataset,
		epoch: 0,
		leaf: 5_000,
	};
	let (to, who, bytes) = (client.clone(), school.clone(), value.clone());
	let stopped = tokio::spawn(async move {
		let upload = Upload::new(&to, &who, place);
		upload
			.run(&mut Cursor::new(bytes), length, &mut StopAt(2_000_000))
			.await
	});
	assert!(stopped.await.unwrap_err().is_panic());
	let refused = read(client, school, school.id(), place.key).await;
	assert!(
		matches!(refused, Err(Error::Query(QueryRefusal::Incomplete))),
		"{refused:?}"
	);

	let mut changed = value.clone();
	changed[8_000_000] ^= 1;
	let upload = Upload::new(client, school, place);
	let refused = upload.run(&mut Cursor::new(changed), length, &mut ()).await;
	assert!(
		matches!(refused, Err(Error::ValueChanged { chunk: 7 })),
		"{refused:?}"
	);
	let upload = Upload::new(client, school, place);
	let refused = upload
		.run(&mut Cursor::new(&value[1..]), length - 1, &mut ())
		.await;
	assert!(matches!(refused, Err(Error::LengthChanged { expected }) if expected == length));

	// Its epoch ends: it is gone on with only if that is wanted.
	let start = client.start_epoch(dataset).await.unwrap();
	client.send(&school.account, &start).await.unwrap();
	let upload = Upload::new(client, school, place);
	let refused = upload.run(&mut Cursor::new(&value), length, &mut ()).await;
	assert!(
		matches!(
			refused,
			Err(Error::EpochOver {
				epoch: 0,
				now: 1,
				..
			})
		),
		"{refused:?}"
	);

	// Another leaf makes no difference: it is gone on with where it was begun.
	let upload = Upload::new(
		client,
		school,
		Place {
			leaf: 6_000,
			..place
		},
	);
	let done = upload
		.in_ended_epoch()
		.run(&mut Cursor::new(&value), length, &mut ())
		.await
		.unwrap();
	assert!(done.resumed);
	assert_eq!(done.place, place);
	assert!(done.transactions < 22, "{}", done.transactions);
	let upload = Upload::new(client, school, place);
	let refused = upload.run(&mut Cursor::new(&value), length, &mut ()).await;
	assert!(matches!(refused, Err(Error::AlreadyStored(key)) if key == place.key));

	let best = client.best().await.unwrap();
	let terms = Terms {
		grantee: *company.id(),
		scope: Scope {
			dataset,
			epoch: 0,
			from: 5_000,
			to: 5_001,
		},
		expiry: sharing::expiry(&best, 1_000),
		until: None,
		request: None,
	};
	let call = sharing::grant(client, &best, school, &terms).await.unwrap();
	client.send(&school.account, &call).await.unwrap();
	assert!(read(client, company, school.id(), place.key).await.unwrap() == value);
	let reading = Reading::open(client, company, school.id(), place.key)
		.await
		.unwrap();
	let part = &value[..3_000_000];
	let (chunks, bytes) = reading.check(&mut &part[..], &mut ()).await.unwrap();
	assert_eq!((chunks, bytes), (2, 2 * 1022 * 1024));
	let mut rest = Vec::new();
	reading.run(&mut rest, chunks, &mut ()).await.unwrap();
	assert!(rest == value[bytes as usize..]);
	assert!(reading.is(&mut &value[..]).await.unwrap());
	assert!(!reading.is(&mut &value[1..]).await.unwrap());
}
