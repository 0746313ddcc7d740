// SPDX-License-Identifier: Apache-2.0
//! The state machine of one connection.

use super::message::{answer, notice, refuse, Dialect, Refusal, Request};
use crate::{
	board::{Board, Tried, Work, KEPT_WORKS},
	difficulty::{ShareDifficulty, START_DIFFICULTY},
	request::{parse_bytes, parse_number},
	secret::Secret,
};
use isthmus_ethash::Boundary;
use serde_json::{json, Value};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// The protocol's name in `mining.subscribe`.
const PROTOCOL: &str = "EthereumStratum/1.0.0";
/// The bytes of a nonce that the node chooses, so that no two connections try the same nonces.
const EXTRANONCE_BYTES: usize = 2;
/// A session ends after this many shares or requests in a row that are refused.
const MAX_REFUSED: u32 = 16;
/// The maximum length of a worker's name in bytes.
const MAX_NAME: usize = 64;

/// What all sessions of a port share.
#[derive(Clone, Debug)]
pub struct Config {
	/// The secret that workers must give, if there is one.
	pub secret: Option<Secret>,
	/// The difficulty of a worker's first shares.
	pub start_difficulty: u64,
}

impl Default for Config {
	fn default() -> Self {
		Self {
			secret: None,
			start_difficulty: START_DIFFICULTY,
		}
	}
}

/// What the server must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
	/// Send this line.
	Send(String),
	/// Compute the hash of this share, and pass it to [`Session::hashed`].
	Hash(Share),
	/// Make a block of this share: it is within the block's boundary.
	Submit(Share, Hashed),
	/// Count a share that was accepted or refused.
	Count(Result<(), Refusal>),
	/// Remember the worker's rate, in hashes per second.
	Rate(u64),
	/// Close the connection.
	Close(Closing),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closing {
	/// A line is not a request.
	#[error("a line is not a request")]
	NotARequest,
	/// The worker did not give the port's secret.
	#[error("wrong password")]
	Unauthorised,
	/// Too many requests in a row were refused.
	#[error("{MAX_REFUSED} requests in a row were refused")]
	Refused,
}

/// A nonce that a worker submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
	/// The work that it is for.
	pub work: Arc<Work>,
	/// H_n.
	pub nonce: u64,
	/// The mix hash, if the dialect has the worker send it.
	mix_hash: Option<[u8; 32]>,
	/// The difficulty that the worker was given for this work.
	difficulty: u64,
	/// The request to answer.
	id: Value,
}

/// The hash of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
	/// H_m.
	pub mix_hash: [u8; 32],
	/// The result n.
	pub result: [u8; 32],
}

/// One connection of a worker.
#[derive(Debug)]
pub struct Session {
	config: Config,
	extranonce: u16,
	dialect: Option<Dialect>,
	/// The worker's name, once it has logged in.
	worker: Option<String>,
	difficulty: ShareDifficulty,
	/// The difficulty that was last sent by `mining.set_difficulty`.
	sent_difficulty: Option<u64>,
	/// The number and the height of the work that was last sent.
	sent: Option<(u32, u64)>,
	/// The share difficulty of each work that was sent, by its number.
	given: VecDeque<(u32, u64)>,
	refused_in_a_row: u32,
}

impl Session {
	/// Starts the session of a new connection. No two connections should have the same extranonce.
	pub fn new(extranonce: u16, config: &Config, now: Instant) -> Self {
		Self {
			difficulty: ShareDifficulty::new(config.start_difficulty, now),
			config: config.clone(),
			extranonce,
			dialect: None,
			worker: None,
			sent_difficulty: None,
			sent: None,
			given: VecDeque::new(),
			refused_in_a_row: 0,
		}
	}

	/// Returns the worker's name, once it has logged in.
	pub fn worker(&self) -> Option<&str> {
		self.worker.as_deref()
	}

	/// Handles a line that arrived.
	pub fn line(&mut self, line: &[u8], board: &mut Board, now: Instant) -> Vec<Action> {
		let Some(request) = Request::parse(line) else {
			return vec![Action::Close(Closing::NotARequest)];
		};
		let outcome = match request.method.as_str() {
			"mining.subscribe" => self.subscribe(&request),
			"mining.extranonce.subscribe" => self.in_dialect(Dialect::NiceHash).map(|()| {
				// The extranonce of a connection never changes.
				vec![self.answer(&request, true.into())]
			}),
			"mining.authorize" => self.authorise(&request, board, now),
			"mining.submit" => self.submit(&request, board),
			"eth_submitLogin" => self.log_in(&request),
			"eth_getWork" => self.get_work(&request, board),
			"eth_submitWork" => self.submit_work(&request, board),
			"eth_submitHashrate" | "eth_submitHashRate" => self.submit_hash_rate(&request),
			_ => Err(Refusal::Method),
		};
		outcome.unwrap_or_else(|refusal| self.refuse(request.id(), refusal))
	}

