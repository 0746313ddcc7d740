// SPDX-License-Identifier: Apache-2.0
//! Tests Stratum sessions by their transcripts: what a miner sends (`>`), and what the node answers (`<`).

use isthmus_ethash::Boundary;
use isthmus_miners::{
	stratum::{Action, Closing, Config, Hashed, Refusal, Session, Share},
	Board, Secret, Work, KEPT_WORKS,
};
use serde_json::{json, Value};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// A result that no boundary of these tests admits, one for a share only, and one for a block.
const WEAK: [u8; 32] = [0xff; 32];
const SHARE: [u8; 32] = {
	let mut result = [0; 32];
	result[2] = 1;
	result
};
const BLOCK: [u8; 32] = [0; 32];

fn work(number: u64, byte: u8) -> Arc<Work> {
	let difficulty = 1 << 40;
	Arc::new(Work {
		seal_hash: [byte; 32],
		seed: [0; 32],
		number,
		boundary: Boundary::from_difficulty(difficulty.into()).unwrap(),
		difficulty,
		parent: [number as u8; 32],
	})
}

/// A miner's connection to a board.
struct Miner {
	session: Session,
	board: Board,
	now: Instant,
	/// What the server was asked to do, except for sending lines.
	asked: Vec<Action>,
	closed: Option<Closing>,
}

impl Miner {
	fn with(config: Config) -> Self {
		let now = Instant::now();
		Self {
			session: Session::new(0x080c, &config, now),
			board: Board::default(),
			now,
			asked: Vec::new(),
			closed: None,
		}
	}

	/// A connection with share difficulty 2^16.
	fn new() -> Self {
		Self::with(Config {
			start_difficulty: 1 << 16,
			..Config::default()
		})
	}

	fn did(&mut self, actions: Vec<Action>) -> Vec<Value> {
		let mut lines = Vec::new();
		for action in actions {
			match action {
				Action::Send(line) => {
					assert!(!line.contains('\n'));
					lines.push(serde_json::from_str(&line).unwrap());
				}
				Action::Close(closing) => self.closed = Some(closing),
				other => self.asked.push(other),
			}
		}
		lines
	}

	fn send(&mut self, line: Value) -> Vec<Value> {
		let actions = self
			.session
			.line(line.to_string().as_bytes(), &mut self.board, self.now);
		self.did(actions)
	}

	/// Sends a line and returns the only answer.
	fn ask(&mut self, line: Value) -> Value {
		let answers = self.send(line);
		assert_eq!(answers.len(), 1, "{answers:?}");
		answers[0].clone()
	}

	fn publish(&mut self, work: Arc<Work>) -> Vec<Value> {
		self.board.publish(work);
		let actions = self.session.work(&self.board, self.now);
		self.did(actions)
	}

	/// Returns the share that the server was asked to hash.
	fn share(&mut self) -> Share {
		match self.asked.pop() {
			Some(Action::Hash(share)) => share,
			other => panic!("{other:?}"),
		}
	}

	/// Sends a share whose hash has this result and the mix hash `[2; 32]`, and returns the answer.
	fn submit(&mut self, line: Value, result: [u8; 32]) -> Value {
		assert_eq!(self.send(line), [] as [Value; 0]);
		let share = self.share();
		let hashed = Hashed {
			mix_hash: [2; 32],
			result,
		};
		let actions = self.session.hashed(share, Some(hashed), &mut self.board);
		self.did(actions)[0].clone()
	}

	fn counted(&mut self) -> Vec<Result<(), Refusal>> {
		let counted = |action| match action {
			Action::Count(counted) => Some(counted),
			_ => None,
		};
		std::mem::take(&mut self.asked)
			.into_iter()
			.filter_map(counted)
			.collect()
	}
}

fn code(answer: &Value) -> u64 {
	let error = &answer["error"];
	assert_eq!(answer["result"], Value::Null, "{answer}");
	error[0].as_u64().or(error["code"].as_u64()).unwrap()
}

