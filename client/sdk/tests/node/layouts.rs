// SPDX-License-Identifier: Apache-2.0
//! Tests that nothing is signed for a node whose metadata says something else of a call than this release knows.

use crate::{
	liar::Liar,
	scenario::{connect, url},
};
use isthmus_sdk::*;

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
