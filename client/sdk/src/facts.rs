// SPDX-License-Identifier: Apache-2.0
//! Facts about the world outside the chain, credentials of accounts, and conditions on them (paper, section III.C).
//!
//! Calls create sources, report and issue credentials. What decides something is read from a [`Proven`] state: the
//! entries are proven, and this crate computes the facts from them with the chain's own functions.
//!
//! ```no_run
//! use isthmus_sdk::{conditions::Condition, facts::Subject, *};
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let condition: Condition = "fact(weather/beijing, pm25) > 75".parse()?;
//! let proven = client.proven().await?;
//! let evaluation = proven.evaluate(&condition, &Subject::default()).await?;
//! println!("after block {}: {:?}", proven.block().number, evaluation.truth);
//! # Ok(())
//! # }
//! ```

use crate::{
	block::BlockId,
	call::Call,
	claim::Claim,
	client::Client,
	error::Error,
	manifest,
	proven::Proven,
	text::{bytes_from_hex, to_hex},
	types::*,
};
use codec::{DecodeAll, MaxEncodedLen};
use isthmus_conditions::{Condition, FactTest, Name, Node, Truth, Value, World};
use isthmus_light::storage;
use isthmus_sharing::terms::Footprint;
use std::collections::BTreeMap;
use subxt::{ext::scale_encode::EncodeAsType, rpcs::rpc_params};

pub use crate::{
	event::Reported,
	types::{Credential, Report, Source},
};

/// What the owner of a source decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTerms {
	/// The accounts that report for it.
	pub reporters: Vec<AccountId>,
	/// How many of them must have reported lately for a fact: more than half.
	pub quorum: u32,
	/// For how many seconds after its observation a report counts.
	pub fresh: u32,
}

/// What an account observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
	/// What it observed.
	pub value: Value,
	/// When, in seconds since 1970.
	pub observed: Seconds,
	/// The [hash](response_hash) of the response in which it observed that.
	pub response: [u8; 32],
}

/// Returns the hash by which a report names the response in which something was observed: BLAKE2b-256.
pub fn response_hash(response: &[u8]) -> [u8; 32] {
	manifest::content_hash(response)
}

/// A value as an argument of a call, by the variants' names in the chain's metadata.
#[derive(EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
enum ValueArgument<'a> {
	Integer(i64),
	Decimal(DecimalArgument),
	Text(&'a str),
	Hash([u8; 32]),
}

/// A decimal as an argument of a call.
#[derive(EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
struct DecimalArgument {
	mantissa: i64,
	scale: u8,
}

impl<'a> From<&'a Value> for ValueArgument<'a> {
	fn from(value: &'a Value) -> Self {
		match value {
			Value::Integer(integer) => Self::Integer(*integer),
			Value::Decimal(decimal) => Self::Decimal(DecimalArgument {
				mantissa: decimal.mantissa(),
				scale: decimal.scale(),
			}),
			Value::Text(text) => Self::Text(text.as_str()),
			Value::Hash(hash) => Self::Hash(*hash),
		}
	}
}

/// Returns the space of an entry with this many bytes that its maker chose.
fn entry(bytes: usize) -> Footprint {
	Footprint {
		entries: 1,
		bytes: bytes as u64,
	}
}

impl Client {
	/// Makes a call that creates a source of facts. Its name is never given to a second owner.
	pub async fn create_source(&self, name: &Name, terms: &SourceTerms) -> Result<Call, Error> {
		let call = self.source_call("create_source", name, terms).await?;
		Ok(call.claiming(Claim::Source(name.to_string())))
	}

	/// Makes a call that changes a source of this account, or opens a closed one again.
	pub async fn change_source(&self, name: &Name, terms: &SourceTerms) -> Result<Call, Error> {
		self.source_call("change_source", name, terms).await
	}

	async fn source_call(
		&self,
		call: &'static str,
		name: &Name,
		terms: &SourceTerms,
	) -> Result<Call, Error> {
		let SourceTerms {
			reporters,
			quorum,
			fresh,
		} = terms;
		let arguments = (name.as_str(), reporters, *quorum, *fresh);
		let call = self.call(FACTS, call, arguments).await?;
		let accounts = reporters.len().saturating_mul(size_of::<AccountId>());
		Ok(call.taking(entry(name.as_str().len().saturating_add(accounts))))
	}

