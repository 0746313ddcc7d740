// SPDX-License-Identifier: Apache-2.0
//! Grants requests automatically, according to a policy for dataset 0:
//!
//! ```text
//! ISTHMUS_KEY=//Bob cargo run --release --example serve
//! ```
//!
//! `ISTHMUS_URL` is the node's address and `ISTHMUS_KEY` a development account. With a number as its
//! argument, the example ends after that number of grants.

use isthmus_sdk::{
	serve::{serve, Limits, Memory, Served},
	Client, ConsumerKinds, Identity, Policy, PurposeCodes,
};
use std::{error::Error, time::Duration};

/// How long to wait before reconnecting.
const RETRY: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
	let grants = match std::env::args().nth(1) {
		Some(number) => Some(number.parse()?),
		None => None,
	};
	let url = std::env::var("ISTHMUS_URL").unwrap_or_else(|_| "ws://127.0.0.1:9944".into());
	let mut client = Client::connect(&url).await?;
	let owner = Identity::development(&std::env::var("ISTHMUS_KEY")?)?;

	let policy = Policy {
		price: 0,
		firm_price: None,
		longest_range: 1_000,
		longest_term: 10_000,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	let set = client.set_policy(0, policy, None).await?;
	client.send(&owner.account, &set).await?;

	let limits = Limits {
		grants,
		..Limits::default()
	};
	// The memory outlives the connection, so that nothing is counted or sent twice.
	let mut memory = Memory::default();
	loop {
		let served = serve(
			&client,
			&owner,
			&limits,
			&mut memory,
			|served: Served| match served.outcome {
				Ok(included) => println!(
					"granted request {} in block {}",
					served.request,
					included.number()
				),
				Err(error) => eprintln!("request {}: {error}", served.request),
			},
		);
		match served.await {
			Err(error) if error.is_connection() => eprintln!("{error}"),
			ended => return Ok(ended?),
		}
		tokio::time::sleep(RETRY).await;
		if let Ok(connected) = Client::connect(&url).await {
			client = connected;
		}
	}
}
