// SPDX-License-Identifier: Apache-2.0
//! Delta Sharing: owners are shares, datasets are schemas, and tables are folders of Parquet files.
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md>
//!
//! Programs show the token, and get addresses of files that are good without it. The answers are in the protocol's format
//! `parquet`, which all programs read: there is no log of Delta's with deleted rows in it, and no history.

mod address;
pub(crate) mod known;
pub(crate) mod names;
mod tables;

use crate::{
	answer::{text, Answer, Failure},
	bucket,
	credentials::Credentials,
	gateway::Gateway,
	http,
	question::Question,
	source::{File, Place, Source},
	token,
	watch::Watch,
};
use address::Address;
use hyper::{
	header::{HeaderName, HeaderValue, HOST, WWW_AUTHENTICATE},
	Method, StatusCode,
};
use isthmus_sdk::now;
use isthmus_tables::{parquet, schema, Column, Kind};
use known::file_id;
use names::{folded, ROOT};
use ring::digest::{digest, SHA256};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{collections::BTreeMap, sync::Arc};
use tables::{tables, Part, Table, TooMany, MOST_PARTITIONS};

/// Who asks, in the log, if a file is read by its address.
const WHO: &str = "delta-sharing";
const JSON: &str = "application/json; charset=utf-8";
const LINES: &str = "application/x-ndjson; charset=utf-8";
const VERSION: HeaderName = HeaderName::from_static("delta-table-version");
/// The most entries of a page, and the most files that are opened for their numbers of rows.
const MOST: usize = 1000;
/// The most bytes of an answer about a table.
const LONGEST: usize = 64 << 20;

/// Returns the path of a request below the root; `None` if it is not for Delta Sharing.
pub(crate) fn below(path: &str) -> Option<&str> {
	let below = path.strip_prefix(ROOT)?;
	(below.is_empty() || below.starts_with('/')).then_some(below)
}

/// Answers a request.
pub(crate) async fn answer<Files: Source, Log: Watch>(
	gateway: &Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
	token: Option<&str>,
) -> Answer {
	let now = now();
	if let Some(address) = Address::check(asked, gateway.credentials(), now) {
		let checked = gateway.check_origin(asked);
		let answer = match checked.and(address) {
			Ok(address) => file(gateway, asked, address).await,
			Err(failure) => Err(failure),
		};
		return answer.unwrap_or_else(|failure| {
			gateway.refused(None, asked.method, asked.raw, &failure);
			http::refusal(&failure, asked.is_head())
		});
	}
	let mut who = None;
	let answer = match http::check(gateway, asked, token) {
		Ok(()) => {
			who = Some(http::WHO);
			route(gateway, asked, now).await
		}
		Err(failure) => Err(failure),
	};
	answer.unwrap_or_else(|failure| {
		gateway.refused(who, asked.method, asked.raw, &failure);
		refusal(&failure, asked.is_head())
	})
}

/// Makes the answer of a refusal. What the gateway cannot do is the client's error: programs repeat a request that ends with
/// 501.
pub(crate) fn refusal(failure: &Failure, is_head: bool) -> Answer {
	let code = match failure.status {
		_ if failure.code == UNSUPPORTED => UNSUPPORTED,
		StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
		StatusCode::FORBIDDEN => "PERMISSION_DENIED",
		StatusCode::NOT_FOUND => "RESOURCE_DOES_NOT_EXIST",
		StatusCode::SERVICE_UNAVAILABLE => "TEMPORARILY_UNAVAILABLE",
		status if status.is_server_error() => "INTERNAL_ERROR",
		_ => "INVALID_PARAMETER_VALUE",
	};
	let json = json!({ "errorCode": code, "message": failure.words });
	let mut answer = text(failure.status, JSON, format!("{json}\n"), is_head);
	crate::answer::name_reason(&mut answer, &failure.words);
	if failure.status == StatusCode::UNAUTHORIZED {
		let bearer = HeaderValue::from_static("Bearer");
		answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
	}
	answer
}

const UNSUPPORTED: &str = "UNSUPPORTED_OPERATION";

fn unsupported(words: impl Into<String>) -> Failure {
	Failure::new(StatusCode::BAD_REQUEST, UNSUPPORTED, words)
}

impl From<TooMany> for Failure {
	fn from(error: TooMany) -> Self {
		unsupported(error.to_string())
	}
}

