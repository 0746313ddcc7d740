// SPDX-License-Identifier: Apache-2.0
//! A node that lies at random: it forwards requests to an honest node, and changes one of the answers by its type. It
//! lies about the metadata only as it is told to.
//! Transactions are kept instead of forwarded, so that a test can look at what the client would have published.

use futures::{SinkExt, StreamExt};
use serde_json::{json, Value};
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{Arc, Mutex, MutexGuard},
};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::Notify,
};
use tokio_tungstenite::{accept_async, connect_async, tungstenite::Message};

/// The method that sends a transaction.
const SUBMIT: &str = "transactionWatch_v1_submitAndWatch";
/// The method that calls the runtime, on which a client tries a transaction before it sends it.
const CALL: &str = "state_call";
/// How many earlier answers of a method, and how many texts, the node remembers for its lies.
const REMEMBERED: usize = 512;
/// The longest text that is remembered.
const LONGEST_TEXT: usize = 20_000;

/// A lying node that listens on the loopback interface.
pub(crate) struct Liar {
	address: SocketAddr,
	plan: Arc<Mutex<Plan>>,
}

/// What the node will answer, and what it was told.
#[derive(Default)]
struct Plan {
	random: u64,
	/// How many answers are true before the lie; `None` if none is false.
	left: Option<u64>,
	/// Whether the same question gets the same lie again.
	stubborn: bool,
	heard: Heard,
	/// Notified when the lie is told.
	told: Arc<Notify>,
	/// The lies of a stubborn node, by question.
	lies: HashMap<String, Option<Value>>,
	/// The true answers so far, by method.
	answers: HashMap<String, Vec<Value>>,
	/// The texts in them.
	texts: Vec<String>,
	/// Bytes that a lie may put in the place of others, such as its own key.
	swaps: Vec<(String, String)>,
	/// What to put in the place of what in the metadata, in hexadecimal digits.
	metadata: Vec<(String, String)>,
	/// The texts of questions that are answered with an error: those with all texts of one entry.
	withheld: Vec<Vec<String>>,
}

/// What a lying node was asked since the lie began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
	/// How many answers it gave.
	pub(crate) answers: u64,
	/// The method whose answer was false, and that answer.
	pub(crate) lie: Option<(String, String)>,
	/// The transactions that the client showed it.
	pub(crate) transactions: Vec<Vec<u8>>,
}

impl Liar {
	/// Starts a node that tells the truth until [`lie`](Self::lie) is called.
	pub(crate) async fn start(honest: &'static str) -> Self {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let (address, plan) = (listener.local_addr().unwrap(), Arc::default());
		let shared = Arc::clone(&plan);
		tokio::spawn(async move {
			while let Ok((client, _)) = listener.accept().await {
				tokio::spawn(forward(client, honest, Arc::clone(&shared)));
			}
		});
		Self { address, plan }
	}

	/// Returns the node's address.
	pub(crate) fn url(&self) -> String {
		format!("ws://{}", self.address)
	}

	/// Lets the node put some bytes in the place of others of the same length.
	pub(crate) fn may_swap(&self, from: &[u8], to: &[u8]) {
		assert_eq!(from.len(), to.len());
		let pair = (hex::encode(from), hex::encode(to));
		self.plan().swaps.push(pair);
	}

	/// Exchanges two names in the metadata, so that two calls have each other's index. Each has to be there once.
	pub(crate) fn exchange_in_metadata(&self, one: &str, other: &str) {
		let encoded = |name: &str| {
			let length = u8::try_from(name.len() << 2).unwrap();
			hex::encode([&[length], name.as_bytes()].concat())
		};
		let (one, other) = (encoded(one), encoded(other));
		// No bytes of the metadata are these.
		let apart = "names".to_owned();
		self.plan().metadata = vec![
			(one.clone(), apart.clone()),
			(other.clone(), one),
			(apart, other),
		];
	}

	/// Answers questions that contain all of these texts with an error.
	pub(crate) fn withhold(&self, texts: &[&str]) {
		let texts = texts.iter().map(|text| (*text).to_owned()).collect();
		self.plan().withheld.push(texts);
	}

	/// Makes the answer after `left` true ones false, in a way that follows from the seed.
	pub(crate) fn lie(&self, seed: u64, left: u64) {
		let mut plan = self.plan();
		plan.random = seed;
		plan.left = Some(left);
		plan.stubborn = plan.draw(2) == 0;
		plan.heard = Heard::default();
		plan.told = Arc::default();
		plan.lies.clear();
	}

	/// Waits until the lie is told.
	pub(crate) async fn told(&self) {
		let told = Arc::clone(&self.plan().told);
		told.notified().await;
	}

	/// Tells the truth from now on.
	pub(crate) fn tell_truth(&self) {
		let mut plan = self.plan();
		plan.left = None;
		plan.heard = Heard::default();
		plan.lies.clear();
	}

