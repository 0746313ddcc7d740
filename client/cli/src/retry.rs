// SPDX-License-Identifier: Apache-2.0
//! When services try again after an error.

use crate::{
	error::{Error, Kind},
	stderr::tell,
	stop::Stop,
};
use std::{
	mem::take,
	time::{Duration, Instant},
};
use tokio::time::sleep;

/// The wait before the first new attempt after an error.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between attempts. After an attempt that went well for longer, the waits begin with the first again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whether a service has said that an attempt failed, and not yet that it works again.
#[derive(Default)]
pub(crate) struct Trouble(bool);

impl Trouble {
	/// An attempt has failed, and that was said.
	pub(crate) fn begins(&mut self) {
		self.0 = true;
	}

	/// Says that the service works again, and what it saw. Says nothing if it worked before.
	pub(crate) fn ends(&mut self, status: &str) {
		if let Some(words) = self.words(status) {
			tell(words);
		}
	}

	fn words(&mut self, status: &str) -> Option<String> {
		take(&mut self.0).then(|| format!("works again; {status}"))
	}
}

/// The attempts of a service. The wait between two doubles with each attempt.
pub(crate) struct Retry {
	/// When the present attempt began.
	began: Instant,
	/// The wait after it.
	wait: Duration,
	/// What was said of the attempt before.
	said: String,
}

impl Retry {
	/// Begins the first attempt.
	pub(crate) fn begin() -> Self {
		Self {
			began: Instant::now(),
			wait: FIRST_WAIT,
			said: String::new(),
		}
	}

	/// Says why an attempt failed and, once, what to do about it. Returns the words.
	pub(crate) fn tell(&mut self, error: &Error) -> String {
		let (words, hint) = self.words(error);
		tell(&words);
		if let Some(hint) = hint {
			tell(format_args!("hint: {hint}"));
		}
		words
	}

	/// Returns what to say of an attempt that failed, with a hint if it failed in another way than the one before. To run the
	/// command again is no help here: that is what hints about the node and the chain say.
	fn words(&mut self, error: &Error) -> (String, Option<String>) {
		let then = match error.kind() {
			Kind::Unreachable => "reconnecting",
			_ => "trying again",
		};
		let words = format!("{}; {then}", error.message());
		let is_new = error.kind() == Kind::Failed && self.said != words;
		self.said.clone_from(&words);
		(words, error.shown_hint().filter(|_| is_new))
	}

	/// Waits after an attempt that failed, and begins the next one. Returns whether there is a next one: not if the service
	/// was asked to end.
	pub(crate) async fn again(&mut self, stop: &Stop) -> bool {
		if self.began.elapsed() > LONGEST_WAIT {
			self.wait = FIRST_WAIT;
		}
		let goes_on = stop.or(sleep(self.wait)).await.is_some();
		self.wait = (self.wait * 2).min(LONGEST_WAIT);
		self.began = Instant::now();
		goes_on
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::Error as SdkError;

	#[test]
	fn the_end_of_trouble_is_said_once() {
		let mut trouble = Trouble::default();
		assert_eq!(trouble.words("block 7"), None);
		trouble.begins();
		trouble.begins();
		assert_eq!(
			trouble.words("block 8").as_deref(),
			Some("works again; block 8")
		);
		assert_eq!(trouble.words("block 9"), None);
	}

	#[test]
	fn what_only_the_user_can_end_has_a_hint_once() {
		let mut retry = Retry::begin();
		let mut say = |error: SdkError| retry.words(&error.into());
		let kept = || SdkError::KeptByAnother {
			url: "file:///copies".into(),
			holder: None,
		};
		let (words, hint) = say(kept());
		assert_eq!(
			words,
			"another program keeps copies at file:///copies; trying again"
		);
		assert!(hint.unwrap().contains("--at"));
		assert_eq!(say(kept()), (words, None));
		let lost = say(SdkError::Connection("lost".into()));
		assert!(lost.0.ends_with("; reconnecting"), "{}", lost.0);
		assert_eq!(lost.1, None);
		assert!(say(kept()).1.is_some());
	}
}