fn unknown(words: String) -> Failure {
	Failure::new(StatusCode::NOT_FOUND, "NotFound", words)
}

/// Answers with a file, or a part of it.
async fn file<Files: Source, Log: Watch>(
	gateway: &Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
	address: Address<'_>,
) -> Result<Answer, Failure> {
	if asked.method != Method::GET && asked.method != Method::HEAD {
		return Err(http::only_reads());
	}
	let found = gateway.find(|bucket, _| bucket == address.bucket).await?;
	let place = found.ok_or_else(|| unknown("the dataset is not known any more".to_owned()))?;
	let hash = Some(address.hash);
	gateway.file(WHO, place, address.path, asked, hash).await
}

/// Finds out what is asked for.
async fn route<Files: Source, Log: Watch>(
	gateway: &Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
	now: u64,
) -> Result<Answer, Failure> {
	let path = below(&asked.path).unwrap_or_default();
	let path = path.strip_suffix('/').unwrap_or(path);
	let parts: Vec<&str> = path.split('/').skip(1).collect();
	let is_get = asked.method == Method::GET || asked.is_head();
	let json = |json: Value| {
		Ok(text(
			StatusCode::OK,
			JSON,
			format!("{json}\n"),
			asked.is_head(),
		))
	};
	match &parts[..] {
		["shares"] if is_get => json(shares(gateway, asked).await?),
		["shares", share] if is_get => json(json!({ "share": self::share(gateway, share).await? })),
		["shares", share, "schemas"] if is_get => json(schemas(gateway, asked, share).await?),
		["shares", share, "all-tables"] if is_get => {
			json(all_tables(gateway, asked, share, None).await?)
		}
		["shares", share, "schemas", schema, "tables"] if is_get => {
			json(all_tables(gateway, asked, share, Some(schema)).await?)
		}
		["shares", share, "schemas", schema, "tables", table, rest @ ..] => {
			let names = [*share, *schema, *table];
			match rest {
				// The older way to ask for a version.
				[] if asked.is_head() => version(gateway, asked, names, now).await,
				["version"] if is_get => version(gateway, asked, names, now).await,
				["metadata"] if is_get => metadata(gateway, asked, names, now).await,
				["query"] if asked.method == Method::POST => query(gateway, asked, names, now).await,
				["changes"] => Err(unsupported("the gateway has no history of tables: read the table itself")),
				["temporary-table-credentials"] => Err(unsupported(
					"the gateway gives no credentials of a store: read by the addresses that a query returns",
				)),
				_ => Err(nothing(asked)),
			}
		}
		_ => Err(nothing(asked)),
	}
}

fn nothing(asked: &Question<'_>) -> Failure {
	unknown(format!(
		"Delta Sharing has no {} {}: the address in the profile has to end with {ROOT}",
		asked.method, asked.path
	))
}

/// Returns a page of entries, which are sorted by their names.
fn page(
	credentials: &Credentials,
	asked: &Question<'_>,
	entries: Vec<(String, Value)>,
) -> Result<Value, Failure> {
	let most = match asked.field("maxResults") {
		None | Some("") => MOST,
		Some(most) => match most.parse::<i32>() {
			Ok(most) if most >= 0 => (most as usize).min(MOST),
			_ => {
				return Err(Failure::invalid(
					"maxResults has to be a number, and not negative",
				))
			}
		},
	};
	let list = folded(asked.path.trim_end_matches('/'));
	let after = match asked.field("pageToken") {
		None | Some("") => None,
		Some(shown) => {
			let after = token::read(credentials, &list, shown);
			Some(after.ok_or_else(|| {
				Failure::invalid("the pageToken is not one that the gateway gave for this list")
			})?)
		}
	};
	let is_after = |name: &str| {
		after
			.as_deref()
			.is_none_or(|after| after.is_empty() || name > after)
	};
	let mut rest = entries.into_iter().filter(|(name, _)| is_after(name));
	let (mut items, mut last) = (Vec::new(), after.clone().unwrap_or_default());
	for (name, entry) in rest.by_ref().take(most) {
		items.push(entry);
		last = name;
	}
	Ok(match rest.next() {
		Some(_) => {
			json!({ "items": items, "nextPageToken": token::make(credentials, &list, &last) })
		}
		None => json!({ "items": items }),
	})
}

