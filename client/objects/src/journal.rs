// SPDX-License-Identifier: Apache-2.0
//! The journal of an upload: what has to be known to resume it after the program was interrupted.
//!
//! Before a part leaves this machine, the chaining values of its chunks are noted. So whatever the store may have seen
//! is known, and a value that changed since then is refused instead of encrypted under the same keys.
//!
//! The file is only appended to, a line at a time, and most lines are not forced onto the disk: after the machine's own crash or
//! restart, lines may be missing at its end, so an upload of an earlier start of the machine is not resumed. Its journal still says
//! what to delete. [`Journal`] says what is on the disk when.
//!
//! A journal of another format, or with a line whose first word is not known, is that of a newer release: it is an
//! error, and stays as it is. Any other journal that cannot be read is damaged, and not used.

use crate::tree::Value;
use isthmus_envelope::{
	input,
	newer::{is_newer, NewerFile},
	on_disk::sync_name,
	ObjectHeader,
};
use std::{
	collections::BTreeMap,
	fs::{self, File, OpenOptions},
	io::{self, ErrorKind, Read, Write},
	path::Path,
};

const FORMAT: &str = "isthmus-upload-1";
/// What the name of every format begins with, and the number of this one.
const FORMATS: (&str, u32) = ("isthmus-upload-", 1);
/// What happens without the journal of a newer release.
const LOST: &str = "the upload begins again, and what it has sent stays at its location under a leaf that may be used again";

/// How an upload began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
	/// The header of an empty object: the salt and the commitment count.
	pub(crate) header: ObjectHeader,
	/// The location's URL.
	pub(crate) url: String,
	/// The value's length in bytes, if it was known.
	pub(crate) length: Option<u64>,
	/// The number of chunks in a part.
	pub(crate) part: u32,
	/// What the caller has to remember.
	pub(crate) note: String,
}

/// What an upload has done so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
	/// What the store calls the unfinished upload.
	pub(crate) id: Option<String>,
	/// The chaining values of the chunks of each part that may have left this machine.
	pub(crate) sent: BTreeMap<usize, Vec<Value>>,
	/// What the store calls each part that it has.
	pub(crate) parts: BTreeMap<usize, String>,
	/// Whether the parts were put together.
	pub(crate) whole: bool,
	/// The last block that may include a transaction with the object's entry; `None` if none was sent.
	pub(crate) entering: Option<u64>,
	/// Whether the upload is given up, so that it is not resumed.
	pub(crate) given_up: bool,
}

/// An open journal.
///
/// What a line says must not happen before the line is written, and for some lines not before it is on the disk:
///
/// | line | when it is on the disk | if it is lost |
/// |---|---|---|
/// | the first one, and the file's name | before anything is sent | the leaf of what was sent might be given to others |
/// | `entering` | before the transaction is sent | the object might be deleted, and the chain name it |
/// | `given-up` | before anything is deleted | the chain might get the entry of a deleted object |
/// | `sent` | when the system writes it | the machine was started again, so the upload is not resumed |
/// | `id`, `done`, `whole`, `dropped` | when the system writes it | the store is asked for more than it has to be |
///
/// `sent` is written for each part, before it is sent, and to force it would cost a wait each time. A disk that loses lines while
/// the machine goes on is not provided for.
#[derive(Debug)]
pub(crate) struct Journal {
	file: File,
	pub(crate) start: Start,
	pub(crate) done: Done,
}

/// What a journal says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
	pub(crate) start: Start,
	pub(crate) done: Done,
	/// Whether the upload can be resumed. If not, the machine was started again since, and the last lines may be missing.
	pub(crate) resumes: bool,
	/// The length of the lines that count, in bytes.
	length: u64,
}

impl Said {
	/// Reads the journal of an unfinished upload; `None` if there is none that can be used. The file stays as it is: another
	/// program may be writing to it.
	pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
		let Some(bytes) = bytes_of(path)? else {
			return Ok(None);
		};
		let said = boot().map(|boot| read(&bytes, &boot));
		match said.unwrap_or(Err(Unread::Damaged)) {
			Ok(said) => Ok(Some(said)),
			Err(Unread::Damaged) => Ok(None),
			Err(Unread::Newer) => Err(NewerFile::new(path, LOST).into()),
		}
	}
}