#[test]
fn a_transcript_of_ethereum_stratum() {
	let mut miner = Miner::new();
	miner.board.publish(work(7, 0xaa));
	// > mining.subscribe, as ethminer and NiceHash's miners send it.
	let answer = miner.ask(json!({
		"id": 1, "method": "mining.subscribe", "params": ["ethminer/0.19.0", "EthereumStratum/1.0.0"],
	}));
	assert_eq!(
		answer,
		json!({
			"id": 1,
			"result": [
				["mining.notify", "080c080c080c080c080c080c080c080c", "EthereumStratum/1.0.0"],
				"080c",
			],
			"error": null,
		})
	);
	let accepted = |id: u64| json!({ "id": id, "result": true, "error": null });
	let extranonce = json!({ "id": 2, "method": "mining.extranonce.subscribe", "params": [] });
	assert_eq!(miner.ask(extranonce), accepted(2));
	// > mining.authorize: the difficulty and the current work follow at once.
	let login = json!({ "id": 3, "method": "mining.authorize", "params": ["rig1", "x"] });
	let lines = miner.send(login);
	let difficulty = &lines[1]["params"][0].as_f64().unwrap();
	// 2^16 hashes, in units of 2^32 · 65536 / 65535.
	assert!(
		(difficulty * 65_536.0 * 65_536.0 / 65_535.0 - 1.0).abs() < 1e-9,
		"{difficulty}"
	);
	let notify = |job: &str, hash: &str, clean: bool| {
		json!({
			"id": null,
			"method": "mining.notify",
			"params": [job, "00".repeat(32), hash.repeat(32), clean],
		})
	};
	assert_eq!(lines[0], accepted(3));
	assert_eq!(lines[1]["method"], "mining.set_difficulty");
	assert_eq!(lines[2], notify("00000001", "aa", true));
	assert_eq!(miner.session.worker(), Some("rig1"));

	// A new template of the same height does not make the old one worthless; one of a new height does.
	assert_eq!(
		miner.publish(work(7, 0xbb)),
		[notify("00000002", "bb", false)]
	);
	assert_eq!(
		miner.publish(work(8, 0xcc)),
		[notify("00000003", "cc", true)]
	);

	let submit = |id: u64, job: &str, nonce: &str| json!({ "id": id, "method": "mining.submit", "params": ["rig1", job, nonce] });
	assert_eq!(
		miner.submit(submit(4, "00000003", "6a909d9bbc0f"), SHARE),
		accepted(4)
	);
	assert_eq!(miner.counted(), [Ok(())]);
	// The same nonce again, and a nonce of another length.
	let again = miner.ask(submit(5, "3", "6a909d9bbc0f"));
	assert_eq!(
		(code(&again), again["error"][1].as_str()),
		(22, Some("duplicate share"))
	);
	assert_eq!(code(&miner.ask(submit(6, "3", "6a909d9bbc"))), 20);
	// A share that is too weak, one for an old height, and one for work that never was.
	assert_eq!(
		code(&miner.submit(submit(7, "3", "000000000001"), WEAK)),
		23
	);
	assert_eq!(
		code(&miner.submit(submit(8, "2", "000000000001"), SHARE)),
		21
	);
	assert_eq!(code(&miner.ask(submit(9, "ffff", "000000000001"))), 21);
	let refused = [
		Refusal::Duplicate,
		Refusal::LowDifficulty,
		Refusal::Stale,
		Refusal::Stale,
	];
	assert_eq!(miner.counted(), refused.map(Err));
	// A block is submitted, even if its work is old: it may become an uncle.
	for (id, job) in [(10, "3"), (11, "2")] {
		assert_eq!(
			miner.submit(submit(id, job, "000000000002"), BLOCK),
			accepted(id)
		);
		let [Action::Submit(share, hashed), Action::Count(Ok(()))] = &miner.asked[..] else {
			panic!("{:?}", miner.asked);
		};
		assert_eq!(share.nonce, 0x080c_0000_0000_0002);
		assert_eq!(hashed.mix_hash, [2; 32]);
		miner.asked.clear();
	}
	assert_eq!(miner.closed, None);
}

