// SPDX-License-Identifier: Apache-2.0
//! Checks signatures of version 4, as S3's programs make them: in the header `Authorization`, or in the query of an
//! address that was signed beforehand.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use crate::credentials::Credentials;
use hyper::HeaderMap;
use jiff::{civil::DateTime, tz::TimeZone};
use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};
use ring::{digest, hmac};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What is said of a signature that programs make if nothing else is set.
const VERSION_2: &str =
	"it is of version 2, and only version 4 is known: set signature_version to s3v4";
/// How many seconds a program's clock may differ.
const SKEW: i64 = 15 * 60;
/// The longest time for which an address may be signed, in seconds: a week.
const LONGEST: i64 = 7 * 86_400;
/// What stands for the hash of a request's content in an address that is signed beforehand.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What is encoded in the query of a signed request: all but RFC 3986's unreserved characters.
const QUERY: AsciiSet = NON_ALPHANUMERIC
	.remove(b'-')
	.remove(b'.')
	.remove(b'_')
	.remove(b'~');
/// What is encoded in its path.
pub(crate) const PATH: AsciiSet = QUERY.remove(b'/');

/// A request, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
	pub(crate) method: &'a str,
	/// The path, decoded.
	pub(crate) path: &'a str,
	/// The query, decoded.
	pub(crate) query: &'a [(String, String)],
	pub(crate) headers: &'a HeaderMap,
}

/// Why a request is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
	#[error("the request is not signed")]
	Missing,
	#[error("the signature cannot be read: {0}")]
	Malformed(&'static str),
	#[error("the access key is not the gateway's: see the file that it names when it starts")]
	UnknownKey,
	#[error("the request was signed more than 15 minutes ago or ahead: check the clock")]
	Skewed,
	#[error("the signed address has expired")]
	Expired,
	#[error("the signature is wrong: check the secret access key, and that no proxy changes the request")]
	Wrong,
}

use SignatureError::Malformed;

/// A signature with its fields.
struct Signature<'a> {
	key: &'a str,
	/// `DATE/REGION/SERVICE/aws4_request`.
	scope: &'a str,
	headers: &'a str,
	signature: &'a str,
	date: &'a str,
	/// For how many seconds it is good, in an address that was signed beforehand.
	expires: Option<i64>,
	content: &'a str,
}

/// Checks that a request is signed with the secret of the gateway's access key. Returns the key.
pub(crate) fn check<'a>(
	request: Signed<'a>,
	credentials: &Credentials,
	now: i64,
) -> Result<&'a str, SignatureError> {
	let signature = match request.headers.get(hyper::header::AUTHORIZATION) {
		Some(header) => {
			let header = header.to_str().map_err(|_| Malformed("it is not text"))?;
			in_header(request, header)?
		}
		None => in_query(request)?,
	};
	let mut scope = signature.scope.split('/');
	let [day, _, service, end] = std::array::from_fn(|_| scope.next().unwrap_or_default());
	if (service, end, scope.next()) != ("s3", "aws4_request", None) {
		return Err(Malformed("it is not for the service s3"));
	}
	let date = seconds(signature.date).ok_or(Malformed("its date is not YYYYMMDDTHHMMSSZ"))?;
	if !signature.date.starts_with(day) || day.len() != 8 {
		return Err(Malformed("it is of another day than its date"));
	}
	match signature.expires {
		None if now.abs_diff(date) > SKEW.unsigned_abs() => return Err(SignatureError::Skewed),
		Some(_) if date > now.saturating_add(SKEW) => return Err(SignatureError::Skewed),
		Some(expires) if now > date.saturating_add(expires) => return Err(SignatureError::Expired),
		_ => {}
	}
	let secret = credentials.secret_of(signature.key);
	let secret = secret.ok_or(SignatureError::UnknownKey)?;
	let mut claimed = [0; 32];
	hex::decode_to_slice(signature.signature, &mut claimed)
		.map_err(|_| Malformed("it is not of 64 hexadecimal digits"))?;
	let to_sign = to_sign(request, &signature)?;
	let key = key(secret, signature.scope);
	hmac::verify(&key, to_sign.as_bytes(), &claimed).map_err(|_| SignatureError::Wrong)?;
	Ok(signature.key)
}

/// Returns the text that is signed.
fn to_sign(request: Signed<'_>, signature: &Signature<'_>) -> Result<String, SignatureError> {
	let canonical = canonical(request, signature)?;
	let hash = hex::encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
	let Signature { date, scope, .. } = signature;
	Ok(format!("{ALGORITHM}\n{date}\n{scope}\n{hash}"))
}

