// SPDX-License-Identifier: Apache-2.0
//! What `isthmus facts` lists and evaluates. All of it is proven in the finalized state.

use crate::{
	context::Context,
	error::Error,
	report::Lines,
	stderr::tell,
	text::{count, date},
};
use isthmus_sdk::{
	conditions::{Age, Condition, Name, Truth, Value},
	facts::{Subject, Tested},
	to_hex, AccountId, BlockNumber, Seconds,
};
use serde::Serialize;
use std::fmt;

/// Describes what the owner of a source decides.
pub(super) fn terms(quorum: u32, reporters: usize, fresh: u32) -> String {
	let accounts = count(reporters as u64, "account");
	format!("{quorum} of {accounts}, reports count for {}", Age(fresh))
}

/// A source.
#[derive(Serialize)]
pub(super) struct Source {
	fresh: u32,
	owner: AccountId,
	quorum: u32,
	reporters: Vec<AccountId>,
	source: String,
}

impl fmt::Display for Source {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			fresh,
			owner,
			quorum,
			reporters,
			source,
		} = self;
		writeln!(f, "{source} of {owner}")?;
		match reporters.len() {
			0 => write!(f, "  closed"),
			count => write!(f, "  {}", terms(*quorum, count, *fresh)),
		}
	}
}

/// The fact of a source about a topic, and the reports that it comes from.
#[derive(Serialize)]
pub(super) struct Fact {
	block: BlockNumber,
	fact: Option<String>,
	reports: Vec<Report>,
	source: String,
	topic: String,
}

/// A report.
#[derive(Serialize)]
struct Report {
	counts: bool,
	observed: Seconds,
	reporter: AccountId,
	response: String,
	value: String,
}

impl fmt::Display for Fact {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let fact = self.fact.as_deref().unwrap_or("missing");
		write!(f, "{}: {fact}", self.topic)?;
		for Report {
			counts,
			observed,
			reporter,
			value,
			..
		} in &self.reports
		{
			write!(f, "\n  {value} by {reporter}, {}", date(*observed))?;
			if !counts {
				f.write_str(", does not count")?;
			}
		}
		Ok(())
	}
}

/// A credential.
#[derive(Serialize)]
pub(super) struct Credential {
	issuer: AccountId,
	kind: String,
	until: Seconds,
	valid: bool,
}

impl fmt::Display for Credential {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			issuer,
			kind,
			until,
			valid,
		} = self;
		let until = date(*until);
		match valid {
			true => write!(f, "{kind} by {issuer}, until {until}"),
			false => write!(f, "{kind} by {issuer}, ended {until}"),
		}
	}
}

/// What a condition amounts to.
#[derive(Serialize)]
pub(super) struct Evaluated {
	block: BlockNumber,
	condition: String,
	met: bool,
	tests: Vec<Test>,
	truth: &'static str,
}

/// What a test of a condition amounts to.
#[derive(Serialize)]
struct Test {
	fact: Option<String>,
	test: String,
	truth: &'static str,
}

impl fmt::Display for Evaluated {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{} after block {}", self.truth, self.block)?;
		for Test { fact, test, truth } in &self.tests {
			write!(f, "\n  {test}: {truth}")?;
			if let Some(fact) = fact {
				write!(f, " (the fact is {fact})")?;
			}
		}
		Ok(())
	}
}

pub(super) async fn sources(context: &Context) -> Result<Lines<Source>, Error> {
	let sources = context.client.proven().await?.sources().await?;
	if sources.is_empty() {
		tell("no sources");
	}
	let listed = sources.into_iter().map(|(name, source)| Source {
		fresh: source.fresh,
		owner: source.owner,
		quorum: source.quorum,
		reporters: source.reporters,
		source: name.to_string(),
	});
	Ok(Lines(listed.collect()))
}

pub(super) async fn facts(context: &Context, name: &Name) -> Result<Lines<Fact>, Error> {
	let proven = context.client.proven().await?;
	let Some(source) = proven.source(name).await? else {
		let block = proven.block().number;
		return Err(
			Error::refused(format!("no source is called {name} in block {block}"))
				.hint("list the sources: isthmus facts list"),
		);
	};
	let now = proven.time().await?;
	let topics = proven.reports_for(name).await?;
	if topics.is_empty() {
		tell("no reports");
	}
	let listed = topics.into_iter().map(|(topic, reports)| Fact {
		block: proven.block().number,
		fact: source
			.fact(&reports, now, None)
			.map(|fact| fact.to_string()),
		reports: reports
			.iter()
			.map(|report| Report {
				counts: source.counts(report, now, None),
				observed: report.observed,
				reporter: report.reporter,
				response: to_hex(&report.response),
				value: report.value.to_string(),
			})
			.collect(),
		source: name.to_string(),
		topic: topic.to_string(),
	});
	Ok(Lines(listed.collect()))
}

pub(super) async fn credentials(
	context: &Context,
	account: &AccountId,
) -> Result<Lines<Credential>, Error> {
	let proven = context.client.proven().await?;
	let credentials = proven.credentials_of(account).await?;
	if credentials.is_empty() {
		tell("no credentials");
	}
	let now = proven.time().await?;
	let listed = credentials
		.into_iter()
		.map(|((issuer, kind), credential)| Credential {
			issuer,
			kind: kind.to_string(),
			until: credential.until,
			valid: credential.is_valid_at(now),
		});
	Ok(Lines(listed.collect()))
}

pub(super) async fn evaluate(
	context: &Context,
	condition: &Condition,
	subject: &Subject,
) -> Result<Evaluated, Error> {
	let proven = context.client.proven().await?;
	let evaluation = proven.evaluate(condition, subject).await?;
	let tests = evaluation
		.tests
		.into_iter()
		.map(|Tested { test, truth, fact }| Test {
			fact: fact.as_ref().map(Value::to_string),
			test: test.to_string(),
			truth: word(truth),
		});
	Ok(Evaluated {
		block: proven.block().number,
		condition: condition.to_string(),
		met: evaluation.truth.is_met(),
		tests: tests.collect(),
		truth: word(evaluation.truth),
	})
}

fn word(truth: Truth) -> &'static str {
	match truth {
		Truth::False => "false",
		Truth::Unknown => "unknown",
		Truth::True => "true",
	}
}
