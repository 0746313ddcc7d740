// SPDX-License-Identifier: Apache-2.0
//! The native part of the Python package `isthmus`: the Rust SDK's connection and readings as Python classes.
//!
//! It has little: what it returns are numbers, texts and dictionaries, of which the Python part makes what its users
//! see. Each call releases Python's lock while it waits, can be interrupted, and works in a process that was forked.

mod connection;
mod entries;
mod error;
mod frames;
mod history;
mod per_process;
mod reading;
mod runtime;
mod sharing;
mod source;
mod store;
mod told;

/// The module `isthmus._native`.
#[pyo3::pymodule(name = "_native")]
mod native {
	#[pymodule_export]
	use super::{
		connection::Connection,
		error::{NotAuthentic, Refused},
		frames::{abort_frame, commit_frame, frames_left, give_up_frame, plan_frame, store_part},
		history::{receipt, trace, verify},
		reading::Reading,
		sharing::{
			answer, authorize, called, cancel, create_dataset, locate, publish, register, reject,
			request, requests, revoke, time,
		},
		store::{remove, store},
	};
}
