// SPDX-License-Identifier: Apache-2.0
//! Tests sending transactions: many in flight, in batches, and from several programs.

use crate::scenario::*;
use isthmus_sdk::*;

#[tokio::test]
async fn transactions_in_flight_keep_their_order() {
	let client = connect().await;
	let [school] = accounts(&client, ["//in-flight//school"]).await;
	register(&client, &school).await;
	let mut pending = Vec::new();
	for leaf in 0..=30u32 {
		let place = place(&format!("record {leaf}"), 0, leaf);
		let upload = Upload::new(&client, &school, place);
		pending.push(upload.submit_whole(&leaf.to_be_bytes()).await.unwrap());
	}
	let mut places = Vec::new();
	for mut pending in pending {
		let included = pending.included().await.unwrap();
		places.push((included.number(), included.index));
	}
	assert!(places.is_sorted());
	let best = client.best().await.unwrap();
	let records = every(|after| best.records(school.id(), after))
		.await
		.unwrap();
	assert_eq!(records.len(), 31);
	assert_eq!(best.free_leaf(school.id(), 0, 0).await.unwrap(), 31);
	let key = record_key("record 30").unwrap();
	let read = read(&client, &school, school.id(), key).await;
	assert_eq!(read.unwrap(), 30u32.to_be_bytes());
}

#[tokio::test]
async fn a_key_that_is_taken_is_refused() {
	let client = connect().await;
	let [school] = accounts(&client, ["//key-taken//school"]).await;
	register(&client, &school).await;
	store(&client, &school, place("taken", 0, 0), b"x").await;
	// Nothing is sent, so no fee is paid, and no ciphertext is shown to the readers of another leaf.
	let upload = Upload::new(&client, &school, place("taken", 0, 40));
	let refused = upload.submit_whole(b"x").await.unwrap_err();
	assert!(
		matches!(refused, Error::Upload(UploadError::AlreadyStored(_))),
		"{refused}"
	);
	let upload = Upload::new(&client, &school, place("other", 0, 0));
	let refused = upload.submit_whole(b"x").await.unwrap_err();
	assert!(
		matches!(refused, Error::Upload(UploadError::LeafTaken(_))),
		"{refused}"
	);
	let best = client.best().await.unwrap();
	let records = every(|after| best.records(school.id(), after))
		.await
		.unwrap();
	assert_eq!(records.len(), 1);
}

/// Another machine took the leaf. The reader of what is there now has the leaf's key, so no block may have the transaction.
#[tokio::test]
async fn a_store_at_a_leaf_that_was_taken_is_rejected_before_it_is_in_a_block() {
	let client = connect().await;
	let [school] = accounts(&client, ["//leaf-lost//school"]).await;
	register(&client, &school).await;
	store(&client, &school, place("first", 0, 0), b"first").await;
	let funds = async || {
		let best = client.best().await.unwrap();
		best.funds(school.id()).await.unwrap()
	};
	let before = funds().await;
	// The program that lost the leaf did not know of the other one when it chose it.
	let late = client.store(&place("late", 0, 0), b"late").await.unwrap();
	let rejected = client.submit(&school.account, &late).await.unwrap_err();
	assert_eq!(
		rejected.rejection(),
		Some(Rejection::Overtaken),
		"{rejected}"
	);
	assert_eq!(funds().await, before);
	// The account goes on at once, and an upload finds another leaf.
	let upload = Upload::new(&client, &school, place("late", 0, 0)).at_free_leaf();
	let mut late = std::io::Cursor::new(&b"late"[..]);
	let stored = upload.run(&mut late, 4, &mut ()).await.unwrap();
	assert_eq!(stored.place.leaf, 1);
}