	/// Handles new work on the board, or that time has passed.
	pub fn work(&mut self, board: &Board, now: Instant) -> Vec<Action> {
		let mut actions = Vec::new();
		let Some(dialect) = self.dialect.filter(|_| self.worker.is_some()) else {
			return actions;
		};
		actions.extend(self.difficulty.adapt(now).map(Action::Rate));
		let Some((id, work)) = board.current() else {
			return actions;
		};
		if self.sent.is_some_and(|(sent, _)| sent == id) {
			return actions;
		}
		let difficulty = self.give(id, work);
		let line = match dialect {
			Dialect::NiceHash => {
				if self.sent_difficulty != Some(difficulty) {
					self.sent_difficulty = Some(difficulty);
					let params = json!([nice_hash_difficulty(difficulty)]);
					let line = notice("mining.set_difficulty", params);
					actions.push(Action::Send(line));
				}
				let new_height = self.sent.is_none_or(|(_, height)| height != work.number);
				let (seed, seal_hash) = (hex::encode(work.seed), hex::encode(work.seal_hash));
				let params = json!([format!("{id:08x}"), seed, seal_hash, new_height]);
				notice("mining.notify", params)
			}
			// The miner takes a message with an identifier that it never used for new work.
			Dialect::EthProxy => answer(dialect, 0.into(), package(work, difficulty)),
		};
		self.sent = Some((id, work.number));
		actions.push(Action::Send(line));
		actions
	}

	/// Handles the hash of a share; `None` if it could not be computed. That is not the worker's fault: it may
	/// submit the share again, and the refusal does not count against it.
	pub fn hashed(
		&mut self,
		share: Share,
		hashed: Option<Hashed>,
		board: &mut Board,
	) -> Vec<Action> {
		let Some(hashed) = hashed else {
			board.forget_nonce(&share.work, share.nonce);
			let dialect = self.dialect.unwrap_or(Dialect::EthProxy);
			let line = refuse(dialect, share.id, Refusal::NotChecked);
			return vec![Action::Send(line)];
		};
		let seals_block = share.work.boundary.is_met_by(&hashed.result);
		// The nonce makes the block, and the mix follows from it. Only a share is refused for a wrong mix, so that the
		// operator learns of the faulty rig.
		if !seals_block && share.mix_hash.is_some_and(|mix| mix != hashed.mix_hash) {
			return self.refuse_share(share.id, Refusal::WrongMix);
		}
		let mut actions = Vec::new();
		if seals_block {
			// Even if it is late: the block may still become an uncle.
			actions.push(Action::Submit(share.clone(), hashed));
		} else if board.is_stale(&share.work) {
			return self.refuse_share(share.id, Refusal::Stale);
		} else if !share_boundary(share.difficulty).is_met_by(&hashed.result) {
			return self.refuse_share(share.id, Refusal::LowDifficulty);
		}
		self.refused_in_a_row = 0;
		self.difficulty.accepted(share.difficulty);
		actions.push(Action::Count(Ok(())));
		let dialect = self.dialect.unwrap_or(Dialect::EthProxy);
		actions.push(Action::Send(answer(dialect, share.id, true.into())));
		actions
	}

	fn subscribe(&mut self, request: &Request) -> Result<Vec<Action>, Refusal> {
		// Some miners leave the protocol's name out, but no other dialect that they could mean is served.
		if request.text(1).is_some_and(|protocol| protocol != PROTOCOL) {
			return Err(Refusal::Method);
		}
		self.enter(Dialect::NiceHash)?;
		let extranonce = hex::encode(self.extranonce.to_be_bytes());
		let session = hex::encode([self.extranonce.to_be_bytes(); 8].concat());
		let result = json!([["mining.notify", session, PROTOCOL], extranonce]);
		Ok(vec![self.answer(request, result)])
	}

