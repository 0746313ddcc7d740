// SPDX-License-Identifier: Apache-2.0
//! What a server of requests remembers, in a file if it is to survive a restart: how many requests were granted, which
//! answers are in flight or were refused, and what was sent in the last hour.

use super::limits::Limits;
use crate::{
	error::Error,
	file,
	lock::{holder, Holder},
	types::*,
};
use codec::{Decode, DecodeAll, Encode};
use isthmus_envelope::{
	input,
	lock_file::LockFile,
	newer::{is_newer, NewerFile},
	on_disk,
};
use std::{
	collections::{BTreeMap, HashSet},
	fs::File,
	io,
	path::{Path, PathBuf},
};

/// The maximum number of answers in flight.
pub(super) const IN_FLIGHT: usize = 64;
/// How many blocks to wait before retrying an answer that the chain refused.
const AFTER_REFUSAL: BlockNumber = 300;
/// The maximum number of times to send an answer. Each attempt costs a fee.
const TRIES: u32 = 3;
/// How many blocks to keep waiting for an answer's outcome after its last valid block.
const UNHEARD: BlockNumber = 8;
/// How many blocks to wait before retrying a request that could not be answered.
const AFTER_NOTHING: BlockNumber = 8;
/// The time over which answers are counted, in seconds.
const HOUR: Seconds = 3_600;
/// What a file of a memory begins with.
const MAGIC: [u8; 16] = *b"isthmus-serve-v1";
/// What files of all formats begin with, and the number of this one.
const FORMATS: (&str, u32) = ("isthmus-serve-v", 1);
/// What happens without the file of a newer release.
const LOST: &str = "how many requests were granted is counted from the start, and answers that are on their way may be sent again";
/// The longest file of a memory, in bytes.
const MAX_LENGTH: u64 = 64 << 20;

/// What [`serve`](super::serve) remembers about the requests. Pass the same value again after a lost connection, so that
/// [`Limits::grants`] still applies and no refused answer is retried early. One that is kept [in a file](Self::in_file)
/// does so over restarts.
#[derive(Debug, Default)]
pub struct Memory {
	noted: Noted,
	file: Option<Kept>,
}

/// The file of a memory.
#[derive(Debug)]
struct Kept {
	path: PathBuf,
	/// The file begins with this: [`MAGIC`], the chain and the owner.
	start: [u8; 80],
	/// Keeps other programs from using the file.
	_lock: LockFile,
}

/// What is remembered.
#[derive(Debug, Default, Encode, Decode)]
struct Noted {
	/// The number of requests that were granted.
	granted: u64,
	/// The answers in flight.
	sent: BTreeMap<RequestId, Sent>,
	/// The requests that should not be tried for a while.
	waiting: BTreeMap<RequestId, Waiting>,
	/// When answers were sent in the last hour, and to whom.
	answers: Vec<(Seconds, AccountId)>,
}

/// An answer in flight.
#[derive(Debug, Encode, Decode)]
pub(super) struct Sent {
	pub(super) asked: Request,
	/// The last block that may include the answer.
	pub(super) last: BlockNumber,
}

/// A request that should not be tried for a while.
#[derive(Debug, Default, Encode, Decode)]
struct Waiting {
	/// The first block in which it is tried again.
	again: BlockNumber,
	/// How many times the chain refused the answer.
	refusals: u32,
	/// Why it could not be answered, so that the same reason is reported only once.
	reported: String,
}

