// SPDX-License-Identifier: Apache-2.0
//! Turns: programs on the same machine that use the same account send its transactions one after another,
//! and know which are in flight.
//!
//! A transaction carries its account's next nonce, and may claim something that only one transaction can
//! have, such as a free leaf. Two programs that ask the node at the same moment get the same answers. One of
//! their transactions would then replace the other, or be refused after its fee is paid. Therefore a program
//! holds a lock on the file `isthmus-ADDRESS.lock` from choosing to sending, and notes in that file what it
//! sends. The next program reads the notes, and counts those transactions in until a block includes them.
//!
//! What a program that ended has left behind the notes, or a damaged file, is ignored. Notes of a newer release are
//! not: they say what is in flight, so nothing is sent, and the file stays as it is.
//!
//! The lock is best effort: if no such file can be made, locked or written, the user is told, and the transaction is sent
//! anyway. Programs on different machines do not share the file: they learn from the chain that they were overtaken.

use crate::{
	claim::Claim,
	client::Client,
	clock::now,
	error::Error,
	lock,
	note::{Note, Notes},
	state::State,
	types::AccountId,
	wait::Wait,
};
use isthmus_envelope::{
	lock_file::LockFile,
	newer::{is_other_form, NewerFile},
};
use isthmus_light::storage;
use std::{
	collections::BTreeMap,
	fs::File,
	io::{self, Read, Seek, SeekFrom, Write},
	path::Path,
	time::Duration,
};
use subxt::rpcs::rpc_params;
use tokio::{sync::MutexGuard, time::sleep};

/// The time between looks whether the node counts a transaction that it may not have received, or has dropped.
const LOOK: Duration = Duration::from_millis(100);

/// What happens without the notes of a newer release.
const LOST: &str = "this program does not know which of the account's transactions are on their way, so first wait until they are in blocks";

/// The right to send an account's next transaction, until it is dropped.
pub(crate) struct Turn<'a> {
	client: &'a Client,
	/// This client's own notes, for when the file cannot be used. Its lock makes the client send one
	/// transaction at a time, with or without the file.
	memory: MutexGuard<'a, BTreeMap<AccountId, Vec<Note>>>,
	account: AccountId,
	/// The locked file.
	file: Option<LockFile>,
	notes: Notes,
}

impl<'a> Turn<'a> {
	/// Waits for the account's lock, and finds out what is in flight by the best block, whose state is with the notes.
	///
	/// # Errors
	///
	/// Returns [`Error::Newer`] if a newer release wrote the notes, and the errors of the node.
	pub(crate) async fn take(client: &'a Client, account: &AccountId) -> Result<Self, Error> {
		let mut turn = Self::lock(client, account).await?;
		turn.notes = loop {
			let (next, (included, best)) =
				futures::try_join!(client.next_nonce(account), client.included_nonce(account))?;
			let noted = turn.notes.all.clone();
			let mut notes = Notes::new(noted, client.genesis(), included, next, now());
			notes.best = Some(best);
			if !notes.is_unsure() {
				break notes;
			}
			sleep(LOOK).await;
		};
		Ok(turn)
	}

	/// Forgets an account's transactions from this nonce on, because the node has dropped the first of them. Does not
	/// wait until the node counts the others. Notes of a newer release stay as they are.
	pub(crate) async fn dropped(client: &Client, account: &AccountId, nonce: u64) {
		if let Ok(turn) = Turn::lock(client, account).await {
			turn.forget(nonce);
		}
	}

	/// Waits for the account's lock, and reads the notes. All transactions in them count as in flight.
	async fn lock(client: &'a Client, account: &AccountId) -> Result<Self, Error> {
		let memory = client.0.notes.lock().await;
		let name = format!("isthmus-{account}.lock");
		let path = lock::path(&name);
		let path = path.as_deref();
		let mut file = path.and_then(lock::open);
		if let Some(opened) = &file {
			let taken = lock::take(opened, Duration::MAX);
			let waiting = client.patiently_locked(Wait::OtherSender, path, taken);
			if !waiting.await {
				file = None;
			}
		}
		if file.is_none() {
			client.tell_no_turns(lock::why_not(&name, path));
		}
		let noted = match (&mut file, path) {
			(Some(file), Some(path)) => read(file, path)?,
			_ => memory.get(account).cloned().unwrap_or_default(),
		};
		Ok(Self {
			client,
			memory,
			account: *account,
			file,
			notes: Notes::new(noted, client.genesis(), 0, u64::MAX, now()),
		})
	}

	/// Returns what is in flight.
	pub(crate) fn notes(&self) -> &Notes {
		&self.notes
	}

	/// Notes the transaction that will be sent.
	pub(crate) fn note(&mut self, nonce: u64, claims: Vec<Claim>) {
		self.notes.add(nonce, claims, now());
		self.write();
	}

	/// Notes that the node accepted the transaction, and ends the turn.
	pub(crate) fn accepted(mut self, nonce: u64) {
		self.notes.accept(nonce, now());
		self.write();
	}

