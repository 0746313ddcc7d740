// SPDX-License-Identifier: Apache-2.0
//! Compares files with what is stored of them. Their records are proven together, and several values are fetched at a time.

use super::{
	error::UploadFolderError,
	is_interrupted,
	local::{LocalFile, LocalFolder},
	source::Source,
	Running,
};
use crate::{
	error::{Error, UploadError},
	folder::File as Entry,
	progress::{Progress, Stage},
	reading::Reading,
	types::*,
};
use futures::{stream, StreamExt};
use std::{io::Seek, pin::pin};

/// How many files are compared at a time.
const AT_ONCE: usize = 16;

impl Running<'_> {
	/// Compares those of the files whose records are complete. Returns the numbers of the others.
	///
	/// # Errors
	///
	/// Returns [`UploadFolderError::Changed`] if a file differs from its record.
	pub(super) async fn compare_stored(
		&mut self,
		folder: &LocalFolder,
		numbers: &[usize],
		progress: &mut impl Progress,
	) -> Result<Vec<usize>, UploadFolderError> {
		let files: Vec<_> = numbers
			.iter()
			.map(|number| folder.files[*number].clone())
			.collect();
		let (mut stored, mut missing) = (Vec::new(), Vec::new());
		for (number, (key, record)) in numbers.iter().zip(self.records(&files).await?) {
			match record.is_some_and(|record| record.payload.is_complete()) {
				true => stored.push((*number, key)),
				false => missing.push(*number),
			}
		}
		for (number, entry) in self.compare_all(folder, stored, progress).await? {
			match entry {
				Ok(entry) => self.put_in(number, entry),
				Err(error) => drop(self.again.insert(number, error)),
			}
		}
		Ok(missing)
	}

	/// Compares files with their records. Returns their entries, or how an interruption was noticed.
	async fn compare_all(
		&self,
		folder: &LocalFolder,
		stored: Vec<(usize, RecordKey)>,
		progress: &mut impl Progress,
	) -> Result<Vec<(usize, Result<Entry, Error>)>, UploadFolderError> {
		let keys: Vec<_> = stored.iter().map(|(_, key)| *key).collect();
		let (client, caller, owner) = (self.client, self.owner.account.id(), self.owner.id());
		let mut answers = client.query_together(caller, owner, &keys).await;
		if answers.contains(&None) {
			// What an interrupted upload stored last is proven when it is final.
			let number = client.best().await?.block().number;
			if client.proven_since(number).await.is_ok() {
				answers = client.query_together(caller, owner, &keys).await;
			}
		}
		let compared = stream::iter(stored.into_iter().zip(answers));
		let compared = compared.map(|((number, key), answer)| async move {
			let file = &folder.files[number];
			(number, self.compare_file(file, key, answer).await)
		});
		let mut compared = pin!(compared.buffered(AT_ONCE));
		let mut entries = Vec::new();
		let (files, bytes) = self.total;
		let (mut done, mut length) = (self.entries.len(), self.bytes);
		while let Some((number, entry)) = compared.next().await {
			progress.file(&folder.files[number].path);
			let entry = match entry {
				Err(UploadFolderError::Client(error)) if is_interrupted(&error) => Err(error),
				entry => Ok(entry?),
			};
			if let Ok(entry) = &entry {
				(done, length) = (done.saturating_add(1), length.saturating_add(entry.length));
				progress.files(done as u64, files as u64);
				progress.whole(Stage::Checking, length.min(bytes), bytes);
			}
			entries.push((number, entry));
		}
		Ok(entries)
	}

	/// Compares a file with its record. Returns its entry in the list.
	async fn compare_file(
		&self,
		file: &LocalFile,
		key: RecordKey,
		answer: Option<Answer>,
	) -> Result<Entry, UploadFolderError> {
		let mut source = Source::open(file, &mut ())?;
		let compared = self.compare(key, &mut source, answer).await;
		compared.map_err(|error| UploadFolderError::of_file(error, &file.at, key))?;
		source.check_hash(file, key)?;
		Ok(source.entry(file, key))
	}

	/// Compares a file's bytes with their record, about which the answer is proven, or is asked for.
	pub(super) async fn compare(
		&self,
		key: RecordKey,
		source: &mut Source,
		answer: Option<Answer>,
	) -> Result<(), Error> {
		let (client, owner) = (self.client, self.owner);
		let reading = match answer {
			Some(answer) => Reading::of_answer(client, owner, (owner.id(), key), answer).await?,
			None => Reading::open_once(client, owner, owner.id(), key).await?,
		};
		source.file.rewind()?;
		let expected = reading.length();
		match expected == source.length() && reading.matches(&mut source.file, &mut ()).await? {
			true => Ok(()),
			false => Err(UploadError::LengthChanged { expected }.into()),
		}
	}
}
