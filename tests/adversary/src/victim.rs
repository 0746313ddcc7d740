// SPDX-License-Identifier: Apache-2.0

//! Observes the node under attack as its operator does: through its RPC, its log, and the operating
//! system's report on its process.

use crate::wire::{Handshake, ROLE_FULL};
use codec::DecodeAll;
use isthmus_primitives::{digest::PowHeader, params::ChainParameters, BlockNumber, Hash, Header};
use isthmus_rules::Parent;
use jsonrpsee::{
	core::{client::ClientT, ClientError},
	rpc_params,
	ws_client::{WsClient, WsClientBuilder},
};
use litep2p::types::multiaddr::{Multiaddr, Protocol};
use std::{
	collections::VecDeque,
	fs::File,
	io::{Read, Seek, SeekFrom},
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// How often to poll for changes that the node does not report.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How many clock ticks there are in a second. Linux reports processor time in these ticks (`USER_HZ`,
/// which is the same on all common systems).
const TICKS_PER_SECOND: f64 = 100.0;

/// Why the node under attack could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum VictimError {
	/// The RPC failed.
	#[error("the node's RPC: {0}")]
	Rpc(#[from] ClientError),
	/// An answer is invalid.
	#[error("invalid answer to {method}: {reason}")]
	Answer {
		/// The method that was called.
		method: &'static str,
		/// What is wrong with the answer.
		reason: String,
	},
	/// The log or a file of /proc could not be read.
	#[error("{}: {error}", path.display())]
	File {
		/// The file.
		path: PathBuf,
		/// The system's error.
		#[source]
		error: std::io::Error,
	},
	/// Something did not happen in time.
	#[error("timed out after {} s waiting for {what}", limit.as_secs())]
	TimedOut {
		/// The awaited event.
		what: String,
		/// The time limit.
		limit: Duration,
	},
}

/// A node, observed through its RPC.
pub struct Victim {
	rpc: WsClient,
	address: Multiaddr,
	genesis: Hash,
	params: ChainParameters,
}

impl Victim {
	/// Connects to the node's RPC, and reads the node's peer address and the chain's parameters.
	///
	/// # Errors
	///
	/// Returns [`VictimError::Answer`] if the node does not listen on TCP or its parameters do not decode, or the error
	/// of the RPC.
	pub async fn attach(url: &str) -> Result<Self, VictimError> {
		let rpc = WsClientBuilder::default().build(url).await?;
		let addresses: Vec<String> = rpc
			.request("system_localListenAddresses", rpc_params![])
			.await?;
		let address = local_address(&addresses).ok_or_else(|| VictimError::Answer {
			method: "system_localListenAddresses",
			reason: format!(
				"no TCP address with a peer id among {addresses:?}; start the node with \
				 `--listen-addr /ip4/127.0.0.1/tcp/PORT`"
			),
		})?;
		let genesis = rpc.request("chain_getBlockHash", rpc_params![0u32]).await?;
		let encoded: String = rpc
			.request("state_call", rpc_params!["ProofOfWorkApi_parameters", "0x"])
			.await?;
		let params = hex::decode(encoded.trim_start_matches("0x"))
			.map_err(|e| e.to_string())
			.and_then(|bytes| {
				ChainParameters::decode_all(&mut &bytes[..]).map_err(|e| e.to_string())
			})
			.map_err(|reason| VictimError::Answer {
				method: "state_call",
				reason,
			})?;
		Ok(Self {
			rpc,
			address,
			genesis,
			params,
		})
	}

	/// Returns the node's peer address.
	pub fn address(&self) -> &Multiaddr {
		&self.address
	}

	/// Returns the connection to the node's RPC.
	pub fn rpc(&self) -> &WsClient {
		&self.rpc
	}

	/// Returns the chain's parameters.
	pub fn params(&self) -> &ChainParameters {
		&self.params
	}

	/// Returns the hash of the genesis block.
	pub fn genesis(&self) -> Hash {
		self.genesis
	}

	/// Returns the best block's header.
	///
	/// # Errors
	///
	/// Returns the error of the RPC.
	pub async fn best(&self) -> Result<Header, VictimError> {
		Ok(self.rpc.request("chain_getHeader", rpc_params![]).await?)
	}

	/// Returns the header with this hash, if the node has it.
	///
	/// # Errors
	///
	/// Returns the error of the RPC.
	pub async fn header(&self, hash: Hash) -> Result<Option<Header>, VictimError> {
		Ok(self
			.rpc
			.request("chain_getHeader", rpc_params![hash])
			.await?)
	}

	/// Returns the hash of the best chain's block with this number, if there is one.
	///
	/// # Errors
	///
	/// Returns the error of the RPC.
	pub async fn hash_at(&self, number: BlockNumber) -> Result<Option<Hash>, VictimError> {
		Ok(self
			.rpc
			.request("chain_getBlockHash", rpc_params![number])
			.await?)
	}

	/// Returns the hash of the last finalized block.
	///
	/// # Errors
	///
	/// Returns the error of the RPC.
	pub async fn finalized(&self) -> Result<Hash, VictimError> {
		Ok(self
			.rpc
			.request("chain_getFinalizedHead", rpc_params![])
			.await?)
	}

	/// Returns the number of peers.
	///
	/// # Errors
	///
	/// Returns [`VictimError::Answer`] if the response contains no such number, or the error of the RPC.
	pub async fn peers(&self) -> Result<u64, VictimError> {
		let health: serde_json::Value = self.rpc.request("system_health", rpc_params![]).await?;
		health["peers"].as_u64().ok_or(VictimError::Answer {
			method: "system_health",
			reason: health.to_string(),
		})
	}

	/// Returns what the rules need to know about a parent block.
	///
	/// # Errors
	///
	/// Returns [`VictimError::Answer`] for a header without the paper's fields.
	pub fn as_parent(&self, header: &Header) -> Result<Parent, VictimError> {
		if header.number == 0 {
			return Ok(Parent::genesis(self.genesis, &self.params));
		}
		let read = PowHeader::read(header).map_err(|error| VictimError::Answer {
			method: "chain_getHeader",
			reason: error.to_string(),
		})?;
		Ok(Parent::of(&read))
	}

	/// Returns the handshake of a peer that claims this block as its best.
	pub fn handshake(&self, best: &Header) -> Handshake {
		Handshake {
			roles: ROLE_FULL,
			best_number: best.number,
			best_hash: best.hash(),
			genesis_hash: self.genesis,
		}
	}

	/// Waits until the best block's number is above this one; returns that block's header.
	///
	/// # Errors
	///
	/// Returns [`VictimError::TimedOut`] if this does not happen within `limit`, or the error of the RPC.
	pub async fn best_above(
		&self,
		number: BlockNumber,
		limit: Duration,
	) -> Result<Header, VictimError> {
		let started = Instant::now();
		loop {
			let best = self.best().await?;
			if best.number > number {
				return Ok(best);
			}
			if started.elapsed() > limit {
				let what = format!("a block above #{number}");
				return Err(VictimError::TimedOut { what, limit });
			}
			tokio::time::sleep(POLL_INTERVAL).await;
		}
	}

	/// Waits until the block with this hash is the best block.
	///
	/// # Errors
	///
	/// Returns [`VictimError::TimedOut`] if this does not happen within `limit`, or the error of the RPC.
	pub async fn best_is(&self, hash: Hash, limit: Duration) -> Result<(), VictimError> {
		let started = Instant::now();
		while self.best().await?.hash() != hash {
			if started.elapsed() > limit {
				let what = format!("{hash:?} as the best block");
				return Err(VictimError::TimedOut { what, limit });
			}
			tokio::time::sleep(POLL_INTERVAL).await;
		}
		Ok(())
	}
}

/// Picks the first plain TCP address among those that a node listens on, and returns the loopback address
/// for its port.
fn local_address(addresses: &[String]) -> Option<Multiaddr> {
	addresses.iter().find_map(|address| {
		let address: Multiaddr = address.parse().ok()?;
		let mut parts = address.iter().skip(1);
		match (parts.next()?, parts.next()?) {
			(Protocol::Tcp(port), peer @ Protocol::P2p(_)) => Some(
				Multiaddr::empty()
					.with(Protocol::Ip4([127, 0, 0, 1].into()))
					.with(Protocol::Tcp(port))
					.with(peer),
			),
			_ => None,
		}
	})
}

/// Follows a node's log.
pub struct Log {
	path: PathBuf,
	position: u64,
	/// The part of the last line that was read before the line was complete.
	rest: String,
}

impl Log {
	/// Follows a log from its current end.
	///
	/// # Errors
	///
	/// Returns [`VictimError::File`] if the log cannot be read.
	pub fn at_end(path: &Path) -> Result<Self, VictimError> {
		let position = std::fs::metadata(path)
			.map_err(|error| failed(path, error))?
			.len();
		Ok(Self {
			path: path.into(),
			position,
			rest: String::new(),
		})
	}

	/// Returns the complete lines that were written since the last call.
	///
	/// # Errors
	///
	/// Returns [`VictimError::File`] if the log cannot be read.
	pub fn lines(&mut self) -> Result<Vec<String>, VictimError> {
		let mut bytes = Vec::new();
		File::open(&self.path)
			.and_then(|mut file| {
				file.seek(SeekFrom::Start(self.position))?;
				file.read_to_end(&mut bytes)
			})
			.map_err(|error| failed(&self.path, error))?;
		self.position = self.position.saturating_add(bytes.len() as u64);
		self.rest.push_str(&String::from_utf8_lossy(&bytes));
		let Some(end) = self.rest.rfind('\n') else {
			return Ok(Vec::new());
		};
		let rest = self.rest.split_off(end + 1);
		let whole = std::mem::replace(&mut self.rest, rest);
		Ok(whole.lines().map(str::to_owned).collect())
	}

	/// Waits for a line that contains all of these parts. Returns `None` if no such line appears within `limit`.
	///
	/// # Errors
	///
	/// Returns [`VictimError::File`] if the log cannot be read.
	pub async fn line_with(
		&mut self,
		parts: &[&str],
		limit: Duration,
	) -> Result<Option<String>, VictimError> {
		let started = Instant::now();
		loop {
			let found = self
				.lines()?
				.into_iter()
				.find(|line| parts.iter().all(|part| line.contains(part)));
			if found.is_some() || started.elapsed() > limit {
				return Ok(found);
			}
			tokio::time::sleep(POLL_INTERVAL).await;
		}
	}
}

/// How many seconds a day has.
const DAY: u64 = 24 * 60 * 60;

/// By how much a log grew in the minute in which it grew most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busiest {
	/// The number of lines.
	pub lines: u64,
	/// Their size in bytes.
	pub bytes: u64,
}

