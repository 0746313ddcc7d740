// SPDX-License-Identifier: Apache-2.0
//! The server: who may ask, what was asked, and the bytes of files.

use crate::{
	answer::{close, date, full, header_date, Answer, Body, Failure, HEADER_DATE},
	bucket,
	cache::Cache,
	credentials::Credentials,
	guard::Guard,
	kind::kind,
	pace::{Limits, Pace},
	question::Question,
	range::{asked, Asked},
	sharing::known::Sharing,
	source::{Dataset, Opened, Place, Refusal, Source},
	watch::{Event, Read, Refused, Totals, Watch},
};
use bytes::Bytes;
use futures::{stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
	body::Frame,
	header::{self, HeaderValue},
	Method, Response, StatusCode,
};
use isthmus_sdk::{objects::SILENCE, Seconds};
use std::{
	future::Future,
	ops::Range,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::Duration,
};
use tokio::{
	sync::{mpsc, AcquireError, OwnedSemaphorePermit, Semaphore},
	task::{spawn_local, JoinError},
	time::{timeout, Instant},
};

/// How many files may be read at the same time. Others wait.
const READS: usize = 12;
/// How many pieces of a file, of a few MiB each, are fetched at the same time.
const PIECES: usize = 3;
/// How long a request waits for other reads.
const TURN: Duration = Duration::from_secs(30);
/// How long the chain and a dataset's locations may take, before the program that asked is told: twice as long as it takes
/// until a silent location is left for the next one.
const PATIENCE: Duration = Duration::from_secs(2 * SILENCE.as_secs());

/// How a gateway answers.
#[derive(Clone, Debug)]
pub struct Settings {
	/// What programs have to show.
	pub credentials: Credentials,
	/// The names under which it may be asked, besides the loopback addresses.
	pub hosts: Vec<String>,
	/// How many decrypted bytes are kept in memory.
	pub cache: u64,
}

/// Answers requests for what a source has.
pub struct Gateway<Files, Log> {
	source: Files,
	watch: Log,
	settings: Settings,
	guard: Guard,
	cache: Cache,
	/// The datasets that were seen so far, by their buckets.
	known: Mutex<Vec<(String, Dataset)>>,
	reads: Arc<Semaphore>,
	requests: AtomicU64,
	limits: Limits,
	sharing: Sharing,
}

impl<Files: Source, Log: Watch> Gateway<Files, Log> {
	/// Makes a gateway.
	pub fn new(source: Files, watch: Log, settings: Settings) -> Arc<Self> {
		Self::with_limits(source, watch, settings, Limits::default())
	}

	/// Makes a gateway with other limits of time.
	pub(crate) fn with_limits(
		source: Files,
		watch: Log,
		settings: Settings,
		limits: Limits,
	) -> Arc<Self> {
		Arc::new(Self {
			source,
			watch,
			guard: Guard::new(&settings.hosts),
			cache: Cache::new(settings.cache),
			settings,
			known: Mutex::default(),
			reads: Arc::new(Semaphore::new(READS)),
			requests: AtomicU64::new(0),
			limits,
			sharing: Sharing::default(),
		})
	}

	/// Returns what is read.
	pub fn source(&self) -> &Files {
		&self.source
	}

	/// Waits until no file is being read. What was read is told then.
	pub(crate) async fn all_read(&self) -> Result<(), AcquireError> {
		self.reads.acquire_many(READS as u32).await.map(drop)
	}

	fn totals(&self) -> Totals {
		let (hits, fetched) = self.cache.counts();
		Totals { hits, fetched }
	}

	/// Refuses requests that a web page of someone else made.
	pub(crate) fn check_origin(&self, asked: &Question<'_>) -> Result<(), Failure> {
		let header = |name| match asked.headers.get(name) {
			None => None,
			// What is no text is not allowed either.
			Some(value) => Some(value.to_str().unwrap_or("?")),
		};
		let host = header(header::HOST);
		if !self.guard.is_own_host(host) && !Guard::is_local(host, asked.local) {
			return Err(Failure::denied(
				"the gateway is not asked under this name: use 127.0.0.1, with S3's path style, or start it with --host NAME",
			));
		}
		match self.guard.is_own_origin(header(header::ORIGIN)) {
			true => Ok(()),
			false => Err(Failure::denied(
				"the gateway does not answer web pages of others",
			)),
		}
	}