	fn authorise(
		&mut self,
		request: &Request,
		board: &Board,
		now: Instant,
	) -> Result<Vec<Action>, Refusal> {
		self.in_dialect(Dialect::NiceHash)?;
		self.admit(request)?;
		let mut actions = vec![self.answer(request, true.into())];
		actions.extend(self.work(board, now));
		Ok(actions)
	}

	fn log_in(&mut self, request: &Request) -> Result<Vec<Action>, Refusal> {
		self.enter(Dialect::EthProxy)?;
		self.admit(request)?;
		Ok(vec![self.answer(request, true.into())])
	}

	/// Chooses the dialect, once.
	fn enter(&mut self, dialect: Dialect) -> Result<(), Refusal> {
		self.dialect.get_or_insert(dialect);
		self.in_dialect(dialect)
	}

	fn in_dialect(&self, dialect: Dialect) -> Result<(), Refusal> {
		match self.dialect {
			Some(own) if own == dialect => Ok(()),
			Some(_) => Err(Refusal::Method),
			None => Err(Refusal::NotLoggedIn),
		}
	}

	/// Checks the secret, which is the second parameter or the end of the login, and keeps the name.
	fn admit(&mut self, request: &Request) -> Result<(), Refusal> {
		let login = request.text(0).ok_or(Refusal::Parameters)?;
		if let Some(secret) = &self.config.secret {
			let password = request.text(1).unwrap_or_default();
			if !secret.is(password) && !secret.is_in_path(login) {
				return Err(Refusal::Unauthorised);
			}
		}
		let login = login.split('/').next().unwrap_or_default();
		let name = match request.worker.as_str() {
			Some(worker) if !worker.is_empty() => format!("{login}.{worker}"),
			_ => login.to_owned(),
		};
		// The name goes to the log.
		let printable = name.chars().filter(char::is_ascii_graphic);
		self.worker = Some(printable.take(MAX_NAME).collect());
		Ok(())
	}

	fn logged_in(&self, dialect: Dialect) -> Result<(), Refusal> {
		self.in_dialect(dialect)?;
		self.worker.as_ref().map(|_| ()).ok_or(Refusal::NotLoggedIn)
	}

	fn get_work(&mut self, request: &Request, board: &Board) -> Result<Vec<Action>, Refusal> {
		self.logged_in(Dialect::EthProxy)?;
		let (id, work) = board.current().ok_or(Refusal::NoWork)?;
		let difficulty = self.give(id, work);
		self.sent = Some((id, work.number));
		Ok(vec![self.answer(request, package(work, difficulty))])
	}

	fn submit(&mut self, request: &Request, board: &mut Board) -> Result<Vec<Action>, Refusal> {
		self.logged_in(Dialect::NiceHash)?;
		let (Some(id), Some(end)) = (request.text(1), request.text(2)) else {
			return Err(Refusal::Parameters);
		};
		let id = u32::from_str_radix(id, 16).map_err(|_| Refusal::Parameters)?;
		let end = end.strip_prefix("0x").unwrap_or(end);
		let mut nonce = [0; 8];
		let (start, rest) = nonce.split_at_mut(EXTRANONCE_BYTES);
		start.copy_from_slice(&self.extranonce.to_be_bytes());
		hex::decode_to_slice(end, rest).map_err(|_| Refusal::Parameters)?;
		let Some((id, work)) = board.by_id(id) else {
			return Ok(self.refuse_share(request.id(), Refusal::Stale));
		};
		let work = work.clone();
		Ok(self.share(request, board, id, work, u64::from_be_bytes(nonce), None))
	}

	fn submit_work(
		&mut self,
		request: &Request,
		board: &mut Board,
	) -> Result<Vec<Action>, Refusal> {
		self.logged_in(Dialect::EthProxy)?;
		let nonce = bytes(request, 0)?;
		let seal_hash = bytes(request, 1)?;
		let mix_hash = bytes(request, 2)?;
		let Some((id, work)) = board.by_seal_hash(seal_hash) else {
			return Ok(self.refuse_share(request.id(), Refusal::Stale));
		};
		let (work, nonce) = (work.clone(), u64::from_be_bytes(nonce));
		// The work may be from an earlier connection of the miner. Its nonces are its own choice in this dialect, so its
		// seals are as good as ever.
		self.give(id, &work);
		Ok(self.share(request, board, id, work, nonce, Some(mix_hash)))
	}

