// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset policy`: sets and removes a dataset's policy. Policies as text and as JSON.

use super::{changed::Changed, own::own};
use crate::{
	context::Context,
	error::Error,
	text::{amount, condition, count, only_if, Amount},
};
use isthmus_sdk::{
	every, AccountId, Balance, BlockNumber, Condition, ConsumerKinds, DatasetId, Identity, Policy,
	PurposeCode, PurposeCodes, State, LEAVES_PER_EPOCH,
};
use serde::{Serialize, Serializer};
use std::fmt;

/// The arguments that say what a policy allows.
const TERMS: [&str; 7] = [
	"price",
	"firm_price",
	"longest_range",
	"longest_term",
	"consumers",
	"purposes",
	"when",
];

#[derive(clap::Args)]
pub(super) struct PolicyOpts {
	/// Number of the dataset
	dataset: DatasetId,

	/// Lowest offer to accept, in IST
	#[arg(long, value_name = "IST", default_value = "0", value_parser = amount)]
	price: Balance,

	/// Lowest offer for a firm term, which you cannot revoke, in IST [default: no firm terms]
	#[arg(long, value_name = "IST", value_parser = amount)]
	firm_price: Option<Balance>,

	/// Largest number of leaves that a request may ask for [default: no limit]
	#[arg(
		long,
		value_name = "LEAVES",
		default_value_t = LEAVES_PER_EPOCH,
		hide_default_value = true,
		value_parser = clap::value_parser!(u64).range(1..=LEAVES_PER_EPOCH)
	)]
	longest_range: u64,

	/// Longest term that a request may ask for
	#[arg(
		long,
		value_name = "BLOCKS",
		required_unless_present = "clear",
		value_parser = clap::value_parser!(u32).range(1..)
	)]
	longest_term: Option<u32>,

	/// Kinds of consumers to accept, separated by commas
	#[arg(
		long,
		value_name = "KINDS",
		value_delimiter = ',',
		default_value = "all"
	)]
	consumers: Vec<Consumers>,

	/// Purposes to accept, by their codes, separated by commas [default: any]. Requests for another wait for you
	#[arg(long, value_name = "CODES", value_delimiter = ',')]
	purposes: Vec<PurposeCode>,

	/// Condition that a request has to meet: about its reader, what it pays, facts and time. The chain refuses a request
	/// that is known not to meet it
	#[arg(long, value_name = "CONDITION", value_parser = condition)]
	when: Option<Condition>,

	/// Remove the policy
	#[arg(long, conflicts_with_all = TERMS)]
	clear: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Consumers {
	All,
	School,
	Government,
	Business,
	Other,
	Unregistered,
}

fn kinds(named: &[Consumers]) -> ConsumerKinds {
	let has = |kind| named.contains(&Consumers::All) || named.contains(&kind);
	ConsumerKinds {
		school: has(Consumers::School),
		government: has(Consumers::Government),
		business: has(Consumers::Business),
		other: has(Consumers::Other),
		unregistered: has(Consumers::Unregistered),
	}
}

/// A policy as text.
pub(crate) struct PolicyText<'a>(pub(crate) &'a Policy);

impl fmt::Display for PolicyText<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Policy {
			price,
			firm_price,
			longest_range,
			longest_term,
			consumers,
			purposes,
		} = self.0;
		let kinds = [
			(consumers.school, "schools"),
			(consumers.government, "government"),
			(consumers.business, "businesses"),
			(consumers.other, "others"),
			(consumers.unregistered, "unregistered"),
		];
		let named: Vec<&str> = kinds
			.iter()
			.filter(|(on, _)| *on)
			.map(|(_, name)| *name)
			.collect();
		let named = match named.len() == kinds.len() {
			true => "all".to_owned(),
			false => named.join(", "),
		};
		let price = Amount(*price);
		let firm =
			firm_price.map_or_else(String::new, |price| format!(", firm for {}", Amount(price)));
		match *longest_range < LEAVES_PER_EPOCH {
			true => write!(f, "{price} for up to {}", count(*longest_range, "leaf"))?,
			false => write!(f, "{price} for any number of leaves")?,
		}
		let term = count(*longest_term, "block");
		write!(f, " and up to {term}{firm}, for {named}")?;
		match *purposes == PurposeCodes::ALL {
			true => Ok(()),
			false => write!(f, "; purposes: {purposes}"),
		}
	}
}

/// Writes a policy with its text beside its fields.
pub(crate) fn policy_json<S: Serializer>(
	policy: &Option<Policy>,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	#[derive(Serialize)]
	#[serde(rename_all = "camelCase")]
	struct Json {
		firm_price: Option<Amount>,
		longest_range: u64,
		longest_term: BlockNumber,
		price: Amount,
		/// Their codes.
		purposes: Vec<&'static str>,
		words: String,
	}
	let json = policy.as_ref().map(|policy| Json {
		firm_price: policy.firm_price.map(Amount),
		longest_range: policy.longest_range,
		longest_term: policy.longest_term,
		price: Amount(policy.price),
		purposes: policy
			.purposes
			.codes()
			.into_iter()
			.map(PurposeCode::name)
			.collect(),
		words: PolicyText(policy).to_string(),
	});
	json.serialize(serializer)
}

pub(super) async fn set_policy(
	context: &Context,
	identity: &Identity,
	opts: PolicyOpts,
) -> Result<Changed, Error> {
	let (client, dataset) = (&context.client, opts.dataset);
	let best = client.best().await?;
	own(&best, identity.id(), dataset).await?;
	let old = policy(&best, identity.id(), dataset).await?;
	let (call, change) = match (opts.clear, opts.longest_term) {
		(true, _) => {
			let change = format!("removed the policy of dataset {dataset}");
			if old.is_none() {
				return Err(Error::refused(format!("dataset {dataset} has no policy")));
			}
			(client.clear_policy(dataset).await?, change)
		}
		(false, Some(longest_term)) => {
			let policy = Policy {
				price: opts.price,
				firm_price: opts.firm_price,
				longest_range: opts.longest_range,
				longest_term,
				consumers: kinds(&opts.consumers),
				purposes: match opts.purposes.is_empty() {
					true => PurposeCodes::ALL,
					false => opts.purposes.into_iter().collect(),
				},
			};
			let change = format!(
				"policy of dataset {dataset}: {}{}",
				PolicyText(&policy),
				only_if(opts.when.as_ref())
			);
			if old.as_ref() == Some(&(policy, opts.when.clone())) {
				return Ok(Changed {
					block: None,
					change,
				});
			}
			let call = client.set_policy(dataset, policy, opts.when).await?;
			(call, change)
		}
		(false, None) => return Err(Error::usage("missing --longest-term or --clear")),
	};
	let block = Some(context.send(identity, &call).await?.number());
	Ok(Changed { block, change })
}

/// Returns the policy of a dataset, if it has one, and its condition.
async fn policy(
	best: &State,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Option<(Policy, Option<Condition>)>, Error> {
	let datasets = every(|after| best.datasets(owner, after)).await?;
	let entry = datasets.into_iter().find(|entry| entry.id == dataset);
	Ok(entry.and_then(|entry| Some((entry.policy?, entry.condition))))
}
