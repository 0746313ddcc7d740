//! What a program does with an Isthmus chain: join, store data encrypted, ask for access, open data
//! range by range to those who may read it, and read it.
//!
//! # A worked example
//!
//! A school stores a record and opens it to a company, which reads it:
//!
//! ```no_run
//! use isthmus_sdk::*;
//!
//! # async fn example() -> Result<(), Error> {
//! let client = Client::connect("ws://127.0.0.1:9944").await?;
//! let school = Identity::development("//Bob")?;
//! let company = Identity::development("//Charlie")?;
//!
//! // The school joins and opens a dataset.
//! let register = client.register(ProducerKind::School, "High School No. 1").await?;
//! client.send(&school.account, &register).await?;
//! let create = client.create_dataset("marks").await?;
//! client.send(&school.account, &create).await?;
//! // The company says which key grants are sealed to.
//! let set_key = client.set_encryption_key(&company.encryption[0].public_key()).await?;
//! client.send(&company.account, &set_key).await?;
//!
//! // T_s: the school stores a record, at the first free leaf of the dataset.
//! let best = client.best().await?;
//! let leaf = best.free_leaf(school.id(), 0, 0).await?;
//! let place = Place { key: record_key("2025-03")?, dataset: 0, epoch: 0, leaf };
//! let mut value = std::io::Cursor::new(b"name,mark\nAda,97\n");
//! Upload::new(&client, &school, place).run(&mut value, 17, &mut ()).await?;
//!
//! // T_q: the company asks for leaves 0 to 9, for 1000 blocks, and the school authorises it.
//! let scope = Scope { dataset: 0, epoch: 0, from: 0, to: 10 };
//! let ask = client.request_access(school.id(), scope, "a study", 1000, 0).await?;
//! client.send(&company.account, &ask).await?;
//! let best = client.best().await?;
//! for entry in every(|after| best.requests_to(school.id(), after)).await? {
//!     let call = authorize(&client, &best, &school, entry.id, &entry.request).await?;
//!     client.send(&school.account, &call).await?;
//! }
//!
//! // The company queries, fetches and decrypts.
//! let reading = Reading::open(&client, &company, school.id(), place.key).await?;
//! let mut out = Vec::new();
//! reading.run(&mut out, 0, &mut ()).await?;
//! assert_eq!(out, b"name,mark\nAda,97\n");
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! [`Client`] is the connection: it makes calls, signs and sends them. [`State`] is what the chain says
//! after a block. [`Account`] and [`Identity`] hold secrets. [`Upload`] stores a value of any size,
//! [`Reading`] reads one. [`sharing`] seals and renews grants, [`serve`] answers requests by itself,
//! [`trace`] tells what happened, [`folder`] writes down a tree of files. Keys and formats are
//! `isthmus-envelope`'s. Nothing here asks a person anything or keeps a secret on a disk.

#![forbid(unsafe_code)]

pub mod account;
pub mod calls;
pub mod client;
pub mod error;
pub mod event;
pub mod folder;
mod manifest;
pub mod query;
pub mod reading;
pub mod serve;
pub mod sharing;
pub mod state;
pub mod trace;
pub mod tx;
pub mod types;
pub mod upload;

pub use account::{Account, Identity};
pub use calls::{Place, Terms};
pub use client::{BlockId, Client, Header, Status};
pub use error::{Error, Refusal, Rejection};
pub use event::Event;
pub use isthmus_envelope as envelope;
pub use isthmus_primitives::UNIT;
pub use reading::Reading;
pub use sharing::{authorize, revoke};
pub use state::{every, Cursor, Funds, State};
pub use subxt::{rpcs::rpc_params, utils::H256};
pub use tx::{Call, Included, Pending};
pub use types::*;
pub use upload::{Progress, Stage, Stored, Upload};

/// A record's key from a name of at most 32 bytes, which everybody can read: its bytes, and zeros
/// after them.
///
/// # Errors
///
/// [`Error::Unknown`] for a longer name.
pub fn record_key(name: &str) -> Result<RecordKey, Error> {
	let mut key = [0; 32];
	let bytes = name.as_bytes();
	key.get_mut(..bytes.len())
		.ok_or_else(|| Error::Unknown(format!("room for \"{name}\" in a key's 32 bytes")))?
		.copy_from_slice(bytes);
	Ok(H256(key))
}