	/// Returns the number of the next request.
	pub(crate) fn number(&self) -> u64 {
		self.requests.fetch_add(1, Ordering::Relaxed)
	}

	pub(crate) fn credentials(&self) -> &Credentials {
		&self.settings.credentials
	}

	pub(crate) fn sharing(&self) -> &Sharing {
		&self.sharing
	}

	/// Tells that a request was refused.
	pub(crate) fn refused(
		&self,
		who: Option<&str>,
		method: &Method,
		path: &str,
		failure: &Failure,
	) {
		let refused = Refused {
			who: who.map(str::to_owned),
			method: method.to_string(),
			path: path.to_owned(),
			status: failure.status.as_u16(),
			reason: failure.words.clone(),
		};
		self.watch.saw(Event::Refused(refused), self.totals());
	}

	/// Waits for an answer of the source, but not for ever.
	pub(crate) async fn patiently<T>(
		&self,
		answer: impl Future<Output = Result<T, Refusal>>,
	) -> Result<T, Failure> {
		match timeout(PATIENCE, answer).await {
			Ok(answer) => Ok(answer?),
			Err(_) => Err(self.late().await.into()),
		}
	}

	fn known(&self) -> MutexGuard<'_, Vec<(String, Dataset)>> {
		self.known.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Returns the datasets that there are now, with their buckets.
	pub(crate) async fn datasets(&self) -> Result<Vec<(String, Dataset)>, Failure> {
		let datasets = self.patiently(self.source.datasets()).await?;
		let named = datasets
			.into_iter()
			.map(|dataset| (bucket::name(&dataset.place), dataset));
		let now: Vec<_> = named.collect();
		let mut known = self.known();
		// Of what was granted once, it is still known why it is refused.
		known.retain(|(bucket, _)| now.iter().all(|(other, _)| other != bucket));
		known.extend(now.iter().cloned());
		Ok(now)
	}

	/// Finds a dataset among those that are known, or asks which there are.
	pub(crate) async fn find(
		&self,
		is_it: impl Fn(&str, &Dataset) -> bool,
	) -> Result<Option<Place>, Failure> {
		let find = || {
			let known = self.known();
			let found = known
				.iter()
				.find(|(bucket, dataset)| is_it(bucket, dataset));
			found.map(|(_, dataset)| dataset.place)
		};
		if let Some(found) = find() {
			return Ok(Some(found));
		}
		self.datasets().await?;
		Ok(find())
	}