/// Returns the bytes of a journal: `None` without a file.
///
/// # Errors
///
/// Returns the error of the file, and one about a [`NewerFile`] if it has another format.
fn bytes_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
	let mut bytes = Vec::new();
	match input::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
		Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
		read => drop(read?),
	}
	let (label, known) = FORMATS;
	match is_newer(&bytes, label, known) {
		true => Err(NewerFile::new(path, LOST).into()),
		false => Ok(Some(bytes)),
	}
}

/// Why a journal is not used.
enum Unread {
	/// It is damaged.
	Damaged,
	/// It has a line of a newer release.
	Newer,
}

impl Start {
	/// Reads how the upload of a journal began, also of one of an earlier start of the machine; `None` if there is no journal.
	pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
		let Some(bytes) = bytes_of(path)? else {
			return Ok(None);
		};
		let line = bytes.split_inclusive(|byte| *byte == b'\n').next();
		let line = line.and_then(|line| line.strip_suffix(b"\n"));
		let line = line.and_then(|line| std::str::from_utf8(line).ok());
		let said = line.and_then(read_start);
		let (_, start) = said.ok_or(ErrorKind::InvalidData)?;
		Ok(Some(start))
	}
}

impl Journal {
	/// Opens the journal of an unfinished upload to resume it; `None` if there is none that can be used. Removes a line that
	/// was not written to its end, so no other program may have the journal open.
	pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
		let said = Said::read(path)?.filter(|said| said.resumes);
		said.map(|said| Self::opened(path, said)).transpose()
	}

	/// Opens a journal that was [read](Said::read) like [`open`](Self::open), also to give up an upload that is not resumed.
	pub(crate) fn opened(path: &Path, said: Said) -> io::Result<Self> {
		let Said {
			start,
			done,
			length,
			..
		} = said;
		let file = input::open_as(path, OpenOptions::new().append(true))?;
		file.set_len(length)?;
		Ok(Self { file, start, done })
	}

	/// Begins a journal in place of any other one. It is a new file: a task of an earlier upload that has not ended yet notes
	/// what it does in the old one.
	pub(crate) fn create(path: &Path, start: Start) -> io::Result<Self> {
		let folder = path.parent().unwrap_or(Path::new("."));
		fs::create_dir_all(folder)?;
		// No one else can have made it, or read it.
		let (file, new) = tempfile::Builder::new()
			.append(true)
			.tempfile_in(folder)?
			.into_parts();
		let (boot, length) = (
			boot().unwrap_or_default(),
			start.length.map_or("-".into(), |length| length.to_string()),
		);
		let header = hex::encode(start.header.to_bytes());
		let (url, note) = (hex::encode(&start.url), hex::encode(&start.note));
		let part = start.part;
		let mut journal = Self {
			file,
			start,
			done: Done::default(),
		};
		journal.line(&format!(
			"{FORMAT} {boot} {header} u{url} {length} {part} n{note}"
		))?;
		// After a crash of the machine, there is none or one that begins so; and one, if anything was sent.
		journal.file.sync_data()?;
		new.persist(path).map_err(|error| error.error)?;
		sync_name(path)?;
		Ok(journal)
	}

	fn line(&mut self, line: &str) -> io::Result<()> {
		self.file.write_all(format!("{line}\n").as_bytes())
	}

	/// Writes a line, and waits until it is on the disk.
	fn lasting_line(&mut self, line: &str) -> io::Result<()> {
		self.line(line)?;
		self.file.sync_data()
	}

	/// Notes how the store calls the upload.
	pub(crate) fn started(&mut self, id: String) -> io::Result<()> {
		self.line(&format!("id i{}", hex::encode(&id)))?;
		self.done.id = Some(id);
		Ok(())
	}

	/// Notes that a part will be sent.
	pub(crate) fn sending(&mut self, part: usize, values: &[Value]) -> io::Result<()> {
		self.line(&format!("sent {part} {}", hex::encode(values.concat())))?;
		self.done.sent.insert(part, values.to_vec());
		Ok(())
	}

	/// Notes that the store has a part.
	pub(crate) fn sent(&mut self, part: usize, id: String) -> io::Result<()> {
		self.line(&format!("done {part} i{}", hex::encode(&id)))?;
		self.done.parts.insert(part, id);
		Ok(())
	}

	/// Notes that the store has put the parts together.
	pub(crate) fn whole(&mut self) -> io::Result<()> {
		self.line("whole")?;
		self.done.whole = true;
		Ok(())
	}

	/// Notes that the store has forgotten the upload and its parts. What it may have seen stays known.
	pub(crate) fn dropped(&mut self) -> io::Result<()> {
		self.line("dropped")?;
		self.done.drop_parts();
		Ok(())
	}

	/// Notes that a transaction with the object's entry will be sent, and the last block that may include it.
	pub(crate) fn entering(&mut self, last: u64) -> io::Result<()> {
		self.lasting_line(&format!("entering {last}"))?;
		self.done.enter(last);
		Ok(())
	}

	/// Notes that the upload is given up: what the store has of it is going to be deleted.
	pub(crate) fn given_up(&mut self) -> io::Result<()> {
		self.lasting_line("given-up")?;
		self.done.given_up = true;
		Ok(())
	}
}