#[test]
fn a_transcript_of_eth_proxy() {
	let mut miner = Miner::new();
	let accepted = |id: u64| json!({ "id": id, "jsonrpc": "2.0", "result": true });
	// > as ethminer sends it with stratum1+tcp: with a name, without a password.
	let login = json!({
		"id": 1, "jsonrpc": "2.0", "method": "eth_submitLogin", "params": ["0xabc"], "worker": "rig1",
	});
	assert_eq!(miner.ask(login), accepted(1));
	assert_eq!(miner.session.worker(), Some("0xabc.rig1"));
	let get_work = json!({ "id": 5, "method": "eth_getWork", "params": [] });
	assert_eq!(code(&miner.ask(get_work.clone())), 20);
	let package = |byte: &str| {
		let boundary = format!("0x0001{}", "00".repeat(30));
		json!([
			format!("0x{}", byte.repeat(32)),
			format!("0x{}", "00".repeat(32)),
			boundary
		])
	};
	// New work is pushed with the identifier 0.
	let pushed = json!({ "id": 0, "jsonrpc": "2.0", "result": package("aa") });
	assert_eq!(miner.publish(work(7, 0xaa)), [pushed]);
	let asked = json!({ "id": 5, "jsonrpc": "2.0", "result": package("aa") });
	assert_eq!(miner.ask(get_work), asked);

	let hex = |byte: &str, count| format!("0x{}", byte.repeat(count));
	let submit = |id: u64, hash: &str, mix: &str| {
		let nonce = format!("0x{id:016x}");
		let params = json!([nonce, hex(hash, 32), hex(mix, 32)]);
		json!({ "id": id, "method": "eth_submitWork", "params": params, "worker": "rig1" })
	};
	assert_eq!(miner.submit(submit(4, "aa", "02"), SHARE), accepted(4));
	assert_eq!(code(&miner.submit(submit(5, "aa", "03"), SHARE)), 20);
	assert_eq!(code(&miner.ask(submit(4, "aa", "02"))), 22);
	assert_eq!(code(&miner.ask(submit(6, "ee", "02"))), 21);
	// A block counts whatever its mix: the right one follows from the nonce.
	for (id, mix) in [(7, "02"), (8, "03")] {
		assert_eq!(miner.submit(submit(id, "aa", mix), BLOCK), accepted(id));
		assert!(
			matches!(&miner.asked[..], [.., Action::Submit(share, _), Action::Count(Ok(()))] if share.nonce == id)
		);
		miner.asked.clear();
	}
	// The miner found these before the connection was lost.
	let board = std::mem::take(&mut miner.board);
	let mut miner = Miner {
		board,
		..Miner::new()
	};
	miner.ask(json!({ "id": 1, "method": "eth_submitLogin", "params": ["0xabc"] }));
	assert_eq!(miner.submit(submit(10, "aa", "02"), SHARE), accepted(10));
	assert_eq!(code(&miner.submit(submit(11, "aa", "02"), WEAK)), 23);
	miner.asked.clear();
	assert_eq!(miner.submit(submit(12, "aa", "02"), BLOCK), accepted(12));
	assert!(
		matches!(&miner.asked[..], [Action::Submit(share, _), Action::Count(Ok(()))] if share.nonce == 12)
	);
	miner.asked.clear();
	let rate = json!({
		"id": 9, "method": "eth_submitHashrate", "params": ["0x00000000000001f4", hex("01", 32)],
	});
	assert_eq!(miner.ask(rate), accepted(9));
	assert_eq!(miner.asked, [Action::Rate(500)]);
}