/// Why a file cannot be a server's memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
	/// The file cannot be read, written or locked.
	#[error("{0}")]
	Io(#[from] io::Error),
	/// Another program uses the file.
	#[error("another program uses this memory{}", named(.0.as_ref()))]
	InUse(Option<Holder>),
	/// The file is of another account or of another chain.
	#[error("this is the memory of another account, or of another chain")]
	OfAnother,
	/// A newer release wrote the file.
	#[error(transparent)]
	Newer(#[from] NewerFile),
	/// The file is no memory, or is damaged.
	#[error("this is no memory of `serve`, or is damaged")]
	Malformed,
}

/// Names a program in a sentence, if it is known.
fn named(holder: Option<&Holder>) -> String {
	holder.map_or_else(String::new, |holder| format!(": {holder}"))
}

impl Memory {
	/// Opens or begins a memory in a file, for one owner and one chain. It is written at every change, before anything
	/// is sent, and locked with a second file whose name ends in `.lock`.
	///
	/// # Errors
	///
	/// Returns [`MemoryError`] if the file is another one, is in use, or cannot be read or written.
	pub fn in_file(
		path: &Path,
		genesis: &[u8; 32],
		owner: &AccountId,
	) -> Result<Self, MemoryError> {
		// Whatever links lead to it, a memory has one lock.
		let path = &on_disk::target(path)?;
		let mut at = path.as_os_str().to_owned();
		at.push(".lock");
		let at = Path::new(&at);
		let mut options = File::options();
		options.create(true).truncate(false).write(true);
		let lock = input::open_as(at, &mut options).map_err(file::named(at))?;
		let lock = LockFile::from(lock);
		lock.try_lock().map_err(|error| match error {
			std::fs::TryLockError::WouldBlock => MemoryError::InUse(holder(at)),
			std::fs::TryLockError::Error(error) => error.into(),
		})?;
		let mut start = [0; 80];
		start[..16].copy_from_slice(&MAGIC);
		start[16..48].copy_from_slice(genesis);
		start[48..].copy_from_slice(&owner.0);
		let (label, known) = FORMATS;
		let noted = match file::read(path, MAX_LENGTH)? {
			None => Noted::default(),
			Some(bytes) => match bytes.split_first_chunk() {
				Some((found, rest)) if *found == start => {
					Noted::decode_all(&mut &rest[..]).map_err(|_| MemoryError::Malformed)?
				}
				Some((found, _)) if found.starts_with(&MAGIC) => {
					return Err(MemoryError::OfAnother)
				}
				_ if is_newer(&bytes, label, known) => {
					return Err(NewerFile::new(path, LOST).into())
				}
				_ => return Err(MemoryError::Malformed),
			},
		};
		let memory = Self {
			noted,
			file: Some(Kept {
				path: path.to_owned(),
				start,
				_lock: lock,
			}),
		};
		memory.save()?;
		Ok(memory)
	}

	/// Writes the memory to its file, if it has one.
	fn save(&self) -> io::Result<()> {
		match &self.file {
			Some(Kept { path, start, .. }) => {
				file::replace(path, &[&start[..], &self.noted.encode()].concat())
			}
			None => Ok(()),
		}
	}

	/// Returns the number of requests that were granted.
	pub fn granted(&self) -> u64 {
		self.noted.granted
	}

	/// Returns the number of answers in flight.
	pub fn in_flight(&self) -> usize {
		self.noted.sent.len()
	}

	/// Returns the request that an answer in flight is for.
	pub(super) fn asked(&self, id: RequestId) -> Option<Request> {
		Some(self.noted.sent.get(&id)?.asked.clone())
	}

	/// Returns whether one more answer may be in flight.
	pub(super) fn has_room(&self, limits: &Limits) -> bool {
		let sent = self.noted.sent.len();
		let most = limits.grants.unwrap_or(u64::MAX);
		sent < IN_FLIGHT && self.noted.granted.saturating_add(sent as u64) < most
	}

	/// Returns whether the limits of an hour allow one more answer to a reader.
	pub(super) fn is_within(&self, limits: &Limits, reader: &AccountId, now: Seconds) -> bool {
		// A clock that was set back does not make an answer count for longer than an hour.
		let recent = |(at, _): &&(Seconds, AccountId)| at.abs_diff(now) < HOUR;
		let answers = self.noted.answers.iter().filter(recent);
		let to_reader = answers.clone().filter(|(_, to)| to == reader);
		let is_below =
			|limit: Option<u64>, count: usize| limit.is_none_or(|most| (count as u64) < most);
		is_below(limits.per_hour, answers.count())
			&& is_below(limits.reader_per_hour, to_reader.count())
	}

	/// Returns whether a request may be tried.
	pub(super) fn is_due(&self, id: RequestId, now: BlockNumber) -> bool {
		let waits = |waiting: &Waiting| waiting.refusals >= TRIES || now < waiting.again;
		!self.noted.sent.contains_key(&id) && !self.noted.waiting.get(&id).is_some_and(waits)
	}

	/// Records that an answer is about to be sent. If that cannot be written, nothing is recorded.
	pub(super) fn send(&mut self, id: RequestId, sent: Sent, now: Seconds) -> Result<(), Error> {
		let answers = &mut self.noted.answers;
		answers.retain(|(at, _)| at.abs_diff(now) < HOUR);
		answers.push((now, sent.asked.consumer));
		self.noted.sent.insert(id, sent);
		let saved = self.save();
		if saved.is_err() {
			self.noted.sent.remove(&id);
			self.noted.answers.pop();
		}
		Ok(saved?)
	}

	/// Records that an answer was not sent after all. It does not count in its hour.
	pub(super) fn take_back(&mut self, id: RequestId) -> Result<(), Error> {
		if let Some(Sent { asked, .. }) = self.noted.sent.remove(&id) {
			let answers = &mut self.noted.answers;
			if let Some(newest) = answers.iter().rposition(|(_, to)| *to == asked.consumer) {
				answers.remove(newest);
			}
		}
		Ok(self.save()?)
	}

	/// Records that an answer was included and granted its request.
	pub(super) fn granted_one(&mut self, id: RequestId) -> Result<(), Error> {
		self.noted.sent.remove(&id);
		self.noted.granted = self.noted.granted.saturating_add(1);
		Ok(self.save()?)
	}

	/// Records that the chain or the node refused an answer. It still counts in its hour: its keys may have been seen.
	pub(super) fn refused(&mut self, id: RequestId, now: BlockNumber) -> Result<(), Error> {
		self.noted.sent.remove(&id);
		let waiting = self.noted.waiting.entry(id).or_default();
		waiting.refusals = waiting.refusals.saturating_add(1);
		waiting.again = now.saturating_add(AFTER_REFUSAL);
		Ok(self.save()?)
	}

	/// Records that a request cannot be answered. Returns whether the reason is new and should be reported. This is not
	/// worth a write: after a restart it is found out again.
	pub(super) fn unanswered(&mut self, id: RequestId, now: BlockNumber, reason: String) -> bool {
		let waiting = self.noted.waiting.entry(id).or_default();
		waiting.again = waiting.again.max(now.saturating_add(AFTER_NOTHING));
		std::mem::replace(&mut waiting.reported, reason.clone()) != reason
	}

	/// Removes requests that are no longer open, and settles the answers that no task waits for: an answer
	/// whose request is closed counts as granted and is returned; an answer that is no longer valid can be
	/// sent again. Also returns whether the memory could be written.
	pub(super) fn look(
		&mut self,
		open: &HashSet<RequestId>,
		watched: &HashSet<RequestId>,
		now: BlockNumber,
	) -> (Vec<(RequestId, Request)>, io::Result<()>) {
		let noted = &mut self.noted;
		let before = (noted.waiting.len(), noted.sent.len());
		noted.waiting.retain(|id, _| open.contains(id));
		let alone = |id: &RequestId, sent: &Sent| {
			!watched.contains(id) || now > sent.last.saturating_add(UNHEARD)
		};
		let gone: Vec<_> = noted
			.sent
			.iter()
			.filter(|(id, sent)| alone(id, sent) && !open.contains(id))
			.map(|(id, sent)| (*id, sent.asked.clone()))
			.collect();
		for (id, _) in &gone {
			noted.sent.remove(id);
		}
		noted
			.sent
			.retain(|id, sent| !alone(id, sent) || now < sent.last);
		noted.granted = noted.granted.saturating_add(gone.len() as u64);
		let is_same = before == (noted.waiting.len(), noted.sent.len());
		let saved = if is_same { Ok(()) } else { self.save() };
		(gone, saved)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn sent(last: BlockNumber) -> Sent {
		let asked = Request {
			owner: [1; 32].into(),
			consumer: [2; 32].into(),
			scope: Scope {
				dataset: 0,
				epoch: 0,
				from: 0,
				to: 1,
			},
			purpose: Text::default(),
			code: PurposeCode::Unspecified,
			term: 1,
			offer: 0,
			firm: false,
			key: Vec::new(),
			valid_until: 1_000,
			deposit: 0,
		};
		Sent { asked, last }
	}

	#[test]
	fn a_refused_answer_is_retried_late_and_seldom() {
		let mut memory = Memory::default();
		let mut now = 10;
		for _ in 0..TRIES {
			assert!(memory.is_due(7, now));
			memory.noted.sent.insert(7, sent(now + 15));
			assert!(!memory.is_due(7, now));
			memory.refused(7, now).unwrap();
			assert!(!memory.is_due(7, now + AFTER_REFUSAL - 1));
			now += AFTER_REFUSAL;
		}
		assert!(!memory.is_due(7, BlockNumber::MAX));
		assert!(memory.is_due(8, now));
		// Requests that are not open are removed.
		memory
			.look(&HashSet::new(), &HashSet::new(), now)
			.1
			.unwrap();
		assert!(memory.noted.waiting.is_empty());
	}

	#[test]
	fn a_request_that_cannot_be_answered_is_reported_once() {
		let mut memory = Memory::default();
		assert!(memory.unanswered(7, 10, "no key".into()));
		assert!(!memory.is_due(7, 10 + AFTER_NOTHING - 1));
		assert!(memory.is_due(7, 10 + AFTER_NOTHING));
		assert!(!memory.unanswered(7, 30, "no key".into()));
		// One that was refused waits for longer.
		memory.refused(7, 30).unwrap();
		memory.unanswered(7, 30, "no key".into());
		assert!(!memory.is_due(7, 30 + AFTER_REFUSAL - 1));
		assert!(memory.unanswered(7, 40, "no funds".into()));
	}

	#[test]
	fn answers_in_flight_count_after_a_lost_connection_until_their_outcome_is_known() {
		let limits = Limits {
			grants: Some(3),
			..Limits::default()
		};
		let mut memory = Memory::default();
		memory.noted.granted = 1;
		memory.noted.sent.insert(7, sent(20));
		assert!(memory.has_room(&limits));
		memory.noted.sent.insert(8, sent(20));
		assert!(!memory.has_room(&limits));
		// The first request was answered; nothing is known about the second one yet.
		let open = HashSet::from([8]);
		let (gone, _) = memory.look(&open, &HashSet::new(), 19);
		assert_eq!((gone.len(), gone[0].0), (1, 7));
		assert_eq!(memory.granted(), 2);
		assert!(!memory.has_room(&limits) && !memory.is_due(8, 19));
		// An answer that a task waits for is left to that task.
		let watched = HashSet::from([8]);
		assert!(memory.look(&open, &watched, 20 + UNHEARD).0.is_empty());
		assert!(!memory.is_due(8, 20 + UNHEARD));
		assert!(memory.look(&open, &HashSet::new(), 20).0.is_empty());
		assert!(memory.has_room(&limits) && memory.is_due(8, 20));
		// But if the task has heard nothing for too long, the answer can be sent again.
		memory.noted.sent.insert(8, sent(20));
		memory.look(&open, &watched, 20 + UNHEARD + 1).1.unwrap();
		assert!(memory.is_due(8, 20 + UNHEARD + 1));
	}

	#[test]
	fn answers_of_an_hour_are_limited_in_all_and_for_each_reader() {
		let limits = Limits {
			per_hour: Some(3),
			reader_per_hour: Some(2),
			..Limits::default()
		};
		let [reader, other] = [[2; 32], [3; 32]].map(AccountId::from);
		let mut memory = Memory::default();
		let hour = 100 * HOUR;
		assert!(memory.is_within(&limits, &reader, hour));
		memory.send(1, sent(20), hour).unwrap();
		memory.send(2, sent(20), hour + 60).unwrap();
		assert!(!memory.is_within(&limits, &reader, hour + 60));
		assert!(memory.is_within(&limits, &other, hour + 60));
		// What was not sent after all does not count.
		memory.send(3, sent(20), hour + 60).unwrap();
		assert!(!memory.is_within(&limits, &other, hour + 60));
		memory.take_back(3).unwrap();
		assert!(memory.is_within(&limits, &other, hour + 60));
		assert!(!memory.is_within(&limits, &reader, hour + 60));
		// What was refused counts: its keys may have been seen.
		memory.send(3, sent(20), hour + 60).unwrap();
		memory.refused(3, 10).unwrap();
		assert!(!memory.is_within(&limits, &other, hour + 60));
		assert!(memory.is_within(&limits, &other, hour + HOUR));
		assert!(memory.is_within(&limits, &reader, hour + 60 + HOUR));
		// The clock was set back by a day.
		assert!(memory.is_within(&limits, &reader, hour - 24 * HOUR));
	}

	#[test]
	fn what_cannot_be_written_is_not_sent_and_what_happened_is_still_reported() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("memory");
		let mut memory = Memory::in_file(&path, &[7; 32], &[1; 32].into()).unwrap();
		memory.send(5, sent(20), 100).unwrap();
		drop(folder);
		let limits = Limits {
			per_hour: Some(2),
			..Limits::default()
		};
		memory.send(6, sent(20), 100).unwrap_err();
		assert!(memory.is_due(6, 10) && memory.is_within(&limits, &[2; 32].into(), 100));
		let (gone, saved) = memory.look(&HashSet::new(), &HashSet::new(), 10);
		saved.unwrap_err();
		assert_eq!((gone.len(), memory.granted()), (1, 1));
	}

	#[test]
	fn a_memory_in_a_file_survives_a_restart_and_is_of_one_account() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("memory");
		let owner = AccountId::from([1; 32]);
		let open = || Memory::in_file(&path, &[7; 32], &owner);
		let mut memory = open().unwrap();
		memory.send(5, sent(20), 100).unwrap();
		memory.send(6, sent(20), 100).unwrap();
		memory.granted_one(6).unwrap();
		for _ in 0..TRIES {
			memory.refused(8, 10).unwrap();
		}
		assert!(matches!(open(), Err(MemoryError::InUse(_))));
		drop(memory);
		let memory = open().unwrap();
		let limits = Limits {
			grants: Some(2),
			reader_per_hour: Some(2),
			..Limits::default()
		};
		assert_eq!((memory.granted(), memory.in_flight()), (1, 1));
		assert!(!memory.has_room(&limits) && !memory.is_due(5, 19));
		assert!(!memory.is_due(8, BlockNumber::MAX) && memory.is_due(9, 10));
		assert!(!memory.is_within(&limits, &[2; 32].into(), 101));
		drop(memory);
		let of_another = Memory::in_file(&path, &[8; 32], &owner);
		assert!(matches!(of_another, Err(MemoryError::OfAnother)));
		let bytes = std::fs::read(&path).unwrap();
		for damaged in [&bytes[..bytes.len() - 1], &bytes[..40], b"", b"no memory"] {
			std::fs::write(&path, damaged).unwrap();
			assert!(matches!(open(), Err(MemoryError::Malformed)));
		}
		let newer = [&b"isthmus-serve-v2"[..], &bytes[16..]].concat();
		std::fs::write(&path, &newer).unwrap();
		assert!(matches!(open(), Err(MemoryError::Newer(file)) if file.path.ends_with("memory")));
		assert_eq!(std::fs::read(&path).unwrap(), newer);
	}
}
