// SPDX-License-Identifier: Apache-2.0
//! Plain HTTP: `GET /OWNER/DATASET/PATH` with a token, for programs that do not speak S3.

use crate::{
	answer::{name_reason, text, Answer, Failure},
	gateway::Gateway,
	question::Question,
	source::{Dataset, File, Source},
	watch::Watch,
};
use hyper::{
	header::{HeaderValue, CONTENT_RANGE, WWW_AUTHENTICATE},
	Method, StatusCode,
};
use isthmus_sdk::{AccountId, DatasetId};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::sync::Arc;

/// Who asks, in the log.
pub(crate) const WHO: &str = "token";
const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// A dataset in a list.
#[derive(Serialize)]
struct ShownDataset {
	bucket: String,
	dataset: DatasetId,
	name: String,
	owner: AccountId,
}

/// A file in a list.
#[derive(Serialize)]
struct ShownFile<'a> {
	path: &'a str,
	size: u64,
}

/// Answers a request.
pub(crate) async fn answer<Files: Source, Log: Watch>(
	gateway: &Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
	token: Option<&str>,
) -> Answer {
	let mut who = None;
	let answer = match check(gateway, asked, token) {
		Ok(()) => {
			who = Some(WHO);
			route(gateway, asked).await
		}
		Err(failure) => Err(failure),
	};
	answer.unwrap_or_else(|failure| {
		gateway.refused(who, asked.method, asked.raw, &failure);
		refusal(&failure, asked.is_head())
	})
}

pub(crate) fn refusal(failure: &Failure, is_head: bool) -> Answer {
	let mut answer = text(
		failure.status,
		TEXT,
		format!("{}\n", failure.words),
		is_head,
	);
	name_reason(&mut answer, &failure.words);
	let headers = answer.headers_mut();
	if failure.status == StatusCode::UNAUTHORIZED {
		headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
	}
	if let Some(length) = failure.length {
		if let Ok(range) = HeaderValue::from_str(&format!("bytes */{length}")) {
			headers.insert(CONTENT_RANGE, range);
		}
	}
	answer
}

/// Checks that a request comes from a program of the user's, and shows the token.
pub(crate) fn check<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	token: Option<&str>,
) -> Result<(), Failure> {
	gateway.check_origin(asked)?;
	let refused = |words| Failure::new(StatusCode::UNAUTHORIZED, "Unauthorized", words);
	match token {
		Some(token) if gateway.credentials().is_token(token) => Ok(()),
		Some(_) => Err(refused("the token is wrong: see the file that the gateway names when it starts")),
		None => Err(refused(
			"this needs the gateway's token, in the header `Authorization: Bearer TOKEN`, or a signature of S3",
		)),
	}
}

/// Refuses to write.
pub(crate) fn only_reads() -> Failure {
	let words = "the gateway only reads: data is stored with `isthmus store`";
	Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", words)
}

/// Finds out what is asked for: the datasets, the files of one (a path that ends with `/`), or a file.
async fn route<Files: Source, Log: Watch>(
	gateway: &Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
) -> Result<Answer, Failure> {
	if asked.method != Method::GET && asked.method != Method::HEAD {
		return Err(only_reads());
	}
	let json = |json: serde_json::Result<String>| {
		let failed = |error: serde_json::Error| {
			Failure::new(
				StatusCode::INTERNAL_SERVER_ERROR,
				"InternalError",
				error.to_string(),
			)
		};
		let json = json.map_err(failed)?;
		Ok(text(
			StatusCode::OK,
			JSON,
			format!("{json}\n"),
			asked.is_head(),
		))
	};
	// The name of a dataset may contain a slash, which is then written as %2F: each part is decoded on its own.
	let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
	let raw = asked.raw.strip_prefix('/').unwrap_or(asked.raw);
	if raw.is_empty() {
		let datasets = gateway.datasets().await?.into_iter();
		let open = datasets.filter(|(_, dataset)| dataset.is_open);
		let shown = open.map(|(bucket, dataset)| ShownDataset {
			bucket,
			dataset: dataset.place.dataset,
			name: dataset.name,
			owner: dataset.place.owner(),
		});
		return json(serde_json::to_string(&shown.collect::<Vec<_>>()));
	}
	let (owner, rest) = raw.split_once('/').unwrap_or((raw, ""));
	let (dataset, path) = rest.split_once('/').unwrap_or((rest, ""));
	let (dataset, path) = (decode(dataset), decode(path));
	let known = match isthmus_sdk::parse_account(&decode(owner)) {
		Ok(owner) => {
			let is_of = |known: &Dataset| known.place.owner == owner.0;
			let by_number = |_: &str, known: &Dataset| {
				is_of(known) && known.place.dataset.to_string() == dataset
			};
			let by_name = |_: &str, known: &Dataset| is_of(known) && known.name == dataset;
			match gateway.find(by_number).await? {
				None => gateway.find(by_name).await?,
				found => found,
			}
		}
		Err(_) => None,
	};
	let place = known.ok_or_else(|| {
		let words = "expected /OWNER/DATASET/PATH, with an owner and a dataset of which the account has a grant";
		Failure::new(StatusCode::NOT_FOUND, "NoSuchBucket", words)
	})?;
	if path.is_empty() || path.ends_with('/') {
		let files = gateway.patiently(gateway.source().files(place)).await?;
		let inside = files.iter().filter(|file| file.path.starts_with(&path));
		let shown = inside.map(|File { path, length, .. }| ShownFile {
			path,
			size: *length,
		});
		return json(serde_json::to_string(&shown.collect::<Vec<_>>()));
	}
	gateway.file(WHO, place, &path, asked, None).await
}