#[test]
fn a_worker_must_know_the_secret_if_there_is_one() {
	let login =
		|method: &str, params: Value| json!({ "id": 1, "method": method, "params": params });
	let attempt = |method: &str, params: Value| {
		let mut miner = Miner::with(Config {
			secret: Some(Secret::parse("farm2026").unwrap()),
			..Config::default()
		});
		if method == "mining.authorize" {
			miner.send(login("mining.subscribe", json!(["m"])));
		}
		let answer = miner.send(login(method, params))[0].clone();
		(
			answer["result"] == json!(true),
			miner.closed,
			miner.session.worker().map(String::from),
		)
	};
	for method in ["mining.authorize", "eth_submitLogin"] {
		for params in [json!(["rig1", "farm2026"]), json!(["rig1/farm2026"])] {
			// The secret is not part of the name, which is logged.
			assert_eq!(attempt(method, params), (true, None, Some("rig1".into())));
		}
		for params in [
			json!(["rig1"]),
			json!(["rig1", "farm2027"]),
			json!(["farm2026", ""]),
		] {
			assert_eq!(
				attempt(method, params),
				(false, Some(Closing::Unauthorised), None)
			);
		}
	}
}

#[test]
fn nothing_is_served_before_the_login_or_in_the_other_dialect() {
	let mut miner = Miner::new();
	miner.board.publish(work(1, 1));
	let call =
		|method: &str| json!({ "id": "x", "method": method, "params": ["a", "1", "000000000000"] });
	for method in [
		"eth_getWork",
		"eth_submitWork",
		"mining.submit",
		"mining.authorize",
		"eth_submitHashrate",
	] {
		assert_eq!(code(&miner.ask(call(method))), 25, "{method}");
	}
	assert_eq!(code(&miner.ask(call("mining.configure"))), 20);
	miner.ask(json!({ "id": 1, "method": "mining.subscribe", "params": [] }));
	assert_eq!(code(&miner.ask(call("mining.submit"))), 25);
	assert_eq!(code(&miner.ask(call("eth_submitLogin"))), 20);
	assert_eq!(code(&miner.ask(call("eth_getWork"))), 20);
	// Stratum without EthereumStratum's name is another protocol.
	let mut other = Miner::new();
	let line =
		json!({ "id": 1, "method": "mining.subscribe", "params": ["m", "EthereumStratum/2.0.0"] });
	let answer = other.ask(line);
	assert_eq!(code(&answer), 20);
	assert!(
		answer.to_string().contains("speaks EthereumStratum/1.0.0"),
		"{answer}"
	);
}

#[test]
fn junk_ends_a_session_and_so_do_refusals_in_a_row() {
	for junk in [
		"",
		"7",
		"[]",
		"{",
		"null",
		r#"{"id":1}"#,
		r#"{"method":7}"#,
		"\u{0}",
	] {
		let mut miner = Miner::new();
		let actions = miner
			.session
			.line(junk.as_bytes(), &mut miner.board, miner.now);
		assert_eq!(actions, [Action::Close(Closing::NotARequest)], "{junk}");
	}
	let mut miner = Miner::new();
	for refused in 1..=16 {
		assert_eq!(miner.closed, None, "{refused}");
		miner.ask(json!({ "id": {}, "method": "eth_getWork" }));
	}
	assert_eq!(miner.closed, Some(Closing::Refused));
}

#[test]
fn the_share_difficulty_follows_the_worker_and_each_work_keeps_its_own() {
	let mut miner = Miner::new();
	miner.board.publish(work(1, 1));
	miner.send(json!({ "id": 1, "method": "mining.subscribe", "params": [] }));
	let lines = miner.send(json!({ "id": 2, "method": "mining.authorize", "params": ["rig1"] }));
	let first = lines[1]["params"][0].as_f64().unwrap();
	let submit = |id: u64, job: &str| {
		let nonce = format!("{id:012x}");
		json!({ "id": id, "method": "mining.submit", "params": ["rig1", job, nonce] })
	};
	// Eight shares in a second are ten times too many; one change is at most a factor of four.
	for id in 0..8 {
		miner.submit(submit(id, "1"), SHARE);
	}
	miner.now += Duration::from_secs(1);
	miner.counted();
	let lines = miner.publish(work(1, 2));
	let second = lines[0]["params"][0].as_f64().unwrap();
	assert!((second / first - 4.0).abs() < 1e-9, "{first} {second}");
	assert_eq!(miner.asked, [Action::Rate(8 << 16)]);
	// The worker may still submit shares of the first difficulty for the first work, not for the second.
	let mut result = [0; 32];
	result[2] = 0x80;
	miner.asked.clear();
	assert_eq!(miner.submit(submit(20, "1"), result)["result"], true);
	assert_eq!(code(&miner.submit(submit(21, "2"), result)), 23);
}