	/// Waits until a file may be read.
	async fn turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
		match timeout(TURN, self.reads.clone().acquire_owned()).await {
			Ok(Ok(turn)) => Ok(turn),
			_ => Err(Refusal::Busy.into()),
		}
	}

	/// Returns a small part of a file.
	pub(crate) async fn part(
		&self,
		opened: &Opened<Files::Bytes>,
		part: Range<u64>,
	) -> Result<Vec<u8>, Failure> {
		let _turn = self.turn().await?;
		let mut bytes = Vec::new();
		for piece in Cache::pieces(opened.within(part), opened.chunk) {
			let read = self.patiently(self.cache.read(opened, piece)).await?;
			bytes.extend(read.into_iter().flatten());
		}
		Ok(bytes)
	}

	/// Answers with a file, or a part of it. With a hash, it has to be the file with this hash.
	pub(crate) async fn file(
		self: &Arc<Self>,
		who: &str,
		place: Place,
		path: &str,
		asked_by: &Question<'_>,
		hash: Option<[u8; 32]>,
	) -> Result<Answer, Failure> {
		let opened = self.patiently(self.source.open(place, path)).await?;
		if hash.is_some_and(|hash| hash != opened.file.hash) {
			return Err(Refusal::NoFile(format!("{path} was stored again")).into());
		}
		let length = opened.file.length;
		let tag = opened.file.tag();
		let (status, part) = match condition(asked_by, &tag, opened.file.date)? {
			Condition::Same => (StatusCode::NOT_MODIFIED, 0..0),
			Condition::All => (StatusCode::OK, 0..length),
			Condition::Part => match asked(asked_by.header(header::RANGE), length) {
				Asked::All => (StatusCode::OK, 0..length),
				Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
				Asked::Outside => return Err(Failure::outside(length)),
			},
		};
		let has_content = asked_by.method == Method::GET && !part.is_empty();
		let mut answer = match has_content {
			true => Response::new(self.content(who, opened.clone(), part.clone()).await?),
			false => Response::new(full(Bytes::new())),
		};
		*answer.status_mut() = status;
		close(&mut answer);
		let headers = answer.headers_mut();
		let mut set = |name, value: String| {
			if let Ok(value) = HeaderValue::from_str(&value) {
				headers.insert(name, value);
			}
		};
		set(header::ETAG, tag);
		set(header::ACCEPT_RANGES, "bytes".to_owned());
		set(header::LAST_MODIFIED, date(opened.file.date, HEADER_DATE));
		if status == StatusCode::NOT_MODIFIED {
			return Ok(answer);
		}
		set(header::CONTENT_TYPE, kind(path).to_owned());
		set(header::CONTENT_LENGTH, (part.end - part.start).to_string());
		if status == StatusCode::PARTIAL_CONTENT {
			let (first, last) = (part.start, part.end.saturating_sub(1));
			set(
				header::CONTENT_RANGE,
				format!("bytes {first}-{last}/{length}"),
			);
		}
		Ok(answer)
	}

	/// Reads the first piece, so that it is known whether the file can be read, and makes a body of all.
	async fn content(
		self: &Arc<Self>,
		who: &str,
		opened: Opened<Files::Bytes>,
		part: Range<u64>,
	) -> Result<Body, Failure> {
		let turn = self.turn().await?;
		let mut pieces = Cache::pieces(opened.within(part.clone()), opened.chunk);
		let first = pieces.next().unwrap_or_default();
		let first = self.patiently(self.cache.read(&opened, first)).await?;
		let read = Read {
			who: who.to_owned(),
			place: opened.place,
			path: opened.file.path.clone(),
			key: opened.file.key,
			bytes: part.start..part.start,
			failed: None,
		};
		let (send, mut receive) = mpsc::channel(1);
		let gateway = self.clone();
		let rest: Vec<_> = pieces.collect();
		spawn_local(gateway.send(first, rest, opened, read, turn, send));
		let next = move |context: &mut std::task::Context<'_>| receive.poll_recv(context);
		let content = StreamBody::new(stream::poll_fn(next));
		Ok(content.boxed_unsync())
	}

	/// Returns what a program is told if the source did not answer in time.
	async fn late(&self) -> Refusal {
		late(self.source.held_up().await)
	}

	/// Asks whether a file that is being sent may still be read, and is still the same.
	async fn still(&self, opened: &Opened<Files::Bytes>) -> Result<(), Refusal> {
		let path = &opened.file.path;
		let now = timeout(PATIENCE, self.source.open(opened.place, path)).await;
		let Ok(now) = now else {
			return Err(self.late().await);
		};
		match now? {
			now if now.file.is_at(&opened.file) => Ok(()),
			_ => Err(Refusal::Failed(format!("{path} was stored again"))),
		}
	}

	/// Sends a file's pieces, and tells how far it came.
	async fn send(
		self: Arc<Self>,
		first: Vec<Bytes>,
		rest: Vec<Range<u64>>,
		opened: Opened<Files::Bytes>,
		mut read: Read,
		turn: OwnedSemaphorePermit,
		send: mpsc::Sender<Result<Frame<Bytes>, Refusal>>,
	) {
		// Each piece has a task of its own: others wait for a chunk that is fetched, whether this program reads on or not.
		let later = rest.into_iter().map(|piece| {
			let (gateway, opened) = (self.clone(), opened.clone());
			let fetched = spawn_local(async move { gateway.cache.read(&opened, piece).await });
			async move {
				let ended = |error: JoinError| Refusal::Failed(error.to_string());
				fetched.await.map_err(ended)?
			}
		});
		let mut pieces = stream::once(async { Ok(first) })
			.chain(stream::iter(later).buffered(PIECES))
			.boxed_local();
		let (mut pace, mut asked) = (Pace::default(), Instant::now());
		'sending: while let Some(piece) = pieces.next().await {
			let frames = match piece {
				Ok(piece) => piece.into_iter().map(Ok).collect(),
				Err(refusal) => vec![Err(refusal)],
			};
			for mut frame in frames {
				if frame.is_ok() && asked.elapsed() >= self.limits.asking {
					frame = self.still(&opened).await.and(frame);
					asked = Instant::now();
				}
				read.failed = frame.as_ref().err().map(Refusal::to_string);
				let count = frame.as_ref().map_or(0, |bytes| bytes.len() as u64);
				let (started, patience) = (Instant::now(), pace.patience(&self.limits));
				let sent = timeout(patience, send.send(frame.map(Frame::data))).await;
				if read.failed.is_some() {
					break 'sending;
				}
				if !matches!(sent, Ok(Ok(()))) {
					let words = match sent {
						Err(_) => "the program read too slowly",
						Ok(_) => "the program stopped reading",
					};
					read.failed = Some(words.to_owned());
					break 'sending;
				}
				pace.took(count, started.elapsed());
				read.bytes.end += count;
			}
		}
		drop(turn);
		self.watch.saw(Event::Read(read), self.totals());
	}
}