impl Done {
	fn drop_parts(&mut self) {
		self.id = None;
		self.parts.clear();
		self.whole = false;
	}

	/// Of several transactions, the one that may come last counts.
	fn enter(&mut self, last: u64) {
		self.entering = self.entering.max(Some(last));
	}

	/// Takes a line.
	fn take(&mut self, line: &str) -> Result<(), Unread> {
		let word = line.split(' ').next().unwrap_or_default();
		let is_word = !word.is_empty()
			&& word
				.bytes()
				.all(|byte| b"-".contains(&byte) || byte.is_ascii_lowercase());
		match self.take_known(line) {
			Some(()) => Ok(()),
			None if is_word && !WORDS.contains(&word) => Err(Unread::Newer),
			None => Err(Unread::Damaged),
		}
	}

	/// Takes a line; `None` if it is not one that a journal of this release has.
	fn take_known(&mut self, line: &str) -> Option<()> {
		let text =
			|digits: &str| String::from_utf8(hex::decode(digits.strip_prefix('i')?).ok()?).ok();
		match line.split(' ').collect::<Vec<_>>()[..] {
			["id", id] => self.id = Some(text(id)?),
			["sent", part, values] => {
				let bytes = hex::decode(values).ok()?;
				let (values, []) = bytes.as_chunks::<32>() else {
					return None;
				};
				self.sent.insert(part.parse().ok()?, values.to_vec());
			}
			["done", part, id] => {
				self.parts.insert(part.parse().ok()?, text(id)?);
			}
			["whole"] => self.whole = true,
			["dropped"] => self.drop_parts(),
			["entering", last] => self.enter(last.parse().ok()?),
			["given-up"] => self.given_up = true,
			_ => return None,
		}
		Some(())
	}
}

/// The first words of lines.
const WORDS: [&str; 7] = [
	"id", "sent", "done", "whole", "dropped", "entering", "given-up",
];

/// Reads a journal. One of this start of the machine is read whole, or not at all. In one of an earlier start, what the disk did
/// not get may be anything: the lines before that count, and whatever was forced onto the disk is among them.
fn read(bytes: &[u8], boot: &str) -> Result<Said, Unread> {
	// A line that was not written to its end did not happen.
	let mut lines = bytes
		.split_inclusive(|byte| *byte == b'\n')
		.filter_map(|line| line.strip_suffix(b"\n"));
	let first = lines.next().ok_or(Unread::Damaged)?;
	let start = std::str::from_utf8(first).ok().and_then(read_start);
	let start = start.filter(|(there, _)| !there.is_empty());
	let (there, start) = start.ok_or(Unread::Damaged)?;
	let resumes = there == boot;
	let (mut done, mut length) = (Done::default(), first.len() as u64 + 1);
	for line in lines {
		let text = std::str::from_utf8(line).map_err(|_| Unread::Damaged);
		match text.and_then(|line| done.take(line)) {
			Ok(()) => length += line.len() as u64 + 1,
			Err(Unread::Damaged) if !resumes => break,
			Err(unread) => return Err(unread),
		}
	}
	Ok(Said {
		start,
		done,
		resumes,
		length,
	})
}