impl Busiest {
	/// Counts lines of a node's log, which begin with a date and a time. A line without a time counts for the time of the
	/// line before it.
	pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
		let mut busiest = Self::default();
		let mut minute: VecDeque<(u64, u64)> = VecDeque::new();
		let (mut now, mut bytes) = (0, 0u64);
		for line in lines {
			if let Some(time) = time_of(line) {
				let today = now / DAY * DAY + time;
				// Threads may write a second's last lines late. A time that is hours earlier is the next day's.
				let is_next_day = today + DAY / 2 < now;
				now = now.max(today + if is_next_day { DAY } else { 0 });
			}
			let size = line.len() as u64 + 1;
			minute.push_back((now, size));
			bytes = bytes.saturating_add(size);
			while let Some((time, size)) = minute.front().copied() {
				if time + 60 > now {
					break;
				}
				minute.pop_front();
				bytes = bytes.saturating_sub(size);
			}
			busiest.lines = busiest.lines.max(minute.len() as u64);
			busiest.bytes = busiest.bytes.max(bytes);
		}
		busiest
	}
}

/// Returns the time of day at which a line such as `2026-01-31 23:59:58 text` was written, in seconds.
fn time_of(line: &str) -> Option<u64> {
	let mut words = line.split(' ');
	words.next().filter(|date| date.len() == 10)?;
	let mut parts = words.next()?.split(':');
	let mut part = |below: u64| {
		let value = parts.next()?.get(..2)?.parse::<u64>().ok()?;
		(value < below).then_some(value)
	};
	Some(part(24)? * 3600 + part(60)? * 60 + part(61)?)
}

