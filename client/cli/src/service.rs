// SPDX-License-Identifier: Apache-2.0
//! Tells a service manager how the command is, by the protocol of systemd (sd_notify(3)): a datagram with lines
//! `NAME=VALUE` to the socket that `$NOTIFY_SOCKET` names. Without the variable, nothing is sent.

use crate::{error::os, text::shown};
use std::{
	convert::Infallible,
	env,
	ffi::OsString,
	future::pending,
	io,
	os::unix::{
		ffi::OsStrExt,
		net::{SocketAddr, UnixDatagram},
	},
	process,
	time::Duration,
};
use tokio::time::{interval, MissedTickBehavior};

/// The variables of the protocol.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHED: &str = "WATCHDOG_PID";

/// The service manager that started the command, if there is one.
pub(crate) struct Service {
	socket: Option<(UnixDatagram, SocketAddr)>,
	/// How often the manager wants to hear from the command.
	every: Option<Duration>,
}

impl Service {
	/// Finds the service manager by the environment's variables.
	///
	/// # Errors
	///
	/// Returns a sentence that says what is wrong with them.
	pub(crate) fn from_env() -> Result<Self, String> {
		let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
		Self::new(variable(SOCKET), variable(WATCHDOG), variable(WATCHED))
	}

	fn new(
		socket: Option<OsString>,
		watchdog: Option<OsString>,
		watched: Option<OsString>,
	) -> Result<Self, String> {
		let number = |name: &str, value: OsString| -> Result<u64, String> {
			let number = value.to_str().and_then(|text| text.parse().ok());
			number.ok_or_else(|| format!("${name} is not a number"))
		};
		let socket = match &socket {
			Some(name) => {
				let unusable = |error: io::Error| format!("${SOCKET}: {}", os(&error));
				let address = address(name.as_bytes()).map_err(unusable)?;
				let socket = UnixDatagram::unbound().map_err(unusable)?;
				// A manager that reads nothing does not hold up the command.
				socket.set_nonblocking(true).map_err(unusable)?;
				Some((socket, address))
			}
			None => None,
		};
		let is_watched = match watched {
			Some(id) => number(WATCHED, id)? == u64::from(process::id()),
			None => true,
		};
		let limit = watchdog.filter(|_| is_watched);
		let limit = limit.map(|limit| number(WATCHDOG, limit)).transpose()?;
		Ok(Self {
			// Twice as often as the manager's limit, as sd_watchdog_enabled(3) recommends.
			every: limit
				.map(|limit| Duration::from_micros(limit / 2))
				.filter(|every| !every.is_zero() && socket.is_some()),
			socket,
		})
	}

	/// Says that the command serves, and what it saw.
	pub(crate) fn is_ready(&self, status: &str) {
		self.send(&format!("READY=1\nSTATUS={}", shown(status)));
	}

	/// Says what the command does, or what is wrong if it tries again.
	///
	/// A node may have written a part of the words: a line end in them would begin another variable for the manager.
	pub(crate) fn is_at(&self, status: &str) {
		self.send(&format!("STATUS={}", shown(status)));
	}

	/// Says that the command ends on its own.
	pub(crate) fn ends(&self) {
		self.send("STOPPING=1");
	}

	/// Says as often as the manager wants that the command is alive. It has to be polled by the task that does the work, so
	/// that the manager hears nothing if that task is stuck. Never ends.
	pub(crate) async fn stay_alive(&self) -> Infallible {
		let Some(every) = self.every else {
			return pending().await;
		};
		let mut ticks = interval(every);
		ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
		loop {
			ticks.tick().await;
			self.send("WATCHDOG=1");
		}
	}

	/// Sends a message. A manager that does not take it does not stop the command.
	fn send(&self, message: &str) {
		if let Some((socket, address)) = &self.socket {
			let _ = socket.send_to_addr(message.as_bytes(), address);
		}
	}
}

/// Returns the address that a name stands for: a path or, after an `@`, a name that no file has.
fn address(name: &[u8]) -> io::Result<SocketAddr> {
	match name.split_first() {
		#[cfg(target_os = "linux")]
		Some((b'@', name)) => {
			<SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
		}
		_ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn service(socket: &str, watchdog: Option<&str>, watched: Option<String>) -> Service {
		let watchdog = watchdog.map(OsString::from);
		Service::new(Some(socket.into()), watchdog, watched.map(OsString::from)).unwrap()
	}

	fn heard(manager: &UnixDatagram) -> String {
		let mut message = [0; 256];
		let length = manager.recv(&mut message).unwrap();
		String::from_utf8(message[..length].to_vec()).unwrap()
	}

	#[test]
	fn a_manager_hears_what_the_command_does() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("notify");
		let manager = UnixDatagram::bind(&path).unwrap();
		let service = service(path.to_str().unwrap(), None, None);
		service.is_ready("block 7: 2 open requests");
		assert_eq!(heard(&manager), "READY=1\nSTATUS=block 7: 2 open requests");
		service.is_at("no node answers");
		assert_eq!(heard(&manager), "STATUS=no node answers");
		// A node's words set no other variable.
		service.is_at("it says\nMAINPID=1");
		let status = heard(&manager);
		assert!(
			status.starts_with("STATUS=it says") && !status.contains('\n'),
			"{status}"
		);
		service.ends();
		assert_eq!(heard(&manager), "STOPPING=1");
		// A manager that is gone does not matter.
		drop(manager);
		service.ends();
	}

	#[test]
	fn a_manager_that_reads_nothing_does_not_hold_up_the_command() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("notify");
		let _manager = UnixDatagram::bind(&path).unwrap();
		let service = service(path.to_str().unwrap(), None, None);
		// More than any system keeps for it.
		for block in 0..20_000 {
			service.is_ready(&format!("block {block}"));
		}
	}

	#[cfg(target_os = "linux")]
	#[tokio::test]
	async fn a_manager_hears_that_the_command_is_alive() {
		use std::os::linux::net::SocketAddrExt;
		let name = format!("isthmus-test-{}", process::id());
		let address = SocketAddr::from_abstract_name(&name).unwrap();
		let manager = UnixDatagram::bind_addr(&address).unwrap();
		let own = Some(process::id().to_string());
		let service = service(&format!("@{name}"), Some("2000"), own);
		let hearing = tokio::task::spawn_blocking(move || [heard(&manager), heard(&manager)]);
		tokio::select! {
			messages = hearing => assert_eq!(messages.unwrap(), ["WATCHDOG=1"; 2]),
			never = service.stay_alive() => match never {},
		}
	}

	#[test]
	fn a_watchdog_of_another_process_and_variables_that_are_wrong() {
		let every = |watchdog, watched: Option<&str>| {
			service("/none", watchdog, watched.map(str::to_owned)).every
		};
		assert_eq!(
			every(Some("3000000"), None),
			Some(Duration::from_millis(1500))
		);
		assert_eq!(every(Some("3000000"), Some("1")), None);
		assert_eq!(every(Some("1"), None), None);
		assert_eq!(every(None, None), None);
		assert_eq!(
			Service::new(None, Some("10".into()), None).unwrap().every,
			None
		);
		let refused = |socket: &str, watchdog: &str| {
			Service::new(Some(socket.into()), Some(watchdog.into()), None).err()
		};
		let expected = "$WATCHDOG_USEC is not a number";
		assert_eq!(refused("/none", "soon").as_deref(), Some(expected));
		let long = format!("/{}", "x".repeat(200));
		assert!(refused(&long, "1").is_some_and(|error| error.starts_with("$NOTIFY_SOCKET: ")));
	}
}
