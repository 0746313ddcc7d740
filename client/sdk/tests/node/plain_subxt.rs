// SPDX-License-Identifier: Apache-2.0
//! Uses the chain with subxt alone, as a program does that knows nothing of this crate: with the metadata that the node sends,
//! and subxt's defaults for a Substrate chain.

use crate::scenario::{connect, url};
use subxt::{
	config::SubstrateConfig,
	dynamic::{self, Value},
	error::{DispatchError, TransactionEventsError, TransactionFinalizedSuccessError},
	OnlineClient,
};
use subxt_signer::sr25519::dev;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subxt_reads_registers_and_names_the_chains_error() {
	// Waits for the node.
	connect().await;
	let api = OnlineClient::<SubstrateConfig>::from_insecure_url(url())
		.await
		.unwrap();
	let bob = dev::bob();
	let register = async || {
		let kind = Value::unnamed_variant("School", []);
		let name = Value::from_bytes("A school that uses subxt");
		let call = dynamic::transaction("DataSharing", "register", (kind, name));
		let block = api.at_current_block().await.unwrap();
		let mut transactions = block.transactions();
		let sent = transactions.sign_and_submit_then_watch_default(&call, &bob);
		sent.await.unwrap().wait_for_finalized_success().await
	};
	let events = register().await.unwrap();
	let names: Vec<_> = events
		.iter()
		.map(|event| event.unwrap())
		.map(|event| format!("{}.{}", event.pallet_name(), event.event_name()))
		.collect();
	assert!(
		names.contains(&"DataSharing.Registered".into()),
		"{names:?}"
	);

	let error = register().await.unwrap_err();
	let TransactionFinalizedSuccessError::SuccessError(TransactionEventsError::ExtrinsicFailed(
		DispatchError::Module(error),
	)) = error
	else {
		panic!("{error:?}");
	};
	let details = error.details().unwrap();
	assert_eq!(
		(details.pallet.name(), details.variant.name.as_str()),
		("DataSharing", "AlreadyRegistered")
	);
	assert!(details.variant.docs.join(" ").contains("registered"));

	let block = api.at_current_block().await.unwrap();
	let producers = dynamic::storage::<([u8; 32],), Value>("DataSharing", "Producers");
	let producer = block
		.storage()
		.fetch(producers, (bob.public_key().0,))
		.await
		.unwrap();
	let shown = producer.decode().unwrap().to_string();
	assert!(shown.contains("School"), "{shown}");
	// The development chain's only miner.
	let author = dynamic::runtime_api_call::<_, [u8; 32]>("BlockAuthorApi", "author", ());
	let author = block.runtime_apis().call(author).await.unwrap();
	assert_eq!(author, dev::alice().public_key().0);
}
