// SPDX-License-Identifier: Apache-2.0
//! `isthmus trace`: shows who stored, requested and granted what, when, in which block, and for how much.

use crate::{
	context::{with_names, Context},
	dataset::PolicyText,
	error::Error,
	keepers::ListedKeeper,
	options::Options,
	progress::Bar,
	report::{Lines, Output},
	stderr::tell,
	text::{account, bytes, called, end, good_while, only_if, stated, Amount, Called, Key, Range},
};
use isthmus_sdk::{
	trace::{keepers, trace, trace_known, Happening, Subject},
	AccountId, Balance, BlockNumber, Condition, DatasetId, Epoch, Event, GrantId, Leaf, Names,
	RecordKey, RequestId, Text, Truth,
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The node has the history for as long as the bodies of its blocks, whatever states it keeps.
Each event is checked against the header of its block. Without --to, who keeps copies of objects
follows, as the finalized state has it: since when, and the block of the last proof.

Examples:
  isthmus trace record 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty marks-2025.csv
  isthmus trace reader //Charlie --from 1000")]
pub(crate) struct Opts {
	#[command(subcommand)]
	subject: Of,

	/// First block to search [default: the first of which the node has the history]
	#[arg(long, global = true, value_name = "BLOCK")]
	from: Option<BlockNumber>,

	/// Last block to search [default: the last finalized one]
	#[arg(long, global = true, value_name = "BLOCK")]
	to: Option<BlockNumber>,
}

#[derive(clap::Subcommand)]
enum Of {
	/// History of a record, with every request and grant whose range includes it
	Record {
		/// Owner of the record
		#[arg(value_parser = account)]
		owner: AccountId,
		/// Name of the record, or 0x and 64 hexadecimal digits
		#[arg(value_parser = called)]
		name: Called,
	},
	/// History of a dataset
	Dataset {
		/// Owner of the dataset
		#[arg(value_parser = account)]
		owner: AccountId,
		/// Number of the dataset
		dataset: DatasetId,
	},
	/// What a reader requested and was granted
	Reader {
		/// Reader
		#[arg(value_parser = account)]
		account: AccountId,
	},
	/// Everything that an account did or took part in
	Account {
		/// Account
		#[arg(value_parser = account)]
		account: AccountId,
	},
}

/// What the trace shows.
pub(crate) enum Line {
	/// An event.
	Event(Box<EventLine>),
	/// A keeper, as the state of this block has it.
	Kept(BlockNumber, ListedKeeper),
}

impl Serialize for Line {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		match self {
			Self::Event(line) => line.serialize(serializer),
			Self::Kept(block, keeper) => KeptJson {
				block: *block,
				event: "Kept",
				keeper,
				transaction: None,
			}
			.serialize(serializer),
		}
	}
}

/// A keeper in JSON, with the fields that events have, too.
#[derive(Serialize)]
struct KeptJson<'a> {
	block: BlockNumber,
	event: &'static str,
	#[serde(flatten)]
	keeper: &'a ListedKeeper,
	transaction: Option<u32>,
}

impl fmt::Display for Line {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Event(line) => write!(f, "{line}"),
			Self::Kept(block, keeper) => {
				let (account, standing) = (keeper.account(), keeper.standing());
				write!(f, "block {block:<8} {account} {standing}")
			}
		}
	}
}

/// An event in a block. In text, the chunks of a large record are one line.
pub(crate) struct EventLine {
	happening: Happening,
	/// The last of the chunks in a row that the line stands for, and its block.
	last: Option<(u32, BlockNumber)>,
	/// What the record that is traced is called, and its key.
	called: Option<(Called, RecordKey)>,
}

impl Serialize for EventLine {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		let Happening {
			block,
			transaction,
			event,
		} = &self.happening;
		let mut json = event.to_json();
		if let Value::Object(fields) = &mut json {
			fields.insert("block".into(), block.number.into());
			fields.insert("transaction".into(), (*transaction).into());
		}
		json.serialize(serializer)
	}
}