/// A client per program: they share only the lock file and the chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_store_at_the_same_time_all_succeed() {
	let client = connect().await;
	let [school] = accounts(&client, ["//at-once//school"]).await;
	register(&client, &school).await;
	let mut stores = tokio::task::JoinSet::new();
	for number in 0..8usize {
		let (client, school) = (connect().await, school.clone());
		stores.spawn(async move {
			let length = if number == 7 { 1_500_000 } else { 100 };
			let mut value = std::io::Cursor::new(bytes(length));
			let place = place(&format!("at once {number}"), 0, 0);
			let upload = Upload::new(&client, &school, place).at_free_leaf();
			let stored = upload.run(&mut value, length as u64, &mut ()).await;
			stored.unwrap().place.leaf
		});
	}
	let mut leaves = stores.join_all().await;
	leaves.sort_unstable();
	assert_eq!(leaves, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_call_that_is_known_to_fail_costs_nothing() {
	let client = connect().await;
	let [school] = accounts(&client, ["//rehearsed//school"]).await;
	register(&client, &school).await;
	let funds = async || {
		let best = client.best().await.unwrap();
		best.funds(school.id()).await.unwrap()
	};
	let before = funds().await;
	for (call, expected) in [
		(client.revoke(u64::MAX).await.unwrap(), "UnknownGrant"),
		(
			client.create_dataset("marks").await.unwrap(),
			"DatasetNameTaken",
		),
		(client.clear_policy(0).await.unwrap(), "NoPolicy"),
		(
			client
				.transfer(school.id(), Balance::MAX / 2)
				.await
				.unwrap(),
			"Underflow",
		),
	] {
		let refused = client.submit(&school.account, &call).await.unwrap_err();
		assert_eq!(refused.refusal().map(PalletError::name), Some(expected));
	}
	assert_eq!(funds().await, before);
}

#[tokio::test]
async fn a_call_of_several_that_fails_leaves_the_others() {
	let client = connect().await;
	let [school] = accounts(&client, ["//batch//school"]).await;
	register(&client, &school).await;
	let calls = [
		client.revoke(u64::MAX).await.unwrap(),
		client.create_dataset("of a batch").await.unwrap(),
	];
	let batch = client.batch_each(&calls).await.unwrap();
	let included = client.send(&school.account, &batch).await.unwrap();
	assert_eq!(included.refused[0].error, PalletError::UnknownGrant);
	assert!(matches!(included.events[0], Event::DatasetCreated { .. }));
	// A batch takes effect entirely or not at all: the second dataset with this name undoes the first call
	// too.
	let calls = [
		client.create_dataset("all or nothing").await.unwrap(),
		client.create_dataset("all or nothing").await.unwrap(),
	];
	let refused = client.send_all(&school.account, &calls).await.unwrap_err();
	assert_eq!(refused.refusal(), Some(&PalletError::DatasetNameTaken));
	let best = client.best().await.unwrap();
	let producer = best.producer(school.id()).await.unwrap().unwrap();
	assert_eq!(producer.datasets, 2);
}

/// Notes how many calls are in blocks.
#[derive(Default)]
struct Calls(Vec<(u64, u64)>);

impl Progress for Calls {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		assert_eq!(stage, Stage::Calling);
		self.0.push((done, total));
	}
}

#[tokio::test]
async fn how_many_of_many_calls_are_in_blocks_is_reported() {
	let client = connect().await;
	let uris = ["//many-calls//school", "//many-calls//company"];
	let [school, company] = accounts(&client, uris).await;
	let one = vec![client.transfer(company.id(), 1).await.unwrap()];
	let many = vec![one[0].clone(); 201];
	for (calls, expected) in [(one, vec![]), (many, vec![(0, 201), (200, 201)])] {
		let mut told = Calls::default();
		let last = client.submit_all(&school.account, &calls, &mut told).await;
		last.unwrap().unwrap().included().await.unwrap();
		assert_eq!(told.0, expected);
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_of_one_account_do_not_replace_each_others_transactions() {
	let client = connect().await;
	let [school] = accounts(&client, ["//two-programs//school"]).await;
	register(&client, &school).await;
	let many = |client: Client, who: Identity, calls: usize| async move {
		let policy = Policy {
			price: 0,
			firm_price: None,
			longest_range: 1,
			longest_term: 1,
			consumers: ConsumerKinds::ALL,
			purposes: PurposeCodes::ALL,
		};
		let set = client.set_policy(0, policy, None).await.unwrap();
		let call = client.batch(&vec![set; calls]).await.unwrap();
		let mut pending = Vec::new();
		for _ in 0..12 {
			pending.push(client.submit(&who.account, &call).await.unwrap());
		}
		for mut pending in pending {
			pending.included().await.unwrap();
		}
	};
	// The pool prefers short transactions.
	let long = tokio::spawn(many(client.clone(), school.clone(), 9));
	let short = tokio::spawn(many(connect().await, school.clone(), 1));
	long.await.unwrap();
	short.await.unwrap();
}