fn shown_share(place: &Place) -> Value {
	let owner = place.owner().to_string();
	json!({ "name": names::share(place), "id": id(&[&place.owner]), "displayName": owner })
}

/// Returns what tells a file from all others of its table: two files of a packed folder may have the same contents.
fn file_mark(file: &File) -> String {
	let parts = [&file.hash[..], file.path.as_bytes()].concat();
	hex::encode(digest(&SHA256, &parts))
}

/// Makes an id of the form that the protocol recommends.
fn id(parts: &[&[u8]]) -> String {
	let hash = hex::encode(digest(&SHA256, &parts.concat()));
	let part = |range| hash.get(range).unwrap_or_default();
	let [a, b, c, d, e] = [
		part(0..8),
		part(8..12),
		part(12..16),
		part(16..20),
		part(20..32),
	];
	format!("{a}-{b}-{c}-{d}-{e}")
}

/// Lists the owners of whom something may be read.
async fn shares<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
) -> Result<Value, Failure> {
	let datasets = gateway.datasets().await?;
	let open = datasets.iter().filter(|(_, dataset)| dataset.is_open);
	let shares: BTreeMap<_, _> = open
		.map(|(_, dataset)| (names::share(&dataset.place), shown_share(&dataset.place)))
		.collect();
	page(gateway.credentials(), asked, shares.into_iter().collect())
}

/// Returns a share.
async fn share<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	name: &str,
) -> Result<Value, Failure> {
	let is_it = |place: &Place| names::share(place) == folded(name);
	let found = gateway.find(|_, dataset| is_it(&dataset.place)).await?;
	let place = found.ok_or_else(|| {
		unknown(format!(
			"there is no share {name}: the account has no grant of an owner with this name"
		))
	})?;
	Ok(shown_share(&place))
}

/// Lists the datasets of an owner.
async fn schemas<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	name: &str,
) -> Result<Value, Failure> {
	let share = self::share(gateway, name).await?;
	let datasets = gateway.datasets().await?;
	let of_share = datasets
		.iter()
		.map(|(_, dataset)| dataset)
		.filter(|dataset| dataset.is_open && names::share(&dataset.place) == folded(name));
	let shown: BTreeMap<_, _> = of_share
		.map(|dataset| {
			let schema = names::schema(dataset);
			let shown =
				json!({ "name": schema, "share": share["name"], "displayName": dataset.name });
			(folded(&schema), shown)
		})
		.collect();
	page(gateway.credentials(), asked, shown.into_iter().collect())
}

/// Lists the tables of a schema, or of all schemas of a share.
async fn all_tables<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	share: &str,
	schema: Option<&str>,
) -> Result<Value, Failure> {
	let shown = self::share(gateway, share).await?;
	let is_all = schema.is_none();
	let places = match schema {
		Some(schema) => vec![(schema.to_owned(), place(gateway, share, schema).await?)],
		None => {
			let datasets = gateway.datasets().await?.into_iter();
			let open = datasets.filter(|(_, dataset)| {
				dataset.is_open && names::share(&dataset.place) == folded(share)
			});
			open.map(|(_, dataset)| (names::schema(&dataset), dataset.place))
				.collect()
		}
	};
	let mut entries = BTreeMap::new();
	for (schema, place) in places {
		let files = match gateway.patiently(gateway.source().files(place)).await {
			Ok(files) => files,
			// The grant on one of several datasets ended meanwhile.
			Err(failure) if is_all && failure.status == StatusCode::FORBIDDEN => continue,
			Err(failure) => return Err(failure),
		};
		for table in tables(&files)? {
			let entry = json!({
				"name": table.name,
				"schema": schema,
				"share": shown["name"],
				"shareId": shown["id"],
				"id": table_id(&place, &table),
				"accessModes": ["url"],
			});
			entries.insert(folded(&format!("{schema}/{}", table.name)), entry);
		}
	}
	page(gateway.credentials(), asked, entries.into_iter().collect())
}

fn table_id(place: &Place, table: &Table<'_>) -> String {
	id(&[
		&place.owner,
		&place.dataset.to_le_bytes(),
		table.path.as_bytes(),
	])
}

/// Finds the dataset that is a schema.
async fn place<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	share: &str,
	schema: &str,
) -> Result<Place, Failure> {
	self::share(gateway, share).await?;
	let (of, name) = (folded(share), folded(schema));
	let found = gateway.find(|_, dataset| {
		names::share(&dataset.place) == of && folded(&names::schema(dataset)) == name
	});
	found
		.await?
		.ok_or_else(|| unknown(format!("there is no schema {schema} in the share {share}")))
}