/// Returns what a program is told if the source did not answer in time, and what may have held it up.
fn late(held_up: Option<String>) -> Refusal {
	Refusal::Unreachable(held_up.unwrap_or_else(|| {
		format!(
			"the node, or a location of the dataset, did not answer within {} seconds",
			PATIENCE.as_secs()
		)
	}))
}

/// What the conditions of a request come to.
enum Condition {
	/// The program has the file already.
	Same,
	/// All is sent, as the program has parts of another file.
	All,
	/// What was asked for is sent.
	Part,
}

/// Compares the tags and dates in a request's conditions with the file's. Where there is a tag, its date does not count, and 0
/// stands for a date that is not known.
fn condition(asked_by: &Question, tag: &str, date: Seconds) -> Result<Condition, Failure> {
	let names_it = |tags: &str| {
		let mut tags = tags
			.split(',')
			.map(|tag| tag.trim().trim_start_matches("W/"));
		tags.any(|other| other == "*" || other.trim_matches('"') == tag.trim_matches('"'))
	};
	let is_later = |name| {
		let since = asked_by.header(name).and_then(header_date);
		let at = i64::try_from(date).ok().filter(|at| *at > 0);
		Some(at? > since?)
	};
	let is_other = match asked_by.header(header::IF_MATCH) {
		Some(tags) => !names_it(tags),
		None => is_later(header::IF_UNMODIFIED_SINCE) == Some(true),
	};
	if is_other {
		let words = "the file was stored again since";
		return Err(Failure::new(
			StatusCode::PRECONDITION_FAILED,
			"PreconditionFailed",
			words,
		));
	}
	let is_same = match asked_by.header(header::IF_NONE_MATCH) {
		Some(tags) => names_it(tags),
		None => is_later(header::IF_MODIFIED_SINCE) == Some(false),
	};
	if is_same {
		return Ok(Condition::Same);
	}
	Ok(match asked_by.header(header::IF_RANGE) {
		Some(other) if !names_it(other) => Condition::All,
		_ => Condition::Part,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_holds_an_answer_up_is_said_if_it_is_known() {
		let silent = "the node, or a location of the dataset, did not answer within 60 seconds";
		assert_eq!(late(None), Refusal::Unreachable(silent.into()));
		let why = "what is read has to be finalized, and no new block is".to_owned();
		assert_eq!(late(Some(why.clone())), Refusal::Unreachable(why));
	}
}