/// Derives the key for a scope from a secret.
fn key(secret: &str, scope: &str) -> hmac::Key {
	let first = format!("AWS4{secret}").into_bytes();
	let key = scope
		.split('/')
		.fold(first, |key, part| mac(&key, part.as_bytes()));
	hmac::Key::new(hmac::HMAC_SHA256, &key)
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
	let key = hmac::Key::new(hmac::HMAC_SHA256, key);
	hmac::sign(&key, message).as_ref().to_vec()
}

/// Reads `Authorization: AWS4-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…`.
fn in_header<'a>(request: Signed<'a>, header: &'a str) -> Result<Signature<'a>, SignatureError> {
	let rest = header.strip_prefix(ALGORITHM);
	let rest = rest.ok_or(Malformed(match header.starts_with("AWS ") {
		true => VERSION_2,
		false => "only AWS4-HMAC-SHA256 is known",
	}))?;
	let field = |name: &str| {
		let mut fields = rest
			.split(',')
			.filter_map(|field| field.trim().split_once('='));
		let found = fields.find(|(key, _)| *key == name);
		found.map(|(_, value)| value)
	};
	let lacks = Malformed("it lacks Credential, SignedHeaders or Signature");
	let (key, scope) = field("Credential")
		.and_then(|credential| credential.split_once('/'))
		.ok_or(lacks.clone())?;
	let header = |name| {
		request
			.headers
			.get(name)
			.and_then(|value| value.to_str().ok())
	};
	let content = header("x-amz-content-sha256");
	Ok(Signature {
		key,
		scope,
		headers: field("SignedHeaders").ok_or(lacks.clone())?,
		signature: field("Signature").ok_or(lacks)?,
		date: header("x-amz-date").ok_or(Malformed("the header x-amz-date is missing"))?,
		expires: None,
		content: content.ok_or(Malformed("the header x-amz-content-sha256 is missing"))?,
	})
}

