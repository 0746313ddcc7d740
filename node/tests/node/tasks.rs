// SPDX-License-Identifier: Apache-2.0
//! Tests which ends of a task end the node.

use futures::{
	future::{self, BoxFuture},
	poll, FutureExt,
};
use isthmus_node::service::QueueSpawner;
use polkadot_sdk::*;
use sc_service::{SpawnEssentialTaskHandle, TaskManager};
use sp_core::traits::SpawnEssentialNamed;
use tokio::{runtime::Handle, task::yield_now};

/// Returns whether the node ends when a worker that was spawned this way has ended.
async fn ends_the_node<S: SpawnEssentialNamed>(
	spawner: impl FnOnce(SpawnEssentialTaskHandle) -> S,
	worker: BoxFuture<'static, ()>,
) -> bool {
	let mut manager = TaskManager::new(Handle::current(), None).unwrap();
	spawner(manager.spawn_essential_handle()).spawn_essential("worker", None, worker);
	// The test has one thread, so that the worker runs when the test gives way.
	for _ in 0..10 {
		yield_now().await;
	}
	poll!(manager.future()).is_ready()
}

#[tokio::test]
async fn an_import_queue_that_is_dropped_is_no_failure() {
	let ended = || future::ready(()).boxed();
	assert!(ends_the_node(|essential| essential, ended()).await);
	assert!(!ends_the_node(QueueSpawner, ended()).await);
}

#[tokio::test]
async fn an_import_queue_that_panics_is_a_failure() {
	let panics = async { panic!("this panic is part of the test") }.boxed();
	assert!(ends_the_node(QueueSpawner, panics).await);
}
