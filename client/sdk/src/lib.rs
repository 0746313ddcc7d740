// SPDX-License-Identifier: Apache-2.0
//! Stores, shares and reads data on an Isthmus chain. `docs/glossary.md` defines the words that are used
//! here.
//!
//! # Example
//!
//! A school stores a record and grants a company access, and the company reads the record:
//!
//! ```no_run
//! use isthmus_sdk::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let client = Client::connect("ws://127.0.0.1:9944").await?;
//! let school = Identity::development("//Bob")?;
//! let company = Identity::development("//Charlie")?;
//!
//! // The school registers as a producer and creates a dataset.
//! let register = client.register(ProducerKind::School, "High School No. 1").await?;
//! client.send(&school.account, &register).await?;
//! let create = client.create_dataset("marks").await?;
//! client.send(&school.account, &create).await?;
//! // The company publishes the key that grants are sealed to.
//! let publish = client.set_encryption_key(&company.encryption.fresh()?.public_key()).await?;
//! client.send(&company.account, &publish).await?;
//!
//! // T_s: the school stores a record at the first free leaf of the dataset.
//! let best = client.best().await?;
//! let leaf = best.free_leaf(school.id(), 0, 0).await?;
//! let place = Place { key: record_key("2025-03")?, dataset: 0, epoch: 0, leaf };
//! let mut value = std::io::Cursor::new(b"name,mark\nAda,97\n");
//! Upload::new(&client, &school, place).run(&mut value, 17, &mut ()).await?;
//!
//! // T_q: the company asks for leaves 0 to 9, for 1000 blocks, and the school authorises it.
//! let scope = Scope { dataset: 0, epoch: 0, from: 0, to: 10 };
//! let key = company.encryption.fresh()?.public_key();
//! let ask = client.request_access(school.id(), scope, "a study", PurposeCode::Research, 1000, 0, false, &key).await?;
//! client.send(&company.account, &ask).await?;
//! let best = client.best().await?;
//! for entry in every(|after| best.requests_to(school.id(), after)).await? {
//!     let call = authorize(&client, &school, entry.id, &entry.request, Depth::Final).await?;
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
//! `examples/` contains three programs to start from: `store`, `query` and `serve`.
//!
//! # Overview
//!
//! - [`Client`] is the connection: it creates, signs and sends calls. [`State`] is the chain's state after a
//!   block, as the node says. [`Account`] and [`Identity`] hold secrets.
//! - [`Proven`] is the state after a finalized block, with proofs. Everything that decides something is read from
//!   it. [`Trust`] says which chain a node has to have.
//! - [`Upload`] stores a value of any size, and [`UploadFolder`] stores a folder. [`SyncFolder`] packs the files of a folder
//!   into objects, and later sends only what has changed. [`Reading`] reads a
//!   record, or a range of one, [`FetchFile`] and [`fetch_folder()`] write records to disk, [`Removal`] removes them.
//! - [`Handle`] opens one record without an account, for programs that work on behalf of a reader.
//! - [`Upload::run_object`] stores a value outside the chain, at a location of the owner's choice; [`mod@object`] has what
//!   the chain says about objects, and [`mod@objects`] sends, reads and checks them.
//! - [`mod@frame`] stores a table as objects that the tasks of a cluster send, in one transaction.
//! - [`mod@keepers`] keeps copies of datasets' objects, and proves it to the chain.
//! - [`mod@names`] hides the names of records from the chain, and finds records by them.
//! - [`sharing`] seals, revokes and renews grants, and [`mod@serve`] answers requests automatically.
//! - [`mod@operator`] lets an account answer for an owner with keys that it was granted, and without the owner's secrets.
//! - [`mod@facts`] reads and reports facts about the world outside the chain, and evaluates conditions on them.
//! - [`mod@trace`] returns the history of a record, a dataset or a reader; [`mod@history`] has the proofs, and
//!   [`mod@receipt`] makes a file of one that needs no node.
//!
//! Keys and encryption formats are in `isthmus-envelope`. Ids, queries and the rest of the sharing protocol
//! are in `isthmus-sharing`.
//!
//! # Several programs with one account
//!
//! Programs of one user on one machine may use the same account at the same time. They take turns with a lock
//! on the file `isthmus-ADDRESS.lock`, and note in it what they have sent: no two transactions get the same
//! number, and none claims what another one in flight has, such as a leaf. The file is in
//! `$HOME/.local/state/isthmus` or, if none can be made there, in `$XDG_RUNTIME_DIR` or the folder for temporary files.
//! Leaves that are planned for a [frame](mod@frame) are noted in `isthmus-OWNER.frames` there, and are not chosen either.
//! If there is none, or its file system has no locks, [`Notice::NoTurns`] says so, and the programs go on.
//!
//! Programs on different machines learn from the chain that they were overtaken. An [`Upload`] then goes on, at
//! the next free leaf if it [may](Upload::at_free_leaf); the refused transaction's fee is lost, and its
//! ciphertext is public under the key of a leaf that another record has. Other operations end with
//! [`Error::Refused`] or [`Error::NotIncluded`].
//!
//! # Out of scope
//!
//! This crate does not prompt the user, and it does not store secrets on disk. `docs/security.md` lists what it
//! believes a node without a proof.