impl fmt::Display for EventLine {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Happening { block, event, .. } = &self.happening;
		write!(f, "block {:<8} ", block.number)?;
		let text = match (event, self.last) {
			(Event::ChunkStored { key, index, .. }, Some((last, until))) => {
				let key = Key(*key);
				format!("{key}: chunks {index} to {last} stored, until block {until}")
			}
			_ => text(event),
		};
		match &self.called {
			Some((called, key)) => f.write_str(&called.in_text(&text, key)),
			None => f.write_str(&text),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Lines<Line>, Error> {
	let context = &Context::connect(options).await?;
	let mut from = opts.from.unwrap_or(1);
	let to = last_block(context, from, opts.to).await?;
	let mut called = None;
	let (subject, happenings) = match opts.subject {
		Of::Record { owner, name } => {
			let mut keys = keys_of(context, &owner, name).await?.into_iter().peekable();
			loop {
				let key = keys.next().unwrap_or(name.shown().0);
				let subject = Subject::Record { owner, key };
				let happenings = search(context, &subject, (opts.from, &mut from), to).await?;
				if !happenings.is_empty() || keys.peek().is_none() {
					called = Some((name, key));
					break (subject, happenings);
				}
			}
		}
		other => {
			let subject = match other {
				Of::Dataset { owner, dataset } => Subject::Dataset { owner, dataset },
				Of::Reader { account } => Subject::Reader(account),
				Of::Account { account } | Of::Record { owner: account, .. } => {
					Subject::Account(account)
				}
			};
			let happenings = search(context, &subject, (opts.from, &mut from), to).await?;
			(subject, happenings)
		}
	};
	if context.output == Output::Text && opts.to.is_none() {
		tell(format_args!(
			"searched up to block {to}, the last finalized one"
		));
	}
	match subject {
		// An account may have done nothing. A record or a dataset exists because something happened.
		_ if to < from => Err(Error::refused(format!(
			"block {from} is not finalized yet: the last finalized one is {to}"
		))),
		Subject::Record { owner, .. } | Subject::Dataset { owner, .. } if happenings.is_empty() => {
			Err(Error::refused(format!("nothing found in blocks {from} to {to}")).hint(format!(
				"list what the owner has: isthmus list records --owner {owner}, isthmus list datasets --owner {owner}"
			)))
		}
		_ => {
			let lines = lines(happenings, called, context.output);
			let lines = lines.into_iter().map(Box::new);
			let mut lines: Vec<_> = lines.map(Line::Event).collect();
			// The state is that of now. A reader owns nothing that is kept.
			if opts.to.is_none() && !matches!(subject, Subject::Reader(_)) {
				let kept = keepers(&context.client, &subject).await;
				let kept = kept.map(|(block, kept)| {
					let kept = kept.into_iter().map(ListedKeeper::from);
					kept.map(|keeper| Line::Kept(block, keeper)).collect()
				});
				let print = |lines: &Lines<Line>| context.output.print(lines);
				lines = with_keepers(lines, kept.map_err(Error::from), print)?;
			}
			if lines.is_empty() {
				tell("nothing found");
			}
			Ok(Lines(lines))
		}
	}
}

/// Adds who keeps copies to a history. If that cannot be shown, the history is printed before the error is returned: its
/// search may have taken long.
fn with_keepers(
	mut history: Vec<Line>,
	kept: Result<Vec<Line>, Error>,
	print: impl FnOnce(&Lines<Line>) -> Result<(), Error>,
) -> Result<Vec<Line>, Error> {
	match kept {
		Ok(kept) => {
			history.extend(kept);
			Ok(history)
		}
		Err(error) => {
			print(&Lines(history))?;
			Err(error.also("the history is whole; only who keeps copies is missing"))
		}
	}
}

/// Returns the events of the blocks up to `to`. If no first block was asked for, and the node has the history only from
/// a later block on, says so and begins there.
async fn search(
	context: &Context,
	subject: &Subject,
	(asked, from): (Option<BlockNumber>, &mut BlockNumber),
	to: BlockNumber,
) -> Result<Vec<Happening>, Error> {
	let client = &context.client;
	if asked.is_some() {
		return Ok(trace(client, subject, *from, to, &mut Bar::new()).await?);
	}
	let (since, happenings) = trace_known(client, subject, to, &mut Bar::new()).await?;
	if since > 1 {
		tell(format_args!(
			"this node has the history from block {since} on"
		));
	}
	*from = since;
	Ok(happenings)
}

/// Returns the keys that the record that an owner calls this may have. A name that the key hides is known to the owner,
/// and to those who may read the record; without a key, the name counts as public.
async fn keys_of(
	context: &Context,
	owner: &AccountId,
	called: Called,
) -> Result<Vec<RecordKey>, Error> {
	let shown = called.shown().0;
	let client = &context.client;
	if called == Called::Key(shown) || !context.has_key() {
		return Ok(vec![shown]);
	}
	let identity = context.identity().await?;
	if identity.id() == owner {
		// The record may have been removed, so it need not be there.
		return Ok(called.keys(&Names::new(client, &identity)));
	}
	let found = with_names(called.find(client, &identity, owner)).await?;
	Ok(vec![found])
}

/// Returns the lines to print: in text, one for all chunks of a record that follow one another.
fn lines(
	happenings: Vec<Happening>,
	called: Option<(Called, RecordKey)>,
	output: Output,
) -> Vec<EventLine> {
	let mut lines: Vec<EventLine> = Vec::new();
	for happening in happenings {
		if let (Output::Text, Some(before)) = (output, lines.last_mut()) {
			if let Some(index) = next_chunk(before, &happening.event) {
				before.last = Some((index, happening.block.number));
				continue;
			}
		}
		lines.push(EventLine {
			happening,
			last: None,
			called,
		});
	}
	lines
}

/// Returns the number of a chunk, if it follows the last chunk of a line.
fn next_chunk(line: &EventLine, event: &Event) -> Option<u32> {
	let Event::ChunkStored {
		owner, key, index, ..
	} = event
	else {
		return None;
	};
	match &line.happening.event {
		Event::ChunkStored {
			owner: o,
			key: k,
			index: first,
			..
		} if (o, k) == (owner, key) => {
			let last = line.last.map_or(*first, |(last, _)| last);
			(last.checked_add(1) == Some(*index)).then_some(*index)
		}
		_ => None,
	}
}

/// Returns the last block to search, which exists and is not before the first.
async fn last_block(
	context: &Context,
	from: BlockNumber,
	to: Option<BlockNumber>,
) -> Result<BlockNumber, Error> {
	if to.is_some_and(|to| to < from) {
		return Err(Error::usage("no block to search: --to is before --from"));
	}
	let best = context.client.best().await?.block().number;
	let last = to.unwrap_or(from).max(from);
	// A chain without blocks has an empty history, which is not an error.
	if last > best.max(1) {
		return Err(Error::refused(format!(
			"no block {last} yet: the best block is {best}"
		)));
	}
	if let Some(to) = to {
		return Ok(to);
	}
	let finalized = context.client.finalized().await?.block().number;
	if from > finalized.max(1) {
		return Err(Error::refused(format!(
			"block {from} is not finalized yet: the last finalized block is {finalized}"
		))
		.hint(format!(
			"to include blocks that may still be reverted: --to {best}"
		)));
	}
	Ok(finalized)
}

/// Returns an event as text.
pub(crate) fn text(event: &Event) -> String {
	use Event::*;
	match event {
		Registered { producer, kind, name } => {
			format!("{producer} registers as a producer ({kind:?}): {name}")
		}
		Deregistered { producer } => format!("{producer} leaves"),
		EncryptionKeySet { account, .. } => format!("{account} registers an encryption key"),
		EncryptionKeyRemoved { account } => format!("{account} removes its encryption key"),
		DatasetCreated { owner, dataset, name } => {
			format!("{owner} creates dataset {dataset}, {name}")
		}
		DatasetRemoved { owner, dataset } => format!("{owner} removes dataset {dataset}"),
		EpochStarted { dataset, epoch, .. } => format!("dataset {dataset}: epoch {epoch} starts"),
		PolicySet { dataset, policy, condition, .. } => {
			format!("dataset {dataset}: policy: {}{}", PolicyText(policy), only_if(condition.as_ref()))
		}
		PolicyCleared { dataset, .. } => format!("dataset {dataset}: policy removed"),
		Stored { owner, key, dataset, epoch, leaf, length, .. } => {
			stored(owner, *key, &bytes((*length).into()), (*dataset, *epoch, *leaf))
		}
		ObjectStored { owner, key, dataset, epoch, leaf, length, .. } => {
			stored(owner, *key, &format!("an object of {}", bytes(*length)), (*dataset, *epoch, *leaf))
		}
		LocationsSet { dataset, locations, .. } => located(*dataset, locations),
		RecordOpened { owner, key, dataset, epoch, leaf, length, chunks, .. } => format!(
			"{owner} starts to store {}, {} in {chunks} chunks, at leaf {leaf} of dataset {dataset}, epoch {epoch}",
			Key(*key),
			bytes(*length)
		),
		ChunkStored { key, index, .. } => format!("{}: chunk {index} stored", Key(*key)),
		RecordCompleted { key, .. } => format!("{} complete", Key(*key)),
		RecordAbandoned { key, arrived, .. } => format!("{} given up after {arrived} chunks", Key(*key)),
		RecordRemoved { key, .. } => format!("{} removed", Key(*key)),
		LeafFreed { dataset, epoch, leaf, .. } => {
			format!("leaf {leaf} of dataset {dataset}, epoch {epoch}, freed")
		}
		DatasetClosed { dataset, closed, .. } => closing(*dataset, *closed),
		AccessRequested { request, consumer, scope, purpose, code, term, offer, firm, .. } => format!(
			"{consumer} asks for {} (request {request}), {term} blocks{}, offers {}: {purpose}{}",
			Range::from(scope),
			if *firm { " firm" } else { "" },
			Amount(*offer),
			stated(*code)
		),
		RequestCancelled { request, consumer, .. } => format!("{consumer} cancels request {request}"),
		RequestRejected { .. } => rejected(event),
		RequestLapsed { request, .. } => format!("request {request} expires without an answer"),
		Authorized { grant, owner, grantee, scope, expiry, until, request, code, paid, condition, controller, .. } => {
			let answers = request.map_or_else(String::new, |id| format!(" upon request {id}{}", stated(*code)));
			format!(
				"{} opens {} to {grantee}{answers}, {}{} (grant {grant}), paid {}",
				for_owner(controller, owner),
				Range::from(scope),
				end(*expiry, *until),
				good_while(condition.as_ref()),
				Amount(*paid)
			)
		}
		Revoked { grant, owner, grantee, refunded, controller, .. } => {
			revoked(*grant, &for_owner(controller, owner), grantee, *refunded)
		}
		Renounced { grant, grantee, .. } => format!("{grantee} gives up grant {grant}"),
		GrantForgotten { grant, grantee, .. } => format!("grant {grant} of {grantee} is removed from the state"),
		GrantExpired { grant, grantee, .. } => format!("grant {grant} of {grantee} expires"),
		GrantSuspended { grant, grantee, truth, .. } => suspended(*grant, grantee, *truth),
		GrantResumed { grant, grantee, .. } => format!("grant {grant} of {grantee} is resumed"),
		WithdrawalSet { request, consumer, condition, .. } => {
			withdrawal(*request, consumer, condition.as_ref())
		}
		OfferReleased { request, valid_until, .. } => {
			format!("request {request} is cancelled by its condition, and ends at block {valid_until}")
		}
		Embargoed { key, condition, .. } => format!("{} is under an embargo until {condition}", Key(*key)),
		EmbargoLifted { key, met, .. } => lifted(*key, *met),
		OfferPaid { .. } | DisputeWon { .. } | DisputeLost { .. } => exchanged(event),
		DatasetOffered { .. } | DatasetOfferWithdrawn { .. } | DatasetAccepted { .. } => handed_over(event),
	}
}

/// Returns how far the handover of a dataset has come.
fn handed_over(event: &Event) -> String {
	use Event::*;
	match event {
		DatasetOffered { dataset, from, to, .. } => {
			format!("{from} offers dataset {dataset} to {to}")
		}
		DatasetOfferWithdrawn { dataset, from, to, .. } => {
			format!("{from} no longer offers dataset {dataset} to {to}")
		}
		DatasetAccepted { owner, dataset, from, to, held, epoch } => format!(
			"{to} takes dataset {dataset} of {owner} over from {from}, from epoch {epoch} on, with deposits of {}",
			Amount(*held)
		),
		_ => String::new(),
	}
}

/// Returns what became of a payment that could be disputed.
fn exchanged(event: &Event) -> String {
	use Event::*;
	match event {
		OfferPaid { grant, owner, grantee, paid, controller, .. } => format!(
			"{} is paid {} by {grantee} for grant {grant}",
			for_owner(controller, owner),
			Amount(*paid)
		),
		DisputeWon { grant, owner, grantee, refunded, slashed, controller, .. } => format!(
			"{grantee} shows that grant {grant} does not open what it paid for, gets {} back, and {} loses {} of its deposit",
			Amount(*refunded),
			for_owner(controller, owner),
			Amount(*slashed)
		),
		DisputeLost { grant, grantee, leaf, .. } => {
			format!("{grantee} disputes grant {grant}, but it opens the record at leaf {leaf}")
		}
		_ => String::new(),
	}
}

/// Returns that a dataset was closed to requests, or opened again.
fn closing(dataset: DatasetId, closed: bool) -> String {
	match closed {
		true => format!("dataset {dataset} takes no more requests"),
		false => format!("dataset {dataset} takes requests again"),
	}
}

/// Returns who acted, was paid or lost something, and for whom if it is not the account in the dataset's address.
fn for_owner(controller: &AccountId, owner: &AccountId) -> String {
	match controller == owner {
		true => owner.to_string(),
		false => format!("{controller}, for {owner},"),
	}
}

/// Returns that a request was rejected, by whom, and why.
fn rejected(event: &Event) -> String {
	match event {
		Event::RequestRejected {
			request,
			owner,
			reason,
			controller,
			..
		} => format!(
			"{} rejects request {request}: {reason}",
			for_owner(controller, owner)
		),
		_ => String::new(),
	}
}

/// Returns that a grant was revoked, and what was paid back.
fn revoked(grant: GrantId, by: &str, reader: &AccountId, refunded: Balance) -> String {
	match refunded {
		0 => format!("{by} revokes grant {grant} of {reader}"),
		refunded => format!(
			"{by} revokes grant {grant} of {reader}, pays {} back",
			Amount(refunded)
		),
	}
}

/// Returns on which condition an offer is taken back.
fn withdrawal(request: RequestId, reader: &AccountId, condition: Option<&Condition>) -> String {
	match condition {
		Some(condition) => {
			format!("{reader} takes the offer of request {request} back when {condition}")
		}
		None => format!("{reader} lets the offer of request {request} stand"),
	}
}

/// Returns that an embargo ended, and why.
fn lifted(key: RecordKey, met: bool) -> String {
	match met {
		true => format!("the embargo on {} ends: its condition is met", Key(key)),
		false => format!("the embargo on {} is lifted", Key(key)),
	}
}

/// Returns that a record was stored, and where.
fn stored(
	owner: &AccountId,
	key: RecordKey,
	what: &str,
	(dataset, epoch, leaf): (DatasetId, Epoch, Leaf),
) -> String {
	format!(
		"{owner} stores {}, {what}, at leaf {leaf} of dataset {dataset}, epoch {epoch}",
		Key(key)
	)
}

/// Returns where a dataset's objects are.
fn located(dataset: DatasetId, locations: &[Text]) -> String {
	let locations: Vec<_> = locations.iter().map(ToString::to_string).collect();
	match locations.is_empty() {
		true => format!("dataset {dataset}: the locations of its objects are withdrawn"),
		false => format!(
			"dataset {dataset}: its objects are at {}",
			locations.join(", ")
		),
	}
}

/// Returns that a grant was suspended, and why.
fn suspended(grant: GrantId, reader: &AccountId, truth: Truth) -> String {
	let why = match truth {
		Truth::Unknown => "a fact that its condition needs is missing",
		_ => "its condition is not met",
	};
	format!("grant {grant} of {reader} is suspended: {why}")
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{BlockId, H256};

	/// A chunk of a record with a short name, stored in a block.
	fn chunk(number: BlockNumber, key: u8, index: u32) -> Happening {
		Happening {
			block: BlockId {
				number,
				hash: H256::zero(),
			},
			transaction: Some(1),
			event: Event::ChunkStored {
				owner: [1; 32].into(),
				key: isthmus_sdk::record_key(&char::from(key).to_string()).unwrap(),
				dataset: 0,
				index,
				content_hash: H256::zero(),
			},
		}
	}

	#[test]
	fn a_history_is_printed_although_the_keepers_cannot_be_proven() {
		let history = || -> Vec<Line> {
			let lines = lines(vec![chunk(1, b'a', 0)], None, Output::Text);
			lines
				.into_iter()
				.map(|line| Line::Event(Box::new(line)))
				.collect()
		};
		let mut printed = String::new();
		let print = |lines: &Lines<Line>| {
			printed = lines.to_string();
			Ok(())
		};
		let failed = with_keepers(history(), Err(Error::refused("not proven")), print);
		let error = failed.err().unwrap();
		assert_eq!(error.kind(), crate::error::Kind::Refused);
		assert_eq!(error.message(), "not proven");
		assert_eq!(printed, "block 1        a: chunk 0 stored");
		// Otherwise, the caller prints it.
		let all = with_keepers(history(), Ok(history()), |_| panic!("printed twice"));
		assert_eq!(all.ok().map(|lines| lines.len()), Some(2));
		// What could not be printed is an error of its own.
		let closed = |_: &Lines<Line>| Err(Error::failed("closed"));
		let failed = with_keepers(history(), Err(Error::refused("not proven")), closed);
		assert_eq!(failed.err().unwrap().message(), "closed");
	}

	#[test]
	fn chunks_in_a_row_are_one_line_of_text() {
		let all = vec![
			chunk(1, b'a', 0),
			chunk(1, b'a', 1),
			chunk(2, b'a', 2),
			chunk(2, b'b', 3),
			chunk(3, b'a', 5),
		];
		assert_eq!(lines(all.clone(), None, Output::Json).len(), 5);
		let text: Vec<String> = lines(all, None, Output::Text)
			.iter()
			.map(EventLine::to_string)
			.collect();
		assert_eq!(
			text,
			[
				"block 1        a: chunks 0 to 2 stored, until block 2",
				"block 2        b: chunk 3 stored",
				"block 3        a: chunk 5 stored",
			]
		);
	}
}