/// Reads the first line. Also returns what names the start of the machine that it is of.
fn read_start(line: &str) -> Option<(&str, Start)> {
	let words = line.split(' ').collect::<Vec<_>>();
	let [FORMAT, there, header, url, length, part, note] = words[..] else {
		return None;
	};
	let text =
		|digits: &str, mark| String::from_utf8(hex::decode(digits.strip_prefix(mark)?).ok()?).ok();
	let start = Start {
		header: ObjectHeader::read(&hex::decode(header).ok()?.try_into().ok()?).ok()?,
		url: text(url, 'u')?,
		length: match length {
			"-" => None,
			length => Some(length.parse().ok()?),
		},
		part: part.parse().ok().filter(|part| *part > 0)?,
		note: text(note, 'n')?,
	};
	Some((there, start))
}

/// Returns what names this start of the machine; `None` if the system does not say.
pub(crate) fn boot() -> Option<String> {
	let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
	Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty() && !boot.contains(' '))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn start() -> Start {
		let mut header = [0; ObjectHeader::LEN];
		header[0] = isthmus_envelope::object::VERSION;
		header[1..5].copy_from_slice(&(isthmus_envelope::object::CHUNK as u32).to_be_bytes());
		Start {
			header: ObjectHeader::read(&header).unwrap(),
			url: "file:///a b".into(),
			length: Some(7),
			part: 8,
			note: String::new(),
		}
	}

	#[test]
	fn a_journal_says_what_was_noted() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("deep/journal");
		assert!(Journal::open(&path).unwrap().is_none());
		let mut journal = Journal::create(&path, start()).unwrap();
		journal.started("an id".into()).unwrap();
		journal.sending(0, &[[1; 32], [2; 32]]).unwrap();
		journal.sent(0, String::new()).unwrap();
		journal.sending(1, &[[3; 32]]).unwrap();
		let read = Journal::open(&path).unwrap().unwrap();
		assert_eq!((&read.start, &read.done), (&journal.start, &journal.done));
		journal.dropped().unwrap();
		let mut read = Journal::open(&path).unwrap().unwrap();
		assert_eq!(read.done, journal.done);
		assert_eq!((read.done.parts.len(), read.done.sent.len()), (0, 2));
		read.whole().unwrap();
		assert!(Journal::open(&path).unwrap().unwrap().done.whole);
		// A later attempt may have an earlier last block.
		for last in [300, 7] {
			read.entering(last).unwrap();
		}
		read.given_up().unwrap();
		let read = Journal::open(&path).unwrap().unwrap().done;
		assert_eq!((read.entering, read.given_up), (Some(300), true));
	}

	/// Whatever byte the file ends with, the lines before are read, and the next line is a line of its own.
	#[test]
	fn a_journal_that_ends_anywhere_is_read() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("journal");
		let mut journal = Journal::create(&path, start()).unwrap();
		let started = fs::read(&path).unwrap().len();
		journal.started("id".into()).unwrap();
		journal.sending(0, &[[1; 32]]).unwrap();
		journal.sent(0, "etag".into()).unwrap();
		let bytes = fs::read(&path).unwrap();
		for end in 0..=bytes.len() {
			fs::write(&path, &bytes[..end]).unwrap();
			let read = Journal::open(&path).unwrap();
			assert_eq!(read.is_some(), end >= started, "{end} bytes");
			let Some(mut read) = read else { continue };
			let lines = bytes[started..end].iter().filter(|byte| **byte == b'\n');
			let Done {
				id, sent, parts, ..
			} = &read.done;
			let known = usize::from(id.is_some()) + sent.len() + parts.len();
			assert_eq!(known, lines.count(), "{end} bytes");
			read.sending(9, &[[9; 32]]).unwrap();
			let again = Journal::open(&path).unwrap().unwrap();
			assert_eq!(again.done, read.done);
		}
	}

	#[test]
	fn a_journal_of_a_newer_release_is_an_error_and_stays() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("journal");
		let mut journal = Journal::create(&path, start()).unwrap();
		journal.started("id".into()).unwrap();
		let known = fs::read_to_string(&path).unwrap();
		let earlier = known.replace(&boot().unwrap(), "another");
		for (text, in_first_line) in [
			(known.replacen("upload-1", "upload-2", 1), true),
			(earlier.replacen("upload-1", "upload-2", 1), true),
			(format!("{known}paused 7\n"), false),
		] {
			fs::write(&path, &text).unwrap();
			let mut refused = vec![Journal::open(&path).map(drop), Said::read(&path).map(drop)];
			if in_first_line {
				refused.push(Start::read(&path).map(drop));
			}
			for refused in refused {
				let refused = refused.unwrap_err();
				let named = NewerFile::in_error(&refused).unwrap();
				assert_eq!(named.path, path, "{text}");
			}
			assert_eq!(fs::read_to_string(&path).unwrap(), text);
		}
		// What is damaged is not used, as before.
		for text in [
			format!("{known}\0\0\n"),
			format!("{known}sent x\n"),
			"isthmus-upload-\n".into(),
		] {
			fs::write(&path, &text).unwrap();
			assert!(Journal::open(&path).unwrap().is_none(), "{text}");
		}
		// A line that is cut short did not happen.
		fs::write(&path, format!("{known}paus")).unwrap();
		assert!(Journal::open(&path).unwrap().is_some());
	}

	/// A program that only looks does not take away what another one is writing.
	#[test]
	fn a_look_at_a_journal_changes_nothing() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("journal");
		assert_eq!(Said::read(&path).unwrap(), None);
		assert!(!path.exists());
		let mut journal = Journal::create(&path, start()).unwrap();
		journal.started("id".into()).unwrap();
		journal.file.write_all(b"sent 0 0101").unwrap();
		let bytes = fs::read(&path).unwrap();
		let said = Said::read(&path).unwrap().unwrap();
		assert_eq!((&said.start, &said.done), (&journal.start, &journal.done));
		assert_eq!(fs::read(&path).unwrap(), bytes);
		// The line is written to its end.
		journal.file.write_all("01".repeat(30).as_bytes()).unwrap();
		journal.file.write_all(b"\n").unwrap();
		let said = Said::read(&path).unwrap().unwrap();
		assert_eq!(said.done.sent[&0], [[1; 32]]);
	}

	/// A task may end after its upload has failed and another one began.
	#[test]
	fn a_late_note_of_an_earlier_upload_is_not_in_the_next_journal() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("journal");
		let mut earlier = Journal::create(&path, start()).unwrap();
		let mut next = Journal::create(&path, start()).unwrap();
		earlier.sending(0, &[[1; 32]]).unwrap();
		next.sending(1, &[[2; 32]]).unwrap();
		assert_eq!(Said::read(&path).unwrap().unwrap().done, next.done);
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
	}

	/// The machine lost its power: at the end of the file there may be anything. What was forced onto the disk is known.
	#[test]
	fn a_journal_of_another_start_of_the_machine_is_not_resumed_and_says_what_to_delete() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("journal");
		let mut journal = Journal::create(&path, start()).unwrap();
		journal.started("an id".into()).unwrap();
		journal.sending(0, &[[1; 32]]).unwrap();
		journal.entering(300).unwrap();
		let text = fs::read_to_string(&path).unwrap();
		let text = text.replace(&boot().unwrap(), "another");
		for torn in [
			&b""[..],
			b"sent 1 0101",
			b"\0\0\0\0",
			b"\xff\xfe\n",
			b"sent\n",
		] {
			fs::write(&path, [text.as_bytes(), torn].concat()).unwrap();
			assert!(Journal::open(&path).unwrap().is_none());
			let said = Said::read(&path).unwrap().unwrap();
			assert!(!said.resumes);
			assert_eq!((&said.start, &said.done), (&journal.start, &journal.done));
			let mut open = Journal::opened(&path, said).unwrap();
			open.given_up().unwrap();
			let said = Said::read(&path).unwrap().unwrap();
			assert_eq!((said.done.entering, said.done.given_up), (Some(300), true));
		}
		// One of this start that is damaged is not used at all, and neither is one that does not say of which start it is.
		for damaged in [
			text.replace("another", &boot().unwrap()) + "sent\n",
			text.replace("another", ""),
		] {
			fs::write(&path, damaged).unwrap();
			assert_eq!(Said::read(&path).unwrap(), None);
		}
	}
}
