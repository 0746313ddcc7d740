// SPDX-License-Identifier: Apache-2.0
//! Reads a record and writes it to stdout:
//!
//! ```text
//! ISTHMUS_KEY=//Charlie cargo run --release --example query -- OWNER marks.csv > copy.csv
//! ```
//!
//! `ISTHMUS_URL` is the node's address and `ISTHMUS_KEY` a development account. If the account may not read
//! the record yet, the example asks the owner for access to the first hundred leaves of dataset 0.

use isthmus_sdk::{
	record_key, AccountId, Client, Error as SdkError, Identity, PurposeCode, QueryRefusal, Reading,
	Scope,
};
use std::{error::Error, io::Write, str::FromStr};

/// How many blocks to request access for.
const TERM: u32 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
	let mut arguments = std::env::args().skip(1);
	let (Some(owner), Some(name)) = (arguments.next(), arguments.next()) else {
		return Err("usage: query OWNER NAME".into());
	};
	let owner = AccountId::from_str(&owner)?;
	let key = record_key(&name)?;
	let url = std::env::var("ISTHMUS_URL").unwrap_or_else(|_| "ws://127.0.0.1:9944".into());
	let client = Client::connect(&url).await?;
	let reader = Identity::development(&std::env::var("ISTHMUS_KEY")?)?;

	match Reading::open(&client, &reader, &owner, key).await {
		Ok(reading) => {
			let mut out = std::io::stdout();
			reading.run(&mut out, 0, &mut ()).await?;
			Ok(out.flush()?)
		}
		Err(SdkError::Query(QueryRefusal::NotAuthorised)) => ask(&client, &reader, &owner).await,
		Err(error) => Err(error.into()),
	}
}

/// Asks the owner for access. The answer is sealed to a key of this request alone.
async fn ask(client: &Client, reader: &Identity, owner: &AccountId) -> Result<(), Box<dyn Error>> {
	let scope = Scope {
		dataset: 0,
		epoch: 0,
		from: 0,
		to: 100,
	};
	let key = reader.encryption.fresh()?.public_key();
	let request = client
		.request_access(
			owner,
			scope,
			"an example",
			PurposeCode::Unspecified,
			TERM,
			0,
			false,
			&key,
		)
		.await?;
	let included = client.send(&reader.account, &request).await?;
	eprintln!(
		"asked for access in block {}: run again when it is granted",
		included.number()
	);
	Ok(())
}