	/// Makes a call that closes a source of this account: it has no facts any more.
	pub async fn close_source(&self, name: &Name) -> Result<Call, Error> {
		let call = self.call(FACTS, "close_source", (name.as_str(),)).await?;
		Ok(call.claiming(Claim::Source(name.to_string())))
	}

	/// Makes a call that reports what this account observed. It replaces the account's last report about the topic.
	pub async fn report(
		&self,
		source: &Name,
		topic: &Name,
		observation: &Observation,
	) -> Result<Call, Error> {
		let Observation {
			value,
			observed,
			response,
		} = observation;
		let value = ValueArgument::from(value);
		let arguments = (source.as_str(), topic.as_str(), value, *observed, *response);
		let call = self.call(FACTS, "report", arguments).await?;
		// The first report pays for the longest, because a later one may be longer.
		let longest = isthmus_conditions::facts::Report::<[u8; 32], Balance>::max_encoded_len();
		Ok(call.taking(entry(longest)))
	}

	/// Makes a call that withdraws this account's report about a topic, and releases its deposit.
	pub async fn withdraw_report(&self, source: &Name, topic: &Name) -> Result<Call, Error> {
		let arguments = (source.as_str(), topic.as_str());
		let call = self.call(FACTS, "withdraw_report", arguments).await?;
		Ok(call.claiming(Claim::Report(source.to_string(), topic.to_string())))
	}

	/// Makes a call that issues a credential about an account until a time, or changes its end.
	pub async fn issue_credential(
		&self,
		subject: &AccountId,
		kind: &Name,
		until: Seconds,
	) -> Result<Call, Error> {
		let arguments = (*subject, kind.as_str(), until);
		let call = self.call(FACTS, "issue_credential", arguments).await?;
		Ok(call.taking(entry(kind.as_str().len())))
	}

	/// Makes a call that revokes a credential that this account issued, and releases its deposit.
	pub async fn revoke_credential(&self, subject: &AccountId, kind: &Name) -> Result<Call, Error> {
		let arguments = (*subject, kind.as_str());
		let call = self.call(FACTS, "revoke_credential", arguments).await?;
		Ok(call.claiming(Claim::Credential(subject.0, kind.to_string())))
	}
}

/// What an account last reported, after the best block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastReport {
	/// The best block's number.
	pub block: BlockNumber,
	/// The report; `None` if there is none.
	pub report: Option<Report>,
}

impl Client {
	/// Returns an account's last report for a source about a topic, after the best block: also one that is not finalized
	/// yet. It is what the node says. What decides something is read with [`Proven::reports`].
	///
	/// # Errors
	///
	/// Returns [`Error::Incompatible`] if the reports are not as this crate knows them, and the node's error.
	pub async fn last_report(
		&self,
		reporter: &AccountId,
		source: &Name,
		topic: &Name,
	) -> Result<LastReport, Error> {
		let BlockId { number, hash } = self.best().await?.block();
		let key = to_hex(&storage::reports(source, topic));
		let found: Option<String> = self
			.request("state_getStorage", rpc_params![key, hash])
			.await?;
		let reports = found.map_or(Some(Vec::new()), |hex| {
			Vec::<Report>::decode_all(&mut &bytes_from_hex(&hex)?[..]).ok()
		});
		let reports = reports.ok_or_else(|| Error::Incompatible("unknown reports".into()))?;
		Ok(LastReport {
			block: number,
			report: reports
				.into_iter()
				.find(|report| report.reporter == *reporter),
		})
	}
}

/// Whom and what a condition is evaluated for. What is `None` is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
	/// The account whose credentials and grants count.
	pub account: Option<AccountId>,
	/// How much it pays, in the currency's smallest unit.
	pub paid: Option<Balance>,
	/// The owner and the number of the dataset that the condition stands for.
	pub dataset: Option<(AccountId, DatasetId)>,
}

/// What a condition amounts to, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
	/// Whether the condition is met.
	pub truth: Truth,
	/// Its tests in order.
	pub tests: Vec<Tested>,
}

