// SPDX-License-Identifier: Apache-2.0
//! Stores that are asked again. `object_store` does that, and says nothing of it for many seconds: the client of a store notes
//! each answer here, so that who waits learns it.

use object_store::client::{HttpError, HttpErrorKind, HttpResponse};
use std::{
	fmt,
	sync::{Mutex, MutexGuard, OnceLock, PoisonError},
	time::{Duration, Instant},
};

/// How long a store may fail before that is told: most answer properly again by then.
const SOON: Duration = Duration::from_secs(1);

/// Why a store is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
	/// It answers with this status.
	Unavailable(u16),
	/// No answer comes.
	Unreachable,
}

impl fmt::Display for Trouble {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Unavailable(status) => write!(f, "does not answer properly now ({status})"),
			Self::Unreachable => f.write_str("cannot be reached now, or breaks the connection off"),
		}
	}
}

impl Trouble {
	/// Returns why the store is asked again after this answer; `None` if it is not. These are the answers after which
	/// `object_store` does it.
	pub(crate) fn in_answer(answer: &Result<HttpResponse, HttpError>) -> Option<Self> {
		match answer {
			Ok(answer) => {
				let status = answer.status();
				let is_passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
				is_passing.then(|| Self::Unavailable(status.as_u16()))
			}
			Err(error) => match error.kind() {
				HttpErrorKind::Unknown | HttpErrorKind::Decode => None,
				_ => Some(Self::Unreachable),
			},
		}
	}
}

/// Receives why a store is asked again.
type Tell = Box<dyn Fn(Trouble) + Send + Sync>;

/// How a store answers.
#[derive(Default)]
pub(crate) struct Answers {
	tell: OnceLock<Tell>,
	/// Since when there was no proper answer, and whether that was told; `None` if the last one was proper.
	failing: Mutex<Option<(Instant, bool)>>,
}

impl fmt::Debug for Answers {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Answers")
	}
}

impl Answers {
	/// Sets the function that is called when the store has given no proper answer for a while. Only the first call has an
	/// effect.
	pub(crate) fn on_trouble(&self, tell: impl Fn(Trouble) + Send + Sync + 'static) {
		let _ = self.tell.set(Box::new(tell));
	}

	/// Notes an answer of this time, and tells of it if it is one of several that were not proper.
	pub(crate) fn note(&self, trouble: Option<Trouble>, now: Instant) {
		let Some(trouble) = trouble else {
			*self.failing() = None;
			return;
		};
		let is_new = {
			let mut failing = self.failing();
			let (since, told) = failing.get_or_insert((now, false));
			let is_new = !*told && now.saturating_duration_since(*since) >= SOON;
			*told |= is_new;
			is_new
		};
		if let Some(tell) = self.tell.get().filter(|_| is_new) {
			tell(trouble);
		}
	}

	fn failing(&self) -> MutexGuard<'_, Option<(Instant, bool)>> {
		self.failing.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use object_store::client::HttpResponseBody;
	use std::{io, sync::Arc};

	#[test]
	fn only_a_store_that_fails_for_a_while_is_told_of_and_once() {
		let told = Arc::new(Mutex::new(Vec::new()));
		let (answers, heard) = (Answers::default(), told.clone());
		answers.on_trouble(move |trouble| heard.lock().unwrap().push(trouble));
		let start = Instant::now();
		let busy = Trouble::Unavailable(503);
		let note = |trouble, at| answers.note(trouble, start + Duration::from_millis(at));
		// A proper answer in between ends it.
		for (trouble, at) in [
			(Some(busy), 0),
			(Some(busy), 900),
			(None, 950),
			(Some(busy), 1100),
		] {
			note(trouble, at);
		}
		assert_eq!(*told.lock().unwrap(), []);
		note(Some(Trouble::Unreachable), 2100);
		note(Some(busy), 9000);
		assert_eq!(*told.lock().unwrap(), [Trouble::Unreachable]);
		for (trouble, at) in [(None, 9100), (Some(busy), 9200), (Some(busy), 11_000)] {
			note(trouble, at);
		}
		assert_eq!(*told.lock().unwrap(), [Trouble::Unreachable, busy]);
	}

	#[test]
	fn what_object_store_asks_again_for_is_known() {
		let answered = |status: u16| {
			let body = HttpResponseBody::from(String::new());
			let mut answer = HttpResponse::new(body);
			*answer.status_mut() = status.try_into().unwrap();
			Trouble::in_answer(&Ok(answer))
		};
		for status in [200, 206, 301, 400, 403, 404, 409, 416] {
			assert_eq!(answered(status), None, "{status}");
		}
		for status in [408, 429, 500, 503] {
			assert_eq!(answered(status), Some(Trouble::Unavailable(status)));
		}
		let failed = |kind| Trouble::in_answer(&Err(HttpError::new(kind, io::Error::other("a"))));
		for kind in [HttpErrorKind::Unknown, HttpErrorKind::Decode] {
			assert_eq!(failed(kind), None);
		}
		for kind in [HttpErrorKind::Connect, HttpErrorKind::Interrupted] {
			assert_eq!(failed(kind), Some(Trouble::Unreachable));
		}
	}
}