	/// Returns what the node was asked.
	pub(crate) fn heard(&self) -> Heard {
		self.plan().heard.clone()
	}

	fn plan(&self) -> MutexGuard<'_, Plan> {
		self.plan.lock().unwrap()
	}
}

/// Forwards what a client asks, until either side hangs up.
async fn forward(client: TcpStream, honest: &str, plan: Arc<Mutex<Plan>>) {
	let (Ok(client), Ok((node, _))) = (accept_async(client).await, connect_async(honest).await)
	else {
		return;
	};
	let ((mut to_client, mut from_client), (mut to_node, mut from_node)) =
		(client.split(), node.split());
	let mut asked: HashMap<Value, (String, Value)> = HashMap::new();
	loop {
		tokio::select! {
			message = from_client.next() => {
				let Some(Ok(message)) = message else { return };
				let Message::Text(text) = message else { continue };
				let question: Value = serde_json::from_str(&text).unwrap();
				let (id, params) = (question["id"].clone(), question["params"].clone());
				let method = question["method"].as_str().unwrap_or_default().to_owned();
				let is_kept = plan.lock().unwrap().keep(&method, &params);
				let is_withheld = plan.lock().unwrap().withholds(&text);
				if is_kept || is_withheld {
					let error = match is_kept {
						true => json!({ "code": 1010, "message": "kept by the liar" }),
						false => json!({ "code": -32603, "message": "withheld by the liar" }),
					};
					let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error });
					if to_client.send(answer.to_string().into()).await.is_err() { return }
					continue;
				}
				asked.insert(id, (method, params));
				if to_node.send(Message::Text(text)).await.is_err() { return }
			}
			message = from_node.next() => {
				let Some(Ok(message)) = message else { return };
				let Message::Text(text) = message else { continue };
				let mut answer: Value = serde_json::from_str(&text).unwrap();
				let question = asked.remove(&answer["id"]);
				plan.lock().unwrap().answer(question, &mut answer);
				if to_client.send(answer.to_string().into()).await.is_err() { return }
			}
		}
	}
}

impl Plan {
	/// Returns whether a question is answered with an error.
	fn withholds(&self, question: &str) -> bool {
		let is_this = |texts: &Vec<String>| texts.iter().all(|text| question.contains(text));
		self.withheld.iter().any(is_this)
	}

	/// Notes a transaction that a client shows, and returns whether it is sent and therefore kept.
	fn keep(&mut self, method: &str, params: &Value) -> bool {
		let shown = match method {
			SUBMIT => &params[0],
			CALL if params[0] == "BlockBuilder_apply_extrinsic" => &params[1],
			_ => return false,
		};
		let shown = shown.as_str().and_then(|text| text.strip_prefix("0x"));
		let shown = hex::decode(shown.unwrap()).unwrap();
		self.heard.transactions.push(shown);
		method == SUBMIT
	}

	/// Changes the answer to a question, or what a subscription reports, if it is its turn.
	fn answer(&mut self, question: Option<(String, Value)>, answer: &mut Value) {
		let is_metadata = |(method, params): &(String, Value)| {
			let call = params[0].as_str().unwrap_or_default();
			method == "state_getMetadata" || (method == CALL && call.starts_with("Metadata_"))
		};
		if question.as_ref().is_some_and(is_metadata) {
			if let Some(Value::String(metadata)) = answer.get_mut("result") {
				for (from, to) in &self.metadata {
					*metadata = metadata.replace(from, to);
				}
			}
			return;
		}
		self.heard.answers += 1;
		let Some((method, params)) = question else {
			let method = answer["method"].as_str().unwrap_or_default().to_owned();
			let result = answer["params"]["result"].take();
			let said = self.say(&method, None, &result);
			answer["params"]["result"] = said.unwrap_or_default();
			return;
		};
		let Some(result) = answer.get("result").cloned() else {
			return;
		};
		match self.say(&method, Some(&params), &result) {
			Some(said) => answer["result"] = said,
			None => {
				let error = json!({ "code": -32603, "message": "a false error" });
				*answer = json!({ "jsonrpc": "2.0", "id": answer["id"], "error": error });
			}
		}
	}

	/// Returns what the node says instead of a result; `None` for an error.
	fn say(&mut self, method: &str, params: Option<&Value>, truth: &Value) -> Option<Value> {
		let question = format!("{method}{}", params.cloned().unwrap_or_default());
		let said = match (self.left, self.lies.get(&question)) {
			(_, Some(lie)) => return lie.clone(),
			(Some(0), None) => {
				self.left = None;
				let lie = self.lie_about(method, truth);
				let shown = lie.as_ref().map_or("an error".to_owned(), Value::to_string);
				let short = shown.chars().take(300).collect();
				self.heard.lie = Some((method.to_owned(), short));
				self.told.notify_one();
				if self.stubborn {
					self.lies.insert(question, lie.clone());
				}
				lie
			}
			(left, None) => {
				self.left = left.map(|left| left - 1);
				Some(truth.clone())
			}
		};
		self.remember(method, truth);
		said
	}