/// A test of a condition, and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
	/// The test, as a condition of its own.
	pub test: Condition,
	/// Whether it is met.
	pub truth: Truth,
	/// The fact that it compares, if it compares one and that is not missing.
	pub fact: Option<Value>,
}

/// What is proven of the world in which a condition is evaluated.
#[derive(Default)]
struct Seen {
	now: Seconds,
	sources: BTreeMap<Name, Source>,
	reports: BTreeMap<(Name, Name), Vec<Report>>,
	/// Whether the account has a valid credential, by issuer and kind: of those that are asked for.
	credentials: BTreeMap<([u8; 32], Name), bool>,
	/// Whether the account has a grant on the current epoch of a dataset: of those that are asked for.
	grants: BTreeMap<([u8; 32], DatasetId), bool>,
	paid: Option<Balance>,
	count: Option<u32>,
}

impl World for Seen {
	fn now(&self) -> u64 {
		self.now
	}

	fn fact(&self, source: &Name, topic: &Name, oldest: Option<u32>) -> Option<Value> {
		let reports = self.reports.get(&(source.clone(), topic.clone()))?;
		self.sources.get(source)?.fact(reports, self.now, oldest)
	}

	fn has_credential(&self, issuer: &[u8; 32], kind: &Name) -> Option<bool> {
		self.credentials.get(&(*issuer, kind.clone())).copied()
	}

	fn has_grant(&self, owner: &[u8; 32], dataset: u32) -> Option<bool> {
		self.grants.get(&(*owner, dataset)).copied()
	}

	fn paid(&self) -> Option<u128> {
		self.paid
	}

	fn grants(&self) -> Option<u32> {
		self.count
	}
}

/// Collects the tests of a condition, which are nodes without parts.
fn tests<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
	match node {
		Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| tests(part, found)),
		Node::Not(part) => tests(part, found),
		test => found.push(test),
	}
}

impl Proven {
	/// Returns a source of facts, open or closed.
	pub async fn source(&self, name: &Name) -> Result<Option<Source>, Error> {
		self.check_facts().await?;
		self.get(storage::source(name)).await
	}

	/// Returns all sources, also the closed ones, by their names.
	pub async fn sources(&self) -> Result<BTreeMap<Name, Source>, Error> {
		self.check_facts().await?;
		let prefix = storage::sources();
		let mut sources = BTreeMap::new();
		for key in self.keys(prefix.clone()).await? {
			let name = storage::chosen(&mut &key[prefix.len()..]);
			if let (Some(name), Some(source)) = (name, self.get(key).await?) {
				sources.insert(name, source);
			}
		}
		Ok(sources)
	}

	/// Returns the last report of each account for a source about a topic, also those that do not count any more.
	pub async fn reports(&self, source: &Name, topic: &Name) -> Result<Vec<Report>, Error> {
		self.check_facts().await?;
		let reports = self.get(storage::reports(source, topic)).await?;
		Ok(reports.unwrap_or_default())
	}

	/// Returns the reports for a source, by topic.
	pub async fn reports_for(&self, source: &Name) -> Result<BTreeMap<Name, Vec<Report>>, Error> {
		self.check_facts().await?;
		let prefix = storage::reports_for(source);
		let mut topics = BTreeMap::new();
		for key in self.keys(prefix.clone()).await? {
			let topic = storage::chosen(&mut &key[prefix.len()..]);
			if let (Some(topic), Some(reports)) = (topic, self.get(key).await?) {
				topics.insert(topic, reports);
			}
		}
		Ok(topics)
	}

	/// Returns the credentials about an account, also those that have ended, by issuer and kind.
	pub async fn credentials_of(
		&self,
		subject: &AccountId,
	) -> Result<BTreeMap<(AccountId, Name), Credential>, Error> {
		self.check_facts().await?;
		let prefix = storage::credentials_of(&subject.0);
		let mut credentials = BTreeMap::new();
		for key in self.keys(prefix.clone()).await? {
			let rest = &mut &key[prefix.len()..];
			let (issuer, kind) = (storage::chosen::<[u8; 32]>(rest), storage::chosen(rest));
			if let (Some(issuer), Some(kind), Some(credential)) =
				(issuer, kind, self.get(key).await?)
			{
				credentials.insert((issuer.into(), kind), credential);
			}
		}
		Ok(credentials)
	}