/// The resources that a process has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
	/// The processor time of all threads, in seconds.
	pub cpu_seconds: f64,
	/// The peak memory, in bytes.
	pub peak_memory: u64,
	/// The current memory, in bytes.
	pub memory: u64,
}

impl Usage {
	/// Reads the usage of a process from /proc (Linux only).
	///
	/// # Errors
	///
	/// Returns [`VictimError::File`] if there is no such process.
	pub fn of(pid: u32) -> Result<Self, VictimError> {
		let read = |name: &str| {
			let path = PathBuf::from(format!("/proc/{pid}/{name}"));
			std::fs::read_to_string(&path).map_err(|error| failed(&path, error))
		};
		let stat = read("stat")?;
		// The name in parentheses may contain spaces. The user and system times are the 12th and 13th fields after it.
		let ticks: f64 = stat
			.rsplit(')')
			.next()
			.unwrap_or_default()
			.split_whitespace()
			.skip(11)
			.take(2)
			.filter_map(|field| field.parse::<f64>().ok())
			.sum();
		let status = read("status")?;
		let kilobytes = |name: &str| {
			status
				.lines()
				.find_map(|line| line.strip_prefix(name))
				.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
				.unwrap_or_default()
				.saturating_mul(1024)
		};
		Ok(Self {
			cpu_seconds: ticks / TICKS_PER_SECOND,
			peak_memory: kilobytes("VmHWM:"),
			memory: kilobytes("VmRSS:"),
		})
	}
}

