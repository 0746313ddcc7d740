// SPDX-License-Identifier: Apache-2.0
//! Tests that nothing is signed for a node whose metadata says something else of a call than this release knows.

use crate::{liar::Liar, scenario::*, serving::set_policy};
use isthmus_sdk::{
	serve::{serve, Limits, Memory, Served},
	*,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_node_exchanged_for_another_is_not_made() {
	// Waits for the node.
	let honest = connect().await;
	let liar = Liar::start(url()).await;
	liar.exchange_in_metadata("cancel_request", "revoke");
	let client = Client::connect(&liar.url()).await.unwrap();
	for (made, what) in [
		(client.revoke(7).await, "DataSharing.revoke"),
		(client.cancel_request(7).await, "DataSharing.cancel_request"),
	] {
		let Err(Error::Unproven(Unproven::FalseMetadata(difference))) = made else {
			panic!("{made:?}");
		};
		assert_eq!(difference.what, what);
	}
	// Nor is one signed, or put into another one, that was made with the true metadata.
	let revoke = honest.revoke(7).await.unwrap();
	let account = Account::from_uri("//Bob").unwrap();
	let sent = client.submit(&account, &revoke).await.map(|_| ());
	let batched = client.batch(&[revoke]).await.map(|_| ());
	for refused in [sent, batched] {
		let is_false = matches!(&refused, Err(Error::Unproven(Unproven::FalseMetadata(_))));
		assert!(is_false, "{refused:?}");
	}
	assert!(liar.heard().transactions.is_empty());
}

/// A client keeps the metadata that it got first, so each further answer would fail, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serving_ends_if_nothing_can_be_signed_and_no_request_is_given_up_for_it() {
	let honest = connect().await;
	let uris = ["//unsigned//school", "//unsigned//company"];
	let [school, company] = accounts(&honest, uris).await;
	register(&honest, &school).await;
	publish(&honest, &company).await;
	set_policy(&honest, &school, 0).await;
	let request = ask(&honest, &company, school.id(), scope(0, 0, 0, 5), 0).await;
	let liar = Liar::start(url()).await;
	liar.exchange_in_metadata("add_authorize", "revoke");
	let client = Client::connect(&liar.url()).await.unwrap();
	let (mut memory, mut served) = (Memory::default(), Vec::new());
	let limits = Limits {
		grants: Some(1),
		..Limits::default()
	};
	let ended = serve(&client, &school, &limits, &mut memory, |report: Served| {
		served.push(report);
	})
	.await;
	assert!(
		matches!(ended, Err(Error::Unproven(Unproven::FalseMetadata(_)))),
		"{ended:?}"
	);
	assert!(served.is_empty(), "{served:?}");
	assert!(liar.heard().transactions.is_empty());
	// With a client that can sign, it is answered at once.
	serve(&honest, &school, &limits, &mut memory, |report: Served| {
		served.push(report);
	})
	.await
	.unwrap();
	assert_eq!(served.len(), 1);
	assert_eq!(served[0].request, request);
	assert!(served[0].outcome.is_ok(), "{served:?}");
}