	/// Evaluates a condition as the chain does after this block.
	pub async fn evaluate(
		&self,
		condition: &Condition,
		subject: &Subject,
	) -> Result<Evaluation, Error> {
		let mut found = Vec::new();
		tests(condition.root(), &mut found);
		let seen = self.see(&found, subject).await?;
		let mut tests = Vec::new();
		for node in found {
			// A part of a condition is within the bounds of a condition.
			let Ok(test) = Condition::new(node.clone()) else {
				continue;
			};
			let fact = match node {
				Node::Fact(FactTest {
					source,
					topic,
					oldest,
					..
				}) => seen.fact(source, topic, *oldest),
				_ => None,
			};
			let truth = test.evaluate(&seen);
			tests.push(Tested { test, truth, fact });
		}
		let truth = condition.evaluate(&seen);
		Ok(Evaluation { truth, tests })
	}

	/// Proves what the tests ask for.
	async fn see(&self, tests: &[&Node], subject: &Subject) -> Result<Seen, Error> {
		let mut keys = vec![storage::now(), storage::facts_version()];
		for test in tests {
			if let Node::Fact(FactTest { source, topic, .. }) = test {
				keys.extend([storage::source(source), storage::reports(source, topic)]);
			}
		}
		self.load(&keys).await?;
		let mut seen = Seen {
			now: self.time().await?,
			paid: subject.paid,
			..Seen::default()
		};
		for test in tests {
			match test {
				Node::Fact(FactTest { source, topic, .. }) => {
					let reports = self.reports(source, topic).await?;
					let entry = self.source(source).await?;
					seen.sources
						.extend(entry.map(|entry| (source.clone(), entry)));
					seen.reports
						.insert((source.clone(), topic.clone()), reports);
				}
				Node::Credential { issuer, kind } => {
					let has = self.has_credential(subject, (issuer, kind), seen.now);
					let has = has.await?.map(|has| ((*issuer, kind.clone()), has));
					seen.credentials.extend(has);
				}
				Node::Granted { owner, dataset } => {
					let has = self.has_grant(subject, owner, *dataset).await?;
					seen.grants.extend(has.map(|has| ((*owner, *dataset), has)));
				}
				Node::CountBelow(_) if seen.count.is_none() => {
					seen.count = self.count_on(subject).await?;
				}
				_ => {}
			}
		}
		Ok(seen)
	}

	/// Returns whether the subject has a valid credential of this kind; `None` if it is unknown. All of its credentials, which
	/// anyone may issue, are not read.
	async fn has_credential(
		&self,
		subject: &Subject,
		(issuer, kind): (&[u8; 32], &Name),
		now: Seconds,
	) -> Result<Option<bool>, Error> {
		let Some(account) = &subject.account else {
			return Ok(None);
		};
		self.check_facts().await?;
		let key = storage::credential(&account.0, issuer, kind);
		let credential: Option<Credential> = self.get(key).await?;
		Ok(Some(
			credential.is_some_and(|credential| credential.is_valid_at(now)),
		))
	}

	/// Returns whether the subject has an active grant on a dataset's current epoch; `None` if it is unknown. All of its
	/// grants, which anyone may give, are not read.
	async fn has_grant(
		&self,
		subject: &Subject,
		owner: &[u8; 32],
		dataset: DatasetId,
	) -> Result<Option<bool>, Error> {
		let Some(account) = &subject.account else {
			return Ok(None);
		};
		let owner = AccountId::from(*owner);
		let Some(entry) = self.dataset(&owner, dataset).await? else {
			return Ok(Some(false));
		};
		let grants = self
			.grants_on(&owner, dataset, entry.epoch, account)
			.await?;
		let is_active = |entry: &GrantEntry| entry.grant.state == GrantState::Active;
		Ok(Some(grants.iter().any(is_active)))
	}

	async fn count_on(&self, subject: &Subject) -> Result<Option<u32>, Error> {
		let Some((owner, dataset)) = &subject.dataset else {
			return Ok(None);
		};
		let entry = self.dataset(owner, *dataset).await?;
		let grants = entry.map_or(0, |entry| entry.grants);
		Ok(Some(u32::try_from(grants).unwrap_or(u32::MAX)))
	}
}