fn failed(path: &Path, error: std::io::Error) -> VictimError {
	VictimError::File {
		path: path.into(),
		error,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_tcp_port_is_reached_through_loopback() {
		let id = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
		let listened = [
			format!("/ip4/10.0.0.1/tcp/30334/ws/p2p/{id}"),
			format!("/ip4/10.0.0.1/tcp/30333/p2p/{id}"),
		];
		let expected = format!("/ip4/127.0.0.1/tcp/30333/p2p/{id}");
		assert_eq!(local_address(&listened), expected.parse().ok());
		assert_eq!(local_address(&listened[..1]), None);
	}

	#[tokio::test]
	async fn an_incomplete_line_waits_for_its_end() {
		use std::io::Write;
		let path = std::env::temp_dir().join(format!("isthmus-log-{}", std::process::id()));
		let mut file = File::create(&path).unwrap();
		file.write_all(b"before\n").unwrap();
		let mut log = Log::at_end(&path).unwrap();
		file.write_all(b"one\ntw").unwrap();
		assert_eq!(log.lines().unwrap(), ["one"]);
		file.write_all(b"o rule x\n").unwrap();
		let found = log.line_with(&["two", "rule x"], Duration::ZERO).await;
		assert_eq!(found.unwrap(), Some("two rule x".into()));
		std::fs::remove_file(&path).unwrap();
	}

	#[test]
	fn the_busiest_minute_is_any_sixty_seconds() {
		let lines = |lines: &[&str]| Busiest::of(lines.iter().copied()).lines;
		assert_eq!(lines(&[]), 0);
		let apart = ["2026-01-31 10:00:59 a", "2026-01-31 10:01:58 b"];
		assert_eq!(lines(&apart), 2);
		let apart = ["2026-01-31 10:00:59 a", "2026-01-31 10:01:59 b"];
		assert_eq!(lines(&apart), 1);
		let midnight = [
			"2026-01-31 23:59:30 a",
			"2026-01-31 23:59:29.5 late",
			"no time",
			"2026-02-01 00:00:29 d",
			"2026-02-01 00:00:30 e",
			"2026-02-01 12:00:30 f",
		];
		assert_eq!(lines(&midnight), 4);
		let hundred = vec!["2026-01-31 10:00:11 the same line"; 101];
		let busiest = Busiest::of(hundred);
		assert_eq!((busiest.lines, busiest.bytes), (101, 101 * 34));
	}

	#[test]
	fn this_process_has_used_memory() {
		let usage = Usage::of(std::process::id()).unwrap();
		assert!(usage.peak_memory >= usage.memory && usage.memory > 0);
		assert!(matches!(Usage::of(u32::MAX), Err(VictimError::File { .. })));
	}
}