	fn remember(&mut self, method: &str, truth: &Value) {
		let mut texts = Vec::new();
		texts_in(truth, &mut texts);
		let room = REMEMBERED.saturating_sub(self.texts.len());
		self.texts.extend(texts.into_iter().take(room));
		let earlier = self.answers.entry(method.to_owned()).or_default();
		if earlier.len() < REMEMBERED && !earlier.contains(truth) {
			earlier.push(truth.clone());
		}
	}

	/// Returns a false answer to a question of this method; `None` for an error.
	fn lie_about(&mut self, method: &str, truth: &Value) -> Option<Value> {
		let mut swapped = truth.to_string();
		for (from, to) in &self.swaps {
			swapped = swapped.replace(from, to);
		}
		let swapped: Value = serde_json::from_str(&swapped).unwrap();
		if swapped != *truth && self.draw(3) > 0 {
			return Some(swapped);
		}
		let earlier = self.answers.get(method).cloned().unwrap_or_default();
		let earlier: Vec<_> = earlier.into_iter().filter(|other| other != truth).collect();
		match self.draw(16) {
			0 => None,
			1 => Some(Value::Null),
			2..6 if !earlier.is_empty() => Some(self.pick(&earlier)),
			_ => Some(self.change(truth)),
		}
	}

	/// Changes something in a value, by its type.
	fn change(&mut self, value: &Value) -> Value {
		match value {
			Value::Array(items) if !items.is_empty() => {
				let at = self.draw(items.len() as u64) as usize;
				let mut items = items.clone();
				match self.draw(10) {
					0 => items.clear(),
					1 => drop(items.remove(at)),
					2 => items.push(items[at].clone()),
					3 => items.reverse(),
					4 => items.push(Value::String(self.other_text(None))),
					_ => items[at] = self.change(&items[at]),
				}
				Value::Array(items)
			}
			Value::Object(fields) if !fields.is_empty() => {
				let mut fields = fields.clone();
				let names: Vec<_> = fields.keys().cloned().collect();
				let name = self.pick(&names);
				match self.draw(10) {
					0 => drop(fields.remove(&name)),
					_ => fields[&name] = self.change(&value[&name]),
				}
				Value::Object(fields)
			}
			Value::String(text) => Value::String(self.change_text(text)),
			_ => {
				let other = [
					Value::Null,
					json!(0),
					json!(1),
					json!(-1),
					json!(1u64 << 53),
					json!(u32::MAX),
					json!(true),
					json!("0x"),
					json!([]),
				];
				self.pick(&other)
			}
		}
	}

	/// Changes a text: bytes or a number in hexadecimal digits, or words.
	fn change_text(&mut self, text: &str) -> String {
		let digits = text.strip_prefix("0x");
		let Some(mut bytes) = digits.and_then(|digits| hex::decode(digits).ok()) else {
			let others = ["", "0x", "0x0", "0x1", "0xffffffff", "0xffffffffffffffff"];
			return match self.draw(2) {
				0 => self.pick(&others).to_owned(),
				_ => self.other_text(None),
			};
		};
		let at = self.draw(bytes.len().max(1) as u64) as usize;
		match self.draw(10) {
			0 => bytes.truncate(at),
			1 => bytes.insert(at.min(bytes.len()), self.draw(256) as u8),
			2 => bytes.fill(0),
			3 => return self.other_text(Some(text.len())),
			4 => return self.other_text(None),
			_ => {
				if let Some(byte) = bytes.get_mut(at) {
					*byte ^= 1 << self.draw(8);
				}
			}
		}
		format!("0x{}", hex::encode(bytes))
	}

	/// Returns a text of an earlier answer, of this length if there is one.
	fn other_text(&mut self, length: Option<usize>) -> String {
		let fits = |text: &&String| length.is_none_or(|length| text.len() == length);
		let texts: Vec<_> = self.texts.iter().filter(fits).cloned().collect();
		match texts.is_empty() {
			true => "0x00".to_owned(),
			false => self.pick(&texts),
		}
	}

	fn pick<T: Clone>(&mut self, items: &[T]) -> T {
		items[self.draw(items.len() as u64) as usize].clone()
	}

	fn draw(&mut self, below: u64) -> u64 {
		draw(&mut self.random, below)
	}
}

/// Collects the texts in a value that are not too long.
fn texts_in(value: &Value, texts: &mut Vec<String>) {
	match value {
		Value::String(text) if text.len() <= LONGEST_TEXT => texts.push(text.clone()),
		Value::Array(items) => items.iter().for_each(|item| texts_in(item, texts)),
		Value::Object(fields) => fields.values().for_each(|field| texts_in(field, texts)),
		_ => {}
	}
}

/// Draws a number below a bound, with SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) fn draw(state: &mut u64, below: u64) -> u64 {
	*state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
	let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
	let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
	(mixed ^ (mixed >> 31)) % below
}
