//! What every command that talks to a chain is given: where the node is, whose key, and how to answer.

use crate::{error::Error, keyfile};
use indicatif::{ProgressBar, ProgressStyle};
pub(crate) use isthmus_sdk::{ist, key_name};
use isthmus_sdk::{
	AccountId, BlockId, Call, Client, Identity, Included, Progress, RecordKey, Stage, H256, UNIT,
};
use std::{path::Path, str::FromStr};

/// Where a node is if nothing else is said.
const DEFAULT_URL: &str = "ws://127.0.0.1:9944";

/// What is the same for all commands that talk to a chain.
#[derive(clap::Args)]
pub(crate) struct Options {
	/// The node's WebSocket address [default: $ISTHMUS_URL, or ws://127.0.0.1:9944].
	#[arg(long, global = true, value_name = "URL")]
	url: Option<String>,

	/// Who acts: a key file, or a development account such as //Alice [default: $ISTHMUS_KEY].
	#[arg(long, global = true, value_name = "FILE")]
	key: Option<String>,

	/// Wait until what was sent is final, and not only in a block.
	#[arg(long, global = true)]
	finalized: bool,

	/// Answer in JSON, one object a line.
	#[arg(long, global = true)]
	pub(crate) json: bool,
}

/// A connection, and how to answer.
pub(crate) struct Context {
	pub(crate) client: Client,
	pub(crate) json: bool,
	url: String,
	options: Options,
}

impl Options {
	/// The key file, or the development account, that was named.
	pub(crate) fn key(&self) -> Result<String, Error> {
		let named = self.key.clone().or_else(|| variable("ISTHMUS_KEY"));
		named.ok_or_else(|| {
			Error::usage("this needs a key: who acts?")
				.hint("give --key FILE (`isthmus key generate FILE` makes one), or --key //Alice on a development chain")
		})
	}

	/// Connects to the node.
	pub(crate) async fn connect(self) -> Result<Context, Error> {
		let url = self.url.clone().or_else(|| variable("ISTHMUS_URL"));
		let url = url.unwrap_or_else(|| DEFAULT_URL.to_owned());
		Ok(Context {
			client: Client::connect(&url).await?,
			json: self.json,
			url,
			options: self,
		})
	}
}

impl Context {
	/// Where the node is.
	pub(crate) fn url(&self) -> String {
		self.url.clone()
	}

	/// Whose key it is. Asks for the passphrase where the key is in a file.
	pub(crate) async fn identity(&self) -> Result<Identity, Error> {
		let key = self.options.key()?;
		if !key.starts_with("//") {
			return Ok(keyfile::open(Path::new(&key))?.identity()?);
		}
		if !self.client.is_development().await? {
			return Err(Error::usage(format!(
				"{key} is for development chains: everybody has its secrets"
			))
			.hint("make a key of your own: isthmus key generate FILE"));
		}
		Ok(Identity::development(&key)?)
	}

	/// Signs a call, sends it, and waits as long as was asked for.
	pub(crate) async fn send(&self, identity: &Identity, call: &Call) -> Result<Included, Error> {
		let mut pending = self.client.submit(&identity.account, call).await?;
		Ok(match self.options.finalized {
			true => pending.finalized().await?,
			false => pending.included().await?,
		})
	}

	/// Sends several calls, in their order, as few transactions: what comes in one, comes all or not at
	/// all. Answers with the last; with none if there are no calls.
	pub(crate) async fn send_all(
		&self,
		identity: &Identity,
		calls: &[Call],
	) -> Result<Option<Included>, Error> {
		let last = self.client.send_all(&identity.account, calls).await?;
		if let Some(last) = &last {
			self.settle(last.block).await?;
		}
		Ok(last)
	}

	/// Waits until a block is final, if that was asked for.
	pub(crate) async fn settle(&self, block: BlockId) -> Result<(), Error> {
		if !self.options.finalized {
			return Ok(());
		}
		let mut heads = self.client.heads().await?;
		while self.client.finalized().await?.block().number < block.number {
			heads.next().await?;
		}
		let there = self.client.at_number(block.number).await?.block();
		if there != block {
			return Err(
				Error::failed("the block that it was in gave way to another")
					.hint("it is most likely in a later one: isthmus list, or trace, shows it"),
			);
		}
		Ok(())
	}

	/// Answers: a line for a person, or an object for a program.
	pub(crate) fn answer(&self, person: impl std::fmt::Display, program: serde_json::Value) {
		use std::io::Write;
		// Nobody may be reading any more, of a pipe say: then there is nobody to tell.
		let _ = match self.json {
			true => writeln!(std::io::stdout(), "{program}"),
			false => writeln!(std::io::stdout(), "{person}"),
		};
	}
}

