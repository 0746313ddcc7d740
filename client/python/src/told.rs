// SPDX-License-Identifier: Apache-2.0
//! Tells a Python function how far a long call has come.

use crate::error::Raised;
use isthmus_sdk::{Progress, Stage};
use pyo3::prelude::*;
use std::{
	future::Future,
	sync::{Arc, OnceLock},
};
use tokio::{select, sync::Notify};

/// The function that is told of a call's progress, if there is one.
pub(crate) struct Told {
	function: Option<Py<PyAny>>,
	/// The exception that the function raised.
	failure: Arc<Failure>,
}

#[derive(Default)]
struct Failure {
	raised: OnceLock<PyErr>,
	happened: Notify,
}

impl Told {
	pub(crate) fn new(function: Option<Py<PyAny>>) -> Self {
		let failure = Arc::default();
		Self { function, failure }
	}

	/// Returns what tells the function.
	pub(crate) fn teller(&self, py: Python<'_>) -> Teller {
		Teller {
			function: self
				.function
				.as_ref()
				.map(|function| function.clone_ref(py)),
			failure: self.failure.clone(),
			file: None,
		}
	}

	/// Waits for a result, or for the exception that the function raises.
	pub(crate) async fn unless_raised<Value>(
		&self,
		done: impl Future<Output = Result<Value, Raised>>,
	) -> PyResult<Value> {
		select! {
			biased;
			raised = self.raised() => Err(raised),
			done = done => Ok(done?),
		}
	}

	async fn raised(&self) -> PyErr {
		loop {
			self.failure.happened.notified().await;
			if let Some(raised) = self.failure.raised.get() {
				return Python::attach(|py| raised.clone_ref(py));
			}
		}
	}
}

/// Tells the function. It is called with the stage, how many bytes or blocks are done, how many there are and, in a
/// folder, the file.
pub(crate) struct Teller {
	function: Option<Py<PyAny>>,
	failure: Arc<Failure>,
	file: Option<String>,
}

impl Progress for Teller {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		let Some(function) = &self.function else {
			return;
		};
		let stage = format!("{stage:?}").to_lowercase();
		Python::try_attach(|py| {
			let arguments = (stage, done, total, self.file.as_deref());
			if let Err(raised) = function.call1(py, arguments) {
				// Only the first one is raised.
				let _ = self.failure.raised.set(raised);
				self.failure.happened.notify_one();
			}
		});
	}

	fn file(&mut self, path: &str) {
		self.file = Some(path.to_owned());
	}
}