	fn share(
		&mut self,
		request: &Request,
		board: &mut Board,
		id: u32,
		work: Arc<Work>,
		nonce: u64,
		mix_hash: Option<[u8; 32]>,
	) -> Vec<Action> {
		// A work that was not given to this worker has no share difficulty.
		let Some(difficulty) = self.given(id) else {
			return self.refuse_share(request.id(), Refusal::Stale);
		};
		match board.try_nonce(id, nonce) {
			Tried::New => vec![Action::Hash(Share {
				work,
				nonce,
				mix_hash,
				difficulty,
				id: request.id(),
			})],
			Tried::Again => self.refuse_share(request.id(), Refusal::Duplicate),
			Tried::Closed => self.refuse_share(request.id(), Refusal::Stale),
		}
	}

	fn submit_hash_rate(&mut self, request: &Request) -> Result<Vec<Action>, Refusal> {
		// ethminer reports its rate in this form in either dialect.
		let dialect = self.dialect.ok_or(Refusal::NotLoggedIn)?;
		self.logged_in(dialect)?;
		let rate = request.text(0).ok_or(Refusal::Parameters)?;
		let rate = parse_number(rate).map_err(|_| Refusal::Parameters)?;
		Ok(vec![Action::Rate(rate), self.answer(request, true.into())])
	}

	/// Notes that the worker receives a work, and returns its share difficulty. A work that is sent again
	/// keeps the difficulty that it had.
	fn give(&mut self, id: u32, work: &Work) -> u64 {
		if let Some(difficulty) = self.given(id) {
			return difficulty;
		}
		let difficulty = self.difficulty.for_block(work.difficulty);
		if self.given.len() == KEPT_WORKS {
			self.given.pop_front();
		}
		self.given.push_back((id, difficulty));
		difficulty
	}

	fn given(&self, id: u32) -> Option<u64> {
		let given = self.given.iter().find(|(given, _)| *given == id);
		given.map(|(_, difficulty)| *difficulty)
	}

	fn answer(&self, request: &Request, result: Value) -> Action {
		let dialect = self.dialect.unwrap_or(Dialect::EthProxy);
		Action::Send(answer(dialect, request.id(), result))
	}

	fn refuse_share(&mut self, id: Value, refusal: Refusal) -> Vec<Action> {
		let mut actions = vec![Action::Count(Err(refusal))];
		actions.extend(self.refuse(id, refusal));
		actions
	}

	fn refuse(&mut self, id: Value, refusal: Refusal) -> Vec<Action> {
		let dialect = self.dialect.unwrap_or(Dialect::EthProxy);
		let mut actions = vec![Action::Send(refuse(dialect, id, refusal))];
		self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
		if refusal == Refusal::Unauthorised {
			actions.push(Action::Close(Closing::Unauthorised));
		} else if self.refused_in_a_row == MAX_REFUSED {
			actions.push(Action::Close(Closing::Refused));
		}
		actions
	}
}

/// Returns a parameter of exactly `N` bytes.
fn bytes<const N: usize>(request: &Request, index: usize) -> Result<[u8; N], Refusal> {
	let text = request.text(index).ok_or(Refusal::Parameters)?;
	parse_bytes(text).map_err(|_| Refusal::Parameters)
}

/// Returns a work as eth-proxy has it: the hash to seal, the epoch's seed, and the share's boundary.
fn package(work: &Work, difficulty: u64) -> Value {
	let hex = |bytes: [u8; 32]| format!("0x{}", hex::encode(bytes));
	let boundary = match difficulty == work.difficulty {
		true => work.boundary,
		false => boundary(difficulty),
	};
	json!([
		hex(work.seal_hash),
		hex(work.seed),
		hex(boundary.to_bytes())
	])
}

fn boundary(difficulty: u64) -> Boundary {
	Boundary::from_difficulty(difficulty.into()).unwrap_or(Boundary::MAX)
}

/// Returns the boundary that decides whether a share counts. It is a little above ⌊2^256 / difficulty⌋: miners
/// compute the boundary from a decimal fraction, and do not all take the same one for difficulty 1.
fn share_boundary(difficulty: u64) -> Boundary {
	boundary((difficulty - difficulty / (1 << 14)).max(1))
}

/// Returns a difficulty in the unit of EthereumStratum/1.0.0, whose 1 has the boundary ffff · 2^208.
fn nice_hash_difficulty(difficulty: u64) -> f64 {
	difficulty as f64 / (1u64 << 32) as f64 * (65_535.0 / 65_536.0)
}