fn variable(name: &str) -> Option<String> {
	std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads an account: its address, or a development account such as //Alice.
pub(crate) fn account(text: &str) -> Result<AccountId, String> {
	if text.starts_with("//") {
		let account = isthmus_sdk::Account::from_uri(text).map_err(|error| error.to_string())?;
		return Ok(*account.id());
	}
	AccountId::from_str(text).map_err(|error| format!("this is no address: {error}"))
}

/// Reads a record's key: a name of at most 32 bytes, or 0x and 64 hexadecimal digits.
pub(crate) fn record_key(text: &str) -> Result<RecordKey, String> {
	match text.strip_prefix("0x").map(hex::decode) {
		Some(Ok(bytes)) => <[u8; 32]>::try_from(bytes)
			.map(H256)
			.map_err(|_| "a record's key in hex has 64 digits".into()),
		_ => isthmus_sdk::record_key(text)
			.map_err(|_| "a record's name has at most 32 bytes; everybody can read it".into()),
	}
}

/// Reads an amount in IST, with at most 12 decimals.
pub(crate) fn amount(text: &str) -> Result<u128, String> {
	let refused = || format!("`{text}` is no amount: 2 or 0.25 say, with at most 12 decimals");
	let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
	if decimals.len() > 12
		|| !whole
			.bytes()
			.chain(decimals.bytes())
			.all(|c| c.is_ascii_digit())
	{
		return Err(refused());
	}
	let whole: u128 = whole.parse().map_err(|_| refused())?;
	let decimals: u128 = format!("{decimals:0<12}").parse().map_err(|_| refused())?;
	whole
		.checked_mul(UNIT)
		.and_then(|whole| whole.checked_add(decimals))
		.ok_or_else(refused)
}

/// A number of bytes as a person reads it.
pub(crate) fn bytes(count: u64) -> String {
	match count {
		0..1_000 => format!("{count} B"),
		1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
		1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
		_ => format!("{:.2} GB", count as f64 / 1e9),
	}
}

/// A range of leaves, `0..10`: from the first, to one past the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaves {
	pub(crate) from: u64,
	pub(crate) to: u64,
}

impl FromStr for Leaves {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, Self::Err> {
		let refused =
			|| format!("`{text}` is no range of leaves: 0..10 say, which ends before leaf 10");
		let (from, to) = text.split_once("..").ok_or_else(refused)?;
		let leaves = Self {
			from: from.parse().map_err(|_| refused())?,
			to: to.parse().map_err(|_| refused())?,
		};
		match leaves.from < leaves.to && leaves.to <= 1 << 32 {
			true => Ok(leaves),
			false => Err(refused()),
		}
	}
}

/// A bar on the terminal that shows how far a long piece of work is.
pub(crate) struct Bar {
	bar: ProgressBar,
	stage: Option<Stage>,
}

impl Bar {
	pub(crate) fn new() -> Self {
		Self {
			bar: ProgressBar::hidden(),
			stage: None,
		}
	}
}

impl Drop for Bar {
	fn drop(&mut self) {
		self.bar.finish_and_clear();
	}
}

impl Progress for Bar {
	fn file(&mut self, _: &str) {
		self.stage = None;
	}

	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if self.stage != Some(stage) {
			self.stage = Some(stage);
			self.bar.finish_and_clear();
			self.bar = ProgressBar::new(total);
			let (what, template) = match stage {
				Stage::Naming => ("encrypting", BYTES),
				Stage::Sending => ("storing", BYTES),
				Stage::Checking => ("checking", BYTES),
				Stage::Fetching => ("fetching", BYTES),
				Stage::Searching => ("searching", BLOCKS),
			};
			if let Ok(style) = ProgressStyle::with_template(template) {
				self.bar.set_style(style);
			}
			self.bar.set_message(what);
		}
		self.bar.set_position(done);
	}
}

const BYTES: &str = "{msg:10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const BLOCKS: &str = "{msg:10} {wide_bar} {pos}/{len} blocks {eta}";

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn amounts_are_read_as_they_are_written() {
		assert_eq!(amount("2"), Ok(2 * UNIT));
		assert_eq!(amount("0.25"), Ok(UNIT / 4));
		assert_eq!(amount("0.000000000001"), Ok(1));
		for text in [
			"",
			".5",
			"-1",
			"1.0000000000001",
			"x",
			"1e3",
			"999999999999999999999999999",
		] {
			assert!(amount(text).is_err(), "{text}");
		}
		assert_eq!(ist(2 * UNIT), "2 IST");
		assert_eq!(ist(UNIT / 4), "0.25 IST");
	}

	#[test]
	fn leaves_are_a_range() {
		assert_eq!(
			"0..4294967296".parse(),
			Ok(Leaves {
				from: 0,
				to: 1 << 32
			})
		);
		for text in ["3", "3..3", "4..3", "0..4294967297", "a..b", "..3"] {
			assert!(text.parse::<Leaves>().is_err(), "{text}");
		}
	}

	#[test]
	fn keys_are_shown_as_they_were_named() {
		assert_eq!(key_name(&record_key("2025-03").unwrap()), "2025-03");
		let hex = format!("0x{}", "ab".repeat(32));
		assert_eq!(key_name(&record_key(&hex).unwrap()), hex);
		for name in ["a b", "a\nb", "\u{202e}b"] {
			assert!(key_name(&record_key(name).unwrap()).starts_with("0x"));
		}
		assert!(record_key(&"x".repeat(33)).is_err());
		assert!(record_key("0xab").is_err());
	}
}
