// SPDX-License-Identifier: Apache-2.0
//! Runs the SDK's futures from Python.

use crate::per_process::PerProcess;
use pyo3::{exceptions::PyRuntimeError, prelude::*};
use std::{future::Future, pin::pin, time::Duration};
use tokio::{
	runtime::{Builder, Handle, Runtime},
	select,
	time::sleep,
};

/// The threads that keep connections alive.
const WORKERS: usize = 2;
/// How often to look whether the user pressed Ctrl-C.
const PATIENCE: Duration = Duration::from_millis(100);

static RUNTIME: PerProcess<Runtime> = PerProcess::new();

/// Waits for what `make` makes. Other Python threads run meanwhile.
///
/// # Errors
///
/// Returns the error of the future, the exception of a signal's handler, such as `KeyboardInterrupt`, and a
/// `RuntimeError` inside of a callback.
pub(crate) fn wait<Value, Made>(
	py: Python<'_>,
	make: impl FnOnce() -> Made + Send,
) -> PyResult<Value>
where
	Value: Send,
	Made: Future<Output = PyResult<Value>>,
{
	if Handle::try_current().is_ok() {
		let words = "a callback cannot use the connection that calls it";
		return Err(PyRuntimeError::new_err(words));
	}
	py.detach(|| {
		runtime()?.block_on(async {
			let mut made = pin!(make());
			loop {
				select! {
					biased;
					done = &mut made => return done,
					() = sleep(PATIENCE) => Python::attach(|py| py.check_signals())?,
				}
			}
		})
	})
}

/// Returns this process's runtime.
fn runtime() -> PyResult<&'static Runtime> {
	if let Some(runtime) = RUNTIME.get() {
		return Ok(runtime);
	}
	let runtime = Builder::new_multi_thread()
		.worker_threads(WORKERS)
		.enable_all()
		.build()?;
	let kept = RUNTIME.keep(runtime);
	kept.ok_or_else(|| PyRuntimeError::new_err("no runtime could be kept"))
}