#[test]
fn work_is_forgotten_in_the_end_and_until_then_taken_if_the_nonces_are_the_miners_own() {
	let mut miner = Miner::new();
	let login = json!({ "id": 1, "method": "eth_submitLogin", "params": ["rig1"] });
	miner.ask(login);
	miner.publish(work(1, 0));
	// Published, but never sent on this connection: an earlier one of the miner may have been given it.
	miner.board.publish(work(1, 1));
	let submit = |byte: u8| {
		let hash = format!("0x{}", hex::encode([byte; 32]));
		let params = json!(["0x0000000000000001", hash, hash]);
		json!({ "id": 2, "method": "eth_submitWork", "params": params })
	};
	assert_eq!(miner.send(submit(1)), [] as [Value; 0]);
	for byte in 2..=KEPT_WORKS as u8 {
		miner.publish(work(1, byte));
	}
	assert_eq!(code(&miner.ask(submit(0))), 21);
	assert_eq!(miner.send(submit(2)), [] as [Value; 0]);

	// In the other dialect the nonces belong to the connection.
	let mut miner = Miner::new();
	miner.send(json!({ "id": 1, "method": "mining.subscribe", "params": ["m"] }));
	miner.send(json!({ "id": 2, "method": "mining.authorize", "params": ["rig1", ""] }));
	miner.board.publish(work(1, 1));
	let params = json!(["rig1", "00000001", "000000000001"]);
	let share = json!({ "id": 3, "method": "mining.submit", "params": params });
	assert_eq!(code(&miner.ask(share)), 21);
}

#[test]
fn two_connections_have_different_nonces_and_one_board() {
	let config = Config::default();
	let (now, mut board) = (Instant::now(), Board::default());
	board.publish(work(1, 1));
	let mut sessions = [1, 2].map(|extranonce| Session::new(extranonce, &config, now));
	let mut ask = |session: usize, line: Value| {
		sessions[session].line(line.to_string().as_bytes(), &mut board, now)
	};
	let params = json!([
		"0x0000000000000001",
		format!("0x{}", "01".repeat(32)),
		format!("0x{}", "00".repeat(32))
	]);
	for session in [0, 1] {
		ask(
			session,
			json!({ "id": 1, "method": "eth_submitLogin", "params": ["rig"] }),
		);
		ask(session, json!({ "id": 2, "method": "eth_getWork" }));
	}
	let share = json!({ "id": 3, "method": "eth_submitWork", "params": params });
	assert!(matches!(&ask(0, share.clone())[..], [Action::Hash(_)]));
	assert!(matches!(
		&ask(1, share)[..],
		[Action::Count(Err(Refusal::Duplicate)), ..]
	));
}

#[test]
fn a_share_that_the_node_cannot_check_may_be_sent_again() {
	let mut miner = Miner::new();
	miner.publish(work(1, 1));
	miner.ask(json!({ "id": 1, "method": "eth_submitLogin", "params": ["rig"] }));
	miner.ask(json!({ "id": 2, "method": "eth_getWork" }));
	let mix_hash = format!("0x{}", "02".repeat(32));
	let seal_hash = format!("0x{}", "01".repeat(32));
	let params = json!(["0x0000000000000001", seal_hash, mix_hash]);
	let share = json!({ "id": 3, "method": "eth_submitWork", "params": params });
	for _ in 0..20 {
		assert_eq!(miner.send(share.clone()), [] as [Value; 0]);
		let asked = miner.share();
		let actions = miner.session.hashed(asked, None, &mut miner.board);
		assert_eq!(code(&miner.did(actions)[0]), 20);
	}
	assert_eq!(miner.closed, None);
	assert_eq!(miner.submit(share, SHARE)["result"], true);
}
