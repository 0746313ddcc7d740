// SPDX-License-Identifier: Apache-2.0
//! Turns: programs on the same machine that use the same account send its transactions one after another,
//! and know which are in flight.
//!
//! A transaction carries its account's next nonce, and may claim something that only one transaction can
//! have, such as a free leaf. Two programs that ask the node at the same moment get the same answers. One of
//! their transactions would then replace the other, or be refused after its fee is paid. Therefore a program
//! holds a lock on the file `isthmus-ADDRESS.lock` from choosing to sending, and notes in that file what it
//! has sent. The next program reads the notes, and counts those transactions in until a block includes them.
//!
//! The lock is best effort: if no such file can be made, or another program holds it for more than
//! [`LONGEST_WAIT`], the transaction is sent anyway. Programs on different machines do not share the file:
//! they learn from the chain that they were overtaken.

use crate::{
	claim::Claim,
	client::Client,
	error::Error,
	lock,
	note::{now, Note, Notes},
	text::to_hex,
	types::AccountId,
	wait::Wait,
};
use std::{
	collections::BTreeMap,
	fs::File,
	io::{Read, Seek, SeekFrom, Write},
	time::Duration,
};
use subxt::rpcs::rpc_params;
use tokio::sync::MutexGuard;

/// How long to wait for another program to send its transaction.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The right to send an account's next transaction, until it is dropped.
pub(crate) struct Turn<'a> {
	/// This client's own notes, for when the file cannot be used. Its lock makes the client send one
	/// transaction at a time, with or without the file.
	memory: MutexGuard<'a, BTreeMap<AccountId, Vec<Note>>>,
	account: AccountId,
	/// The locked file.
	file: Option<File>,
	notes: Notes,
}

impl<'a> Turn<'a> {
	/// Waits for the account's lock, and finds out what is in flight.
	pub(crate) async fn take(client: &'a Client, account: &AccountId) -> Result<Self, Error> {
		let memory = client.0.notes.lock().await;
		let mut file = lock::open(&lock::path(&format!("isthmus-{account}.lock")));
		if let Some(opened) = &file {
			if !lock::take(opened, LONGEST_WAIT).await {
				file = None;
			}
		}
		let noted = match &mut file {
			Some(file) => read(file),
			None => memory.get(account).cloned().unwrap_or_default(),
		};
		let (next, included) =
			futures::try_join!(client.next_nonce(account), client.included_nonce(account))?;
		Ok(Self {
			memory,
			account: *account,
			file,
			notes: Notes::new(noted, client.genesis(), included, next, now()),
		})
	}

	/// Returns what is in flight.
	pub(crate) fn notes(&self) -> &Notes {
		&self.notes
	}

	/// Notes a transaction that the node accepted, and ends the turn.
	pub(crate) fn sent(mut self, nonce: u64, claims: Vec<Claim>) {
		self.notes.add(nonce, claims, now());
		self.write();
	}

	/// Forgets the transactions from this nonce on, whose nonces may be free again, and ends the turn.
	pub(crate) fn forget(mut self, nonce: u64) {
		self.notes.forget(nonce);
		self.write();
	}

	/// Writes the notes. If that fails, other programs know less, and the chain decides.
	fn write(mut self) {
		if let Some(file) = &mut self.file {
			let bytes = serde_json::to_vec(&self.notes.all).unwrap_or_default();
			let _ = file
				.seek(SeekFrom::Start(0))
				.and_then(|_| file.set_len(0))
				.and_then(|()| file.write_all(&bytes));
		}
		self.memory.insert(self.account, self.notes.all);
	}
}

/// Reads the notes in a lock file. What was not written by this library is ignored.
fn read(file: &mut File) -> Vec<Note> {
	let mut bytes = Vec::new();
	match file.read_to_end(&mut bytes) {
		Ok(_) => serde_json::from_slice(&bytes).unwrap_or_default(),
		Err(_) => Vec::new(),
	}
}

impl Client {
	/// Returns an account's next nonce by the node's count, which includes transactions in its pool.
	async fn next_nonce(&self, account: &AccountId) -> Result<u64, Error> {
		let params = rpc_params![account];
		self.request("system_accountNextIndex", params).await
	}

	/// Returns how many of an account's transactions the best block's state includes.
	async fn included_nonce(&self, account: &AccountId) -> Result<u64, Error> {
		let params = rpc_params!["AccountNonceApi_account_nonce", to_hex(&account.0)];
		let answer: String = self.request("state_call", params).await?;
		let bytes = hex::decode(answer.trim_start_matches("0x")).unwrap_or_default();
		let nonce = <[u8; 4]>::try_from(bytes)
			.map_err(|_| Error::Incompatible("an account's nonce has not 32 bits".into()))?;
		Ok(u32::from_le_bytes(nonce).into())
	}

	/// Waits until no transaction of an account with a nonce below `end` is in flight.
	pub(crate) async fn passed(&self, account: &AccountId, end: u64) -> Result<(), Error> {
		let passed = async {
			let mut heads = self.heads().await?;
			let mut end = end;
			loop {
				// The node's count decreases when transactions are dropped.
				end = end.min(self.next_nonce(account).await?);
				if self.included_nonce(account).await? >= end {
					return Ok(());
				}
				heads.next().await?;
			}
		};
		self.patiently(Wait::Earlier, passed).await
	}
}