/// Reads the query of an address that was signed beforehand.
fn in_query(request: Signed<'_>) -> Result<Signature<'_>, SignatureError> {
	let field = |name: &str| {
		let mut fields = request.query.iter();
		let found = fields.find(|(key, _)| key == name);
		found.map(|(_, value)| value.as_str())
	};
	let lacks = Malformed(
		"the address lacks X-Amz-Credential, -Date, -Expires, -SignedHeaders or -Signature",
	);
	match field("X-Amz-Algorithm") {
		None if field("AWSAccessKeyId").is_some() && field("Signature").is_some() => {
			return Err(Malformed(VERSION_2))
		}
		None => return Err(SignatureError::Missing),
		Some(ALGORITHM) => {}
		Some(_) => return Err(Malformed("only AWS4-HMAC-SHA256 is known")),
	}
	let (key, scope) = field("X-Amz-Credential")
		.and_then(|credential| credential.split_once('/'))
		.ok_or(lacks.clone())?;
	let expires = field("X-Amz-Expires").and_then(|text| text.parse().ok());
	let expires = expires.filter(|expires| (1..=LONGEST).contains(expires));
	Ok(Signature {
		key,
		scope,
		headers: field("X-Amz-SignedHeaders").ok_or(lacks.clone())?,
		signature: field("X-Amz-Signature").ok_or(lacks.clone())?,
		date: field("X-Amz-Date").ok_or(lacks)?,
		expires: Some(expires.ok_or(Malformed(
			"X-Amz-Expires has to be from 1 to 604800 seconds",
		))?),
		content: UNSIGNED,
	})
}

/// Returns the request in the form that is signed.
fn canonical(request: Signed<'_>, signature: &Signature<'_>) -> Result<String, SignatureError> {
	let encode = |text: &str| utf8_percent_encode(text, &QUERY).to_string();
	let pairs = request
		.query
		.iter()
		.filter(|(name, _)| name != "X-Amz-Signature");
	let mut pairs: Vec<_> = pairs
		.map(|(name, value)| (encode(name), encode(value)))
		.collect();
	pairs.sort();
	let pairs: Vec<_> = pairs
		.iter()
		.map(|(name, value)| format!("{name}={value}"))
		.collect();
	let mut headers = String::new();
	let mut has_host = false;
	for name in signature.headers.split(';') {
		has_host |= name == "host";
		let values = request.headers.get_all(name).iter();
		let values: Result<Vec<_>, _> = values
			.map(|value| {
				let words = value.to_str()?.split_ascii_whitespace();
				Ok::<_, hyper::header::ToStrError>(words.collect::<Vec<_>>().join(" "))
			})
			.collect();
		let values = values.map_err(|_| Malformed("a signed header is not text"))?;
		headers.push_str(&format!("{name}:{}\n", values.join(",")));
	}
	if !has_host {
		return Err(Malformed("the header Host is not signed"));
	}
	Ok([
		request.method,
		&utf8_percent_encode(request.path, &PATH).to_string(),
		&pairs.join("&"),
		&headers,
		signature.headers,
		signature.content,
	]
	.join("\n"))
}

/// Reads a date, in seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
	let date = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
	Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Signs the query of a request for tests, with the host `127.0.0.1`, now.
#[cfg(test)]
pub(crate) fn sign(
	method: &str,
	path: &str,
	query: &[(&str, &str)],
	credentials: &Credentials,
) -> String {
	let now = jiff::Timestamp::now();
	let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
	let scope = now.strftime("%Y%m%d/eu-west-1/s3/aws4_request").to_string();
	let key_id = credentials.key();
	let credential = format!("{key_id}/{scope}");
	let own = [
		("X-Amz-Algorithm", ALGORITHM),
		("X-Amz-Credential", &credential),
		("X-Amz-Date", &date),
		("X-Amz-Expires", "60"),
		("X-Amz-SignedHeaders", "host"),
	];
	let pairs = query.iter().chain(&own);
	let query: Vec<_> = pairs
		.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
		.collect();
	let host = hyper::header::HeaderValue::from_static("127.0.0.1");
	let headers = HeaderMap::from_iter([(hyper::header::HOST, host)]);
	let (query, headers) = (&query[..], &headers);
	let request = Signed {
		method,
		path,
		query,
		headers,
	};
	let signature = Signature {
		key: key_id,
		scope: &scope,
		headers: "host",
		signature: "",
		date: &date,
		expires: Some(60),
		content: UNSIGNED,
	};
	let to_sign = to_sign(request, &signature).unwrap();
	let secret = credentials.secret_of(key_id).unwrap();
	let made = hex::encode(hmac::sign(&key(secret, &scope), to_sign.as_bytes()));
	let encode = |text: &str| utf8_percent_encode(text, &QUERY).to_string();
	let pairs = query
		.iter()
		.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
	format!(
		"{}&X-Amz-Signature={made}",
		pairs.collect::<Vec<_>>().join("&")
	)
}

#[cfg(test)]
mod tests {
	use super::*;
	use hyper::header::{HeaderName, HeaderValue};

	/// The examples of
	/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html> and of the page about queries.
	const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
	const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
	const DATE: &str = "20130524T000000Z";
	const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
	const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	fn credentials() -> Credentials {
		let token = "x".repeat(20);
		Credentials::new(KEY.into(), SECRET.into(), token).unwrap()
	}

	fn now() -> i64 {
		seconds(DATE).unwrap()
	}

	fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
		let pair = |(name, value): &(&'static str, &str)| {
			let value = HeaderValue::from_str(value).unwrap();
			(HeaderName::from_static(name), value)
		};
		pairs.iter().map(pair).collect()
	}

	fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
		let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
		pairs.iter().map(pair).collect()
	}

	fn signed(names: &str, signature: &str) -> String {
		format!("{ALGORITHM} Credential={KEY}/{SCOPE},SignedHeaders={names},Signature={signature}")
	}

	/// Checks a request with signed headers.
	fn checked(
		path: &str,
		query: &[(String, String)],
		more: &[(&'static str, &str)],
		authorization: &str,
		now: i64,
	) -> Result<(), SignatureError> {
		let host = "examplebucket.s3.amazonaws.com";
		let own = [
			("host", host),
			("x-amz-content-sha256", EMPTY),
			("x-amz-date", DATE),
			("authorization", authorization),
		];
		let headers = headers(&[&own[..], more].concat());
		let (method, headers) = ("GET", &headers);
		let request = Signed {
			method,
			path,
			query,
			headers,
		};
		check(request, &credentials(), now).map(|key| assert_eq!(key, KEY))
	}

	#[test]
	fn the_examples_of_aws_are_accepted_and_nothing_else() {
		let names = "host;range;x-amz-content-sha256;x-amz-date";
		let right = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
		let get = |path: &str, range, signature: &str, now| {
			let signed = signed(names, signature);
			checked(path, &[], &[("range", range)], &signed, now)
		};
		assert_eq!(get("/test.txt", "bytes=0-9", right, now()), Ok(()));
		assert_eq!(
			get("/test.txt", " bytes=0-9  ", right, now() - SKEW),
			Ok(())
		);
		let wrong = Err(SignatureError::Wrong);
		assert_eq!(get("/test.txt", "bytes=0-10", right, now()), wrong);
		assert_eq!(get("/test2.txt", "bytes=0-9", right, now()), wrong);
		assert_eq!(
			get("/test.txt", "bytes=0-9", &right.replace('f', "e"), now()),
			wrong
		);
		let skewed = Err(SignatureError::Skewed);
		assert_eq!(
			get("/test.txt", "bytes=0-9", right, now() + SKEW + 1),
			skewed
		);
		assert_eq!(
			get("/test.txt", "bytes=0-9", right, now() - SKEW - 1),
			skewed
		);

		let names = "host;x-amz-content-sha256;x-amz-date";
		let list = query(&[("prefix", "J"), ("max-keys", "2")]);
		let right = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
		assert_eq!(
			checked("/", &list, &[], &signed(names, right), now()),
			Ok(())
		);
		let lifecycle = query(&[("lifecycle", "")]);
		let right = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
		assert_eq!(
			checked("/", &lifecycle, &[], &signed(names, right), now()),
			Ok(())
		);
	}

	#[test]
	fn an_address_is_good_until_it_expires() {
		let right = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
		let credential = format!("{KEY}/{SCOPE}");
		let headers = headers(&[("host", "examplebucket.s3.amazonaws.com")]);
		let ask = |expires: &str, signature: &str, now| {
			let query = query(&[
				("X-Amz-Algorithm", ALGORITHM),
				("X-Amz-Credential", &credential),
				("X-Amz-Date", DATE),
				("X-Amz-Expires", expires),
				("X-Amz-SignedHeaders", "host"),
				("X-Amz-Signature", signature),
			]);
			let (method, path, query, headers) = ("GET", "/test.txt", &query[..], &headers);
			check(
				Signed {
					method,
					path,
					query,
					headers,
				},
				&credentials(),
				now,
			)
			.map(drop)
		};
		assert_eq!(ask("86400", right, now() + 86_400), Ok(()));
		assert_eq!(
			ask("86400", right, now() + 86_401),
			Err(SignatureError::Expired)
		);
		assert_eq!(
			ask("86400", right, now() - SKEW - 1),
			Err(SignatureError::Skewed)
		);
		assert_eq!(ask("86401", right, now()), Err(SignatureError::Wrong));
		for bad in ["0", "-1", "604801", "x", "99999999999999999999"] {
			assert!(matches!(ask(bad, right, now()), Err(Malformed(_))), "{bad}");
		}
	}

	#[test]
	fn signatures_of_version_2_are_named() {
		let header = checked("/", &[], &[], "AWS other:signature", now());
		assert_eq!(header, Err(Malformed(VERSION_2)));
		let (query, headers) = (
			query(&[
				("AWSAccessKeyId", KEY),
				("Signature", "vjbyPxybdZaNmGa%2ByT272YEAiv4="),
				("Expires", "1369440000"),
			]),
			HeaderMap::new(),
		);
		let (method, path) = ("GET", "/test.txt");
		let request = Signed {
			method,
			path,
			query: &query,
			headers: &headers,
		};
		let presigned = check(request, &credentials(), now());
		assert_eq!(presigned, Err(Malformed(VERSION_2)));
	}

	#[test]
	fn what_is_no_signature_is_refused_with_a_reason() {
		let names = "host;x-amz-content-sha256;x-amz-date";
		let good = signed(names, &"0".repeat(64));
		let reason =
			|authorization: &str| checked("/", &[], &[], authorization, now()).unwrap_err();
		assert_eq!(reason(&good), SignatureError::Wrong);
		assert_eq!(
			reason(&good.replace(KEY, "OTHER")),
			SignatureError::UnknownKey
		);
		for bad in [
			"",
			"Basic abc",
			"AWS other:signature",
			ALGORITHM,
			&good.replace("SignedHeaders", "Headers"),
			&good.replace("/s3/", "/ec2/"),
			&good.replace("aws4_request", "aws4_request/more"),
			&good.replace("20130524/", "20130525/"),
			&good.replace("20130524/", "/"),
			&good.replace("host;", ""),
			&good.replace("000000", "00x"),
			&good.replace(SCOPE, "é"),
		] {
			assert!(matches!(reason(bad), Malformed(_)), "{bad}");
		}
		let headers = HeaderMap::new();
		let nothing = Signed {
			method: "GET",
			path: "/",
			query: &[],
			headers: &headers,
		};
		assert_eq!(
			check(nothing, &credentials(), now()),
			Err(SignatureError::Missing)
		);
	}
}