/// The lines of an answer.
#[derive(Default)]
struct Written(String);

impl Written {
	/// Adds a line, unless the answer would become too long.
	fn add(&mut self, line: &Value) -> Result<(), Failure> {
		let line = format!("{line}\n");
		if self.0.len() + line.len() > LONGEST {
			return Err(unsupported(format!(
				"the answer would be longer than {LONGEST} bytes: ask with a limit, or read the files by S3's protocol"
			)));
		}
		self.0.push_str(&line);
		Ok(())
	}
}

/// A table that is asked for.
struct Found {
	place: Place,
	table: Table<'static>,
	version: u64,
}

/// Finds a table, by the names of its share, its schema and itself.
async fn find<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	[share, schema, name]: [&str; 3],
	now: u64,
) -> Result<Found, Failure> {
	let place = self::place(gateway, share, schema).await?;
	let files = gateway.patiently(gateway.source().files(place)).await?;
	let mut tables = tables(&files)?.into_iter();
	let table = tables.find(|table| folded(&table.name) == folded(name)).ok_or_else(|| {
		unknown(format!("there is no table {name} in the schema {schema}: a table is a Parquet file, or a folder of them with at most {MOST_PARTITIONS} columns in the names of folders"))
	})?;
	let table = table.taken()?;
	let version = gateway.sharing().version(place, &table, now);
	Ok(Found {
		place,
		table,
		version,
	})
}

impl Found {
	/// Refuses to answer for another version than the one that is there.
	fn check(&self, version: Option<&str>, timestamp: Option<&str>) -> Result<(), Failure> {
		match version {
			Some(version) if version != self.version.to_string() => Err(unsupported(format!(
				"the gateway has no history of tables: there is only version {}",
				self.version
			))),
			_ if timestamp.is_some() => Err(unsupported(
				"the gateway has no history of tables: ask without a timestamp",
			)),
			_ => Ok(()),
		}
	}

	/// Makes an answer about the table.
	fn answer(&self, asked: &Question<'_>, lines: Written) -> Answer {
		let mut answer = text(StatusCode::OK, LINES, lines.0, asked.is_head());
		answer
			.headers_mut()
			.insert(VERSION, HeaderValue::from(self.version));
		answer
	}

	/// Makes the lines with which each description of the table begins.
	async fn head<Files: Source, Log: Watch>(
		&self,
		gateway: &Gateway<Files, Log>,
	) -> Result<Written, Failure> {
		let Self { place, table, .. } = self;
		let none = || unknown(format!("the table {} has no files", table.name));
		let newest = table.newest().ok_or_else(none)?;
		let described = describe(gateway, *place, newest).await?;
		let mut columns = described.columns.clone();
		for name in &table.partitions {
			if columns
				.iter()
				.all(|column| folded(&column.name) != folded(name))
			{
				columns.push(Column {
					name: name.clone(),
					kind: Kind::String,
					nullable: true,
				});
			}
		}
		let sizes = table.parts.iter().map(|part| part.file.length);
		let metadata = json!({
			"id": table_id(place, table),
			"name": table.name,
			"description": table.path,
			"format": { "provider": "parquet" },
			"schemaString": schema(&columns).to_string(),
			"partitionColumns": table.partitions,
			"accessModes": ["url"],
			"size": sizes.fold(0, u64::saturating_add),
			"numFiles": table.parts.len(),
		});
		let mut lines = Written::default();
		lines.add(&json!({ "protocol": { "minReaderVersion": 1 } }))?;
		lines.add(&json!({ "metaData": metadata }))?;
		Ok(lines)
	}

	/// Makes the line of a file.
	fn line(&self, part: &Part<'_>, origin: &Origin<'_>, rows: Option<u64>) -> Value {
		let file = &part.file;
		let address = Address::new(&origin.bucket, &file.path, file.hash, origin.now);
		let missing = |name: &String| (name.clone(), String::new());
		let mut partitions: BTreeMap<_, _> = self.table.partitions.iter().map(missing).collect();
		partitions.extend(part.values());
		let mut line = json!({
			"url": address.url(&origin.url, origin.credentials),
			"id": file_mark(file),
			"partitionValues": partitions,
			"size": file.length,
			"expirationTimestamp": address.expires.saturating_mul(1000),
		});
		if let Some(rows) = rows {
			line["stats"] = json!({ "numRecords": rows }).to_string().into();
		}
		json!({ "file": line })
	}
}