#![forbid(unsafe_code)]

pub mod account;
mod anchor;
mod block;
mod broken;
mod budget;
pub mod call;
pub mod calls;
pub mod card;
pub mod catalog;
mod cause;
mod claim;
pub mod client;
mod clock;
mod connection;
mod cost;
pub mod dispute;
pub mod erasure;
pub mod error;
pub mod event;
#[cfg(test)]
mod example;
pub mod facts;
pub mod fetch_file;
pub mod fetch_folder;
pub mod file;
pub mod folder;
pub mod frame;
pub mod handle;
pub mod history;
pub mod keepers;
mod known_calls;
mod layout;
pub mod leaves;
mod lock;
mod manifest;
pub mod names;
mod note;
pub mod object;
pub mod outcome;
pub mod overlap;
mod own_secret;
mod paid;
pub mod progress;
pub mod proven;
pub mod query;
pub mod reading;
pub mod receipt;
mod recent;
mod records;
pub mod refusal;
pub mod removal;
mod reserved;
pub mod serve;
#[cfg(test)]
mod shapes;
pub mod sharing;
mod stamp;
mod standstill;
pub mod state;
pub mod sync_folder;
pub mod text;
pub mod trace;
pub mod trust;
mod turn;
pub mod tx;
pub mod types;
pub mod upload;
pub mod upload_folder;
mod wait;
mod window;

pub use account::{parse_account, secret_uri, Account, Identity};
pub use block::BlockId;
pub use budget::Budget;
pub use call::Call;
pub use card::{CardError, PublishedCard};
pub use catalog::{card_place, CatalogEntry};
pub use client::{Client, Depth, Header, Status};
pub use clock::now;
pub use connection::shown as shown_address;
pub use dispute::{dispute, Checked, Complaint};
pub use erasure::Erasure;
pub use error::{CostError, Error, OperatorError, Rejection, UploadError};
pub use event::{Event, Granted};
pub use fetch_file::{is_folder, is_packed_folder, FetchError, FetchFile, NotFetched};
pub use fetch_folder::{
	fetch_file_of, fetch_folder, list_files, listed, write_file_of, FetchedFolder, Listed,
};
pub use frame::{Frame, FrameError};
pub use handle::{Handle, HandleError};
pub use isthmus_conditions as conditions;
pub use isthmus_envelope as envelope;
pub use isthmus_objects as objects;
pub use isthmus_primitives::{DECIMALS, UNIT};
pub use layout::Difference;
pub use leaves::{LeafNames, LeafQuery, Leaves, LeavesError};
pub use lock::{holder as lock_holder, Holder};
pub use names::Names;
pub use outcome::Included;
pub use overlap::Overlap;
pub use paid::PaidFor;
pub use progress::{Progress, Stage};
pub use proven::Proven;
pub use reading::{Intact, Reading};
pub use receipt::{receipt, EventReceipt};
pub use refusal::{PalletError, Refusal};
pub use removal::{Removal, Removed};
pub use sharing::{authorize, operator, revoke};
pub use stamp::Stamp;
pub use state::{every, Cursor, Funds, State};
pub use subxt::{rpcs::rpc_params, utils::H256};
pub use sync_folder::{SyncFolder, SyncedFolder};
pub use text::{
	exact_name, from_hex, from_typed_hex, io_words, ist, key_name, parse_key, record_key, to_hex,
	Listing, NameError,
};
pub use trust::{Notice, OtherChain, Trust, Unproven};
pub use tx::Pending;
pub use types::*;
pub use upload::{Done, Stored, Upload};
pub use upload_folder::{
	stored_of, Exclude, ExcludeError, LocalFolder, StoredFolder, UploadFolder, UploadFolderError,
};
pub use wait::{Standstill, Wait, Waiting};