	/// Forgets the transactions from this nonce on, whose nonces may be free again, and ends the turn.
	pub(crate) fn forget(mut self, nonce: u64) {
		self.notes.forget(nonce);
		self.write();
	}

	/// Writes the notes. If that fails, other programs know less, and the chain decides.
	fn write(&mut self) {
		if let Some(Err(error)) = self.file.as_mut().map(|file| write(file, &self.notes.all)) {
			let account = self.account;
			self.client
				.tell_not_written(&format!("isthmus-{account}.lock"), &error);
		}
		self.memory.insert(self.account, self.notes.all.clone());
	}
}

/// Writes the notes to a lock file over the old ones, and then removes what is left of those.
fn write(file: &mut File, notes: &[Note]) -> io::Result<()> {
	let bytes = serde_json::to_vec(notes)?;
	file.seek(SeekFrom::Start(0))?;
	file.write_all(&bytes)?;
	file.set_len(bytes.len() as u64)
}

/// Reads the notes in a lock file. What is not JSON is ignored, and so is what follows the notes: a program that ends
/// while it writes may leave a part of longer ones.
///
/// # Errors
///
/// Returns an error if the notes have a form that this release does not know.
fn read(file: &mut File, path: &Path) -> Result<Vec<Note>, NewerFile> {
	let mut bytes = Vec::new();
	if file.read_to_end(&mut bytes).is_err() {
		return Ok(Vec::new());
	}
	match serde_json::Deserializer::from_slice(&bytes)
		.into_iter()
		.next()
	{
		Some(Ok(notes)) => Ok(notes),
		Some(Err(error)) if is_other_form(&error) => Err(NewerFile::new(path, LOST)),
		_ => Ok(Vec::new()),
	}
}

impl Client {
	/// Returns an account's next nonce by the node's count, which includes transactions in its pool.
	pub(crate) async fn next_nonce(&self, account: &AccountId) -> Result<u64, Error> {
		let params = rpc_params![account];
		self.request("system_accountNextIndex", params).await
	}

	/// Returns how many of an account's transactions the best block's state includes, and that state. Asks once for each block.
	async fn included_nonce(&self, account: &AccountId) -> Result<(u64, State), Error> {
		let best = self.best().await?;
		self.load(&best, &[storage::funds(&account.0)]).await?;
		Ok((best.nonce(account).await?, best))
	}

	/// Waits until no transaction of an account with a nonce below `end` is in flight.
	pub(crate) async fn passed(&self, account: &AccountId, end: u64) -> Result<(), Error> {
		let passed = async {
			let mut heads = self.heads().await?;
			let mut end = end;
			loop {
				// The node's count decreases when transactions are dropped.
				end = end.min(self.next_nonce(account).await?);
				if self.included_nonce(account).await?.0 >= end {
					return Ok(());
				}
				heads.next().await?;
			}
		};
		self.patiently(Wait::Earlier, passed).await
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn notes_are_read_although_a_part_of_longer_ones_follows() {
		let mut file = tempfile::tempfile().unwrap();
		let mut notes = Notes::new(Vec::new(), [1; 32], 0, 0, 0);
		notes.add(0, vec![Claim::Producer], 0);
		notes.add(1, Vec::new(), 0);
		write(&mut file, &notes.all).unwrap();
		let length = file.metadata().unwrap().len();
		notes.forget(1);
		write(&mut file, &notes.all).unwrap();
		assert!(file.metadata().unwrap().len() < length);
		file.seek(SeekFrom::End(0)).unwrap();
		file.write_all(b",{\"nonce\":1").unwrap();
		file.seek(SeekFrom::Start(0)).unwrap();
		assert_eq!(read(&mut file, Path::new("lock")).unwrap(), notes.all);
	}

	#[test]
	fn notes_of_a_newer_release_are_an_error_and_damaged_ones_are_none() {
		let read = |text: &[u8]| {
			let mut file = tempfile::tempfile().unwrap();
			file.write_all(text).unwrap();
			file.seek(SeekFrom::Start(0)).unwrap();
			super::read(&mut file, Path::new("a.lock"))
		};
		let mut notes = Notes::new(Vec::new(), [1; 32], 0, 0, 0);
		notes.add(0, vec![Claim::Producer], 0);
		let known = serde_json::to_string(&notes.all).unwrap();
		assert_eq!(read(known.as_bytes()).unwrap(), notes.all);
		for newer in [
			known.replace("Producer", "Shard"),
			known.replace("\"nonce\"", "\"era\":1,\"nonce\""),
			"{\"version\":2,\"notes\":[]}".to_owned(),
		] {
			let refused = read(newer.as_bytes()).unwrap_err();
			assert_eq!(refused.path, Path::new("a.lock"), "{newer}");
		}
		for damaged in [&b""[..], b"[{\"genesis\":[1,", b"\0\0\0", b"\xff"] {
			assert_eq!(read(damaged).unwrap(), []);
		}
	}
}