/// Where the addresses of a table's files lead to.
struct Origin<'a> {
	url: String,
	bucket: String,
	credentials: &'a crate::Credentials,
	now: u64,
}

async fn version<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	names: [&str; 3],
	now: u64,
) -> Result<Answer, Failure> {
	let found = find(gateway, names, now).await?;
	found.check(None, asked.field("startingTimestamp"))?;
	Ok(found.answer(asked, Written::default()))
}

async fn metadata<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	names: [&str; 3],
	now: u64,
) -> Result<Answer, Failure> {
	let found = find(gateway, names, now).await?;
	found.check(asked.field("version"), asked.field("timestamp"))?;
	Ok(found.answer(asked, found.head(gateway).await?))
}

/// What a query asks for. Hints about values are not used: programs filter what they read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
	limit_hint: Option<u64>,
	version: Option<u64>,
	timestamp: Option<String>,
	starting_version: Option<u64>,
}

/// Answers with the columns and the files of a table. With a limit, these are the first files that have enough rows: the
/// limit is a hint, so those whose numbers of rows are not looked up are returned, too.
async fn query<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	names: [&str; 3],
	now: u64,
) -> Result<Answer, Failure> {
	let wanted = match asked.content {
		[] => Wanted::default(),
		content => serde_json::from_slice(content)
			.map_err(|error| Failure::invalid(format!("the query cannot be read: {error}")))?,
	};
	let found = find(gateway, names, now).await?;
	if wanted.starting_version.is_some() {
		return Err(unsupported(
			"the gateway has no history of tables: ask without startingVersion",
		));
	}
	let version = wanted.version.map(|version| version.to_string());
	found.check(version.as_deref(), wanted.timestamp.as_deref())?;
	let origin = Origin {
		url: origin(asked)?,
		bucket: bucket::name(&found.place),
		credentials: gateway.credentials(),
		now,
	};
	let mut lines = found.head(gateway).await?;
	let mut rows = 0_u64;
	for (number, part) in found.table.parts.iter().enumerate() {
		let described = match wanted.limit_hint {
			Some(limit) if rows >= limit => break,
			Some(_) if number < MOST => Some(describe(gateway, found.place, &part.file).await?),
			_ => gateway
				.sharing()
				.described
				.get(&file_id(found.place, &part.file)),
		};
		let count = described.map(|described| described.rows);
		rows = rows.saturating_add(count.unwrap_or_default());
		lines.add(&found.line(part, &origin, count))?;
	}
	Ok(found.answer(asked, lines))
}

/// Returns where the program asked, so that it finds the files there, too. The host was checked to be one of the gateway's.
fn origin(asked: &Question<'_>) -> Result<String, Failure> {
	let host = asked
		.header(HOST)
		.ok_or_else(|| Failure::invalid("the request names no host"))?;
	let proxy = asked.header(HeaderName::from_static("x-forwarded-proto"));
	let scheme = if proxy == Some("https") {
		"https"
	} else {
		"http"
	};
	Ok(format!("{scheme}://{host}"))
}

/// Returns what a file says about itself.
async fn describe<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	place: Place,
	file: &File,
) -> Result<Arc<parquet::Table>, Failure> {
	let id = file_id(place, file);
	if let Some(known) = gateway.sharing().described.get(&id) {
		return Ok(known);
	}
	let opened = gateway
		.patiently(gateway.source().open(place, &file.path))
		.await?;
	let length = opened.file.length;
	let bad = |error: parquet::ParquetError| {
		Failure::invalid(format!("{} cannot be read as a table: {error}", file.path))
	};
	let tail = gateway
		.part(&opened, length.saturating_sub(parquet::TAIL)..length)
		.await?;
	let tail = tail
		.try_into()
		.map_err(|_| bad(parquet::ParquetError::Foreign))?;
	let range = parquet::description(length, tail).map_err(bad)?;
	let description = gateway.part(&opened, range).await?;
	let table = Arc::new(parquet::read(&description).map_err(bad)?);
	Ok(gateway
		.sharing()
		.described
		.keep(file_id(place, &opened.file), table))
}

#[cfg(test)]
mod tests;
