// SPDX-License-Identifier: Apache-2.0
//! Defines locations: the addresses of stores that hold the objects of a dataset.
//!
//! A dataset's owner publishes them, and readers try one after the other. A location needs no trust, because
//! each part of an object is checked against its root. But a reader's program opens what an owner wrote, so a
//! location has one form that every program reads alike:
//!
//! `scheme://authority/path`
//!
//! - The scheme is `s3`, `gs`, `az`, `https`, `http` or `file`, in lower case. `http` is for this machine only,
//!   and `file` has no authority.
//! - The authority is a bucket, a container, or a host with an optional port. It has no user and no password: a
//!   location is public.
//! - The path has no empty segment, no `.` or `..`, and no slash at its end. It may be left out, except with
//!   `file`.
//! - There is no query and no fragment. All characters are visible ASCII, and none is a backslash, a quote or an
//!   angle bracket. A `%` precedes two hexadecimal digits, which do not stand for a control character, a dot, a
//!   slash or a backslash.

use alloc::{borrow::ToOwned, string::String};

/// The maximum length of a location, in bytes.
pub const MAX_LOCATION_SIZE: u32 = 256;
/// The maximum number of a dataset's locations.
pub const MAX_LOCATIONS: u32 = 8;

/// How a location's store is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
	/// `s3`: a bucket of a store with the interface of Amazon S3.
	S3,
	/// `gs`: a bucket of Google Cloud Storage.
	Gs,
	/// `az`: a container of Azure Blob Storage.
	Az,
	/// `https`: a web server.
	Https,
	/// `http`: a web server on this machine.
	Http,
	/// `file`: a folder of this machine.
	File,
}

/// Why text is not a location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
	/// It is longer than [`MAX_LOCATION_SIZE`].
	#[error("a location has at most {MAX_LOCATION_SIZE} bytes, but this one has {length}")]
	TooLong {
		/// Its length, in bytes.
		length: usize,
	},
	/// A byte is not one of the characters that a location may have.
	#[error("byte {at} of the location is not allowed: use visible ASCII without \\ \" < > ? and #, and write other characters as %XX")]
	Character {
		/// The byte's place, counted from 0.
		at: usize,
	},
	/// A `%` does not precede two hexadecimal digits, or these stand for a control character, a dot, a slash or a
	/// backslash.
	#[error("byte {at} of the location begins an escape that is not allowed: write %XX, and not for a control character, a dot, a slash or a backslash")]
	Escape {
		/// The place of the `%`, counted from 0.
		at: usize,
	},
	/// The scheme is unknown.
	#[error("unknown scheme `{scheme}`: a location begins with s3://, gs://, az://, https://, http:// or file://")]
	Scheme {
		/// The text before `://`, or nothing.
		scheme: String,
	},
	/// The authority is missing, or is not a bucket, or a host with an optional port.
	#[error("`{authority}` is not a bucket or a host: write letters, digits, dots, - and _, with an optional port for a host, and no user or password")]
	Authority {
		/// The text between `://` and the path.
		authority: String,
	},
	/// An `http` location names another machine.
	#[error("http:// is for this machine only: use https:// for `{authority}`, or http://127.0.0.1 or http://localhost")]
	NotLoopback {
		/// The text between `://` and the path.
		authority: String,
	},
	/// A `file` location names a host, or no folder.
	#[error("a file location is file:// followed by an absolute path: file:///data/objects")]
	File,
	/// The path has an empty segment, `.` or `..`, or ends with a slash.
	#[error("the location's path has an empty segment, `.` or `..`, or ends with a slash")]
	Path,
	/// The list has more than [`MAX_LOCATIONS`] locations.
	#[error("a dataset has at most {MAX_LOCATIONS} locations")]
	TooMany,
	/// The list has the same location twice.
	#[error("the locations must differ: `{location}` is there twice")]
	Twice {
		/// The location.
		location: String,
	},
}

/// A location whose form was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
	/// How the store is reached.
	pub scheme: Scheme,
	/// The bucket, container or host with its port. Empty for a file.
	pub authority: &'a str,
	/// The path, with a slash at its beginning and none at its end. Empty if there is none.
	pub path: &'a str,
}

impl<'a> Location<'a> {
	/// Reads a location.
	///
	/// # Errors
	///
	/// Returns a [`LocationError`] that says which rule the text breaks.
	pub fn read(bytes: &'a [u8]) -> Result<Self, LocationError> {
		let text = checked_text(bytes)?;
		let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
		let (authority, path) = match rest.find('/') {
			Some(at) => rest.split_at(at),
			None => (rest, ""),
		};
		let scheme = match scheme {
			"s3" => Scheme::S3,
			"gs" => Scheme::Gs,
			"az" => Scheme::Az,
			"https" => Scheme::Https,
			"http" => Scheme::Http,
			"file" => Scheme::File,
			other => {
				let scheme = other.to_owned();
				return Err(LocationError::Scheme { scheme });
			}
		};
		check_authority(scheme, authority)?;
		if scheme == Scheme::File && path.is_empty() {
			return Err(LocationError::File);
		}
		// What precedes the path's first slash is empty, and not a segment.
		if path
			.split('/')
			.skip(1)
			.any(|segment| matches!(segment, "" | "." | ".."))
		{
			return Err(LocationError::Path);
		}
		Ok(Self {
			scheme,
			authority,
			path,
		})
	}
}

/// Checks a dataset's locations: each of them, their number, and that they differ.
///
/// # Errors
///
/// Returns the error of [`Location::read`] for the first that is not a location, [`LocationError::TooMany`], or
/// [`LocationError::Twice`].
pub fn check_list<Text: AsRef<[u8]>>(locations: &[Text]) -> Result<(), LocationError> {
	if locations.len() > MAX_LOCATIONS as usize {
		return Err(LocationError::TooMany);
	}
	for (index, location) in locations.iter().enumerate() {
		let location = location.as_ref();
		Location::read(location)?;
		let before = locations.iter().take(index);
		if before.into_iter().any(|other| other.as_ref() == location) {
			let location = String::from_utf8_lossy(location).into_owned();
			return Err(LocationError::Twice { location });
		}
	}
	Ok(())
}

/// Checks the length and the characters, and returns the text.
fn checked_text(bytes: &[u8]) -> Result<&str, LocationError> {
	if bytes.len() > MAX_LOCATION_SIZE as usize {
		return Err(LocationError::TooLong {
			length: bytes.len(),
		});
	}
	for (at, byte) in bytes.iter().enumerate() {
		match byte {
			b'\\' | b'"' | b'<' | b'>' | b'?' | b'#' => {
				return Err(LocationError::Character { at })
			}
			b'%' if !escape_is_allowed(bytes.get(at + 1..at + 3)) => {
				return Err(LocationError::Escape { at });
			}
			0x21..=0x7e => {}
			_ => return Err(LocationError::Character { at }),
		}
	}
	core::str::from_utf8(bytes).map_err(|error| LocationError::Character {
		at: error.valid_up_to(),
	})
}

/// Returns whether two hexadecimal digits stand for a character that may be written as an escape.
fn escape_is_allowed(digits: Option<&[u8]>) -> bool {
	let Some(digits @ &[high, low]) = digits else {
		return false;
	};
	// A sign would be parsed as part of a number.
	let value = if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() {
		core::str::from_utf8(digits)
			.ok()
			.and_then(|digits| u8::from_str_radix(digits, 16).ok())
	} else {
		None
	};
	value.is_some_and(|value| !value.is_ascii_control() && !matches!(value, b'.' | b'/' | b'\\'))
}

fn check_authority(scheme: Scheme, authority: &str) -> Result<(), LocationError> {
	let invalid = || LocationError::Authority {
		authority: authority.to_owned(),
	};
	let (host, port) = match scheme {
		Scheme::File if authority.is_empty() => return Ok(()),
		Scheme::File => return Err(LocationError::File),
		Scheme::Https | Scheme::Http => split_port(authority),
		Scheme::S3 | Scheme::Gs | Scheme::Az => (authority, None),
	};
	if port.is_some_and(|port| !is_port(port)) || !is_name(host) && !is_ipv6(scheme, host) {
		return Err(invalid());
	}
	if scheme == Scheme::Http && !is_loopback(host) {
		return Err(LocationError::NotLoopback {
			authority: authority.to_owned(),
		});
	}
	Ok(())
}

/// Splits an authority at the colon before the port, if there is one. An IPv6 address is in brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
	let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
	match authority.get(end..).and_then(|rest| rest.find(':')) {
		Some(colon) => {
			let (host, port) = authority.split_at(end + colon);
			(host, port.get(1..))
		}
		None => (authority, None),
	}
}

fn is_port(text: &str) -> bool {
	let digits = text.bytes().all(|byte| byte.is_ascii_digit());
	digits && !text.starts_with('0') && text.parse::<u16>().is_ok()
}

/// Returns whether text is a bucket's or a host's name: it begins and ends with a letter or a digit, and has no two
/// dots in a row.
fn is_name(text: &str) -> bool {
	let bytes = text.as_bytes();
	bytes.first().is_some_and(u8::is_ascii_alphanumeric)
		&& bytes.last().is_some_and(u8::is_ascii_alphanumeric)
		&& !text.contains("..")
		&& bytes
			.iter()
			.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Returns whether this is an IPv6 address in brackets, as a host of the web.
fn is_ipv6(scheme: Scheme, host: &str) -> bool {
	let address = host
		.strip_prefix('[')
		.and_then(|rest| rest.strip_suffix(']'));
	matches!(scheme, Scheme::Https | Scheme::Http)
		&& address.is_some_and(|address| address.parse::<core::net::Ipv6Addr>().is_ok())
}

fn is_loopback(host: &str) -> bool {
	let is_v4 = host
		.parse::<core::net::Ipv4Addr>()
		.is_ok_and(|address| address.is_loopback());
	is_v4 || host == "localhost" || host == "[::1]"
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::format;
	use proptest::prelude::*;

	fn read(text: &str) -> Result<Location<'_>, LocationError> {
		Location::read(text.as_bytes())
	}

	#[test]
	fn a_location_has_three_parts() {
		for (text, scheme, authority, path) in [
			("s3://grades", Scheme::S3, "grades", ""),
			("s3://grades/2026/a", Scheme::S3, "grades", "/2026/a"),
			("gs://grades_2/x", Scheme::Gs, "grades_2", "/x"),
			("az://grades/x", Scheme::Az, "grades", "/x"),
			("https://a.example", Scheme::Https, "a.example", ""),
			(
				"https://a.example:8443/x",
				Scheme::Https,
				"a.example:8443",
				"/x",
			),
			(
				"https://[2001:db8::1]:443/x",
				Scheme::Https,
				"[2001:db8::1]:443",
				"/x",
			),
			(
				"https://a.example/a%20b/c%C3%A9@d",
				Scheme::Https,
				"a.example",
				"/a%20b/c%C3%A9@d",
			),
			(
				"http://127.0.0.1:9000/x",
				Scheme::Http,
				"127.0.0.1:9000",
				"/x",
			),
			("http://localhost/x", Scheme::Http, "localhost", "/x"),
			("http://[::1]:80", Scheme::Http, "[::1]:80", ""),
			("file:///data/objects", Scheme::File, "", "/data/objects"),
			("file:///data/a..b/.c", Scheme::File, "", "/data/a..b/.c"),
		] {
			let location = Location {
				scheme,
				authority,
				path,
			};
			assert_eq!(read(text), Ok(location), "{text}");
		}
	}

	#[test]
	fn what_programs_read_differently_is_refused() {
		use LocationError as E;
		let scheme = |scheme: &str| E::Scheme {
			scheme: scheme.to_owned(),
		};
		let authority = |authority: &str| E::Authority {
			authority: authority.to_owned(),
		};
		let other = |authority: &str| E::NotLoopback {
			authority: authority.to_owned(),
		};
		for (text, error) in [
			("", scheme("")),
			("grades", scheme("")),
			("S3://grades", scheme("S3")),
			("ftp://a.example/x", scheme("ftp")),
			("javascript:alert(1)//://", scheme("javascript:alert(1)//")),
			("s3:/grades", scheme("")),
			("s3://", authority("")),
			("s3:///x", authority("")),
			("s3://key:secret@grades/x", authority("key:secret@grades")),
			("https://user@a.example/x", authority("user@a.example")),
			("s3://grades:80/x", authority("grades:80")),
			("s3://[::1]/x", authority("[::1]")),
			("s3://../x", authority("..")),
			("s3://a..b", authority("a..b")),
			("s3://-a", authority("-a")),
			("https://a.example:/x", authority("a.example:")),
			("https://a.example:0/x", authority("a.example:0")),
			("https://a.example:65536/x", authority("a.example:65536")),
			("https://a.example:+80/x", authority("a.example:+80")),
			("https://a%20b/x", authority("a%20b")),
			("https://[::g]/x", authority("[::g]")),
			("http://a.example/x", other("a.example")),
			("http://128.0.0.1/x", other("128.0.0.1")),
			("http://localhost.a.example/x", other("localhost.a.example")),
			("http://[2001:db8::1]/x", other("[2001:db8::1]")),
			("file://host/x", E::File),
			("file://", E::File),
			("file:///", E::Path),
			("s3://grades/", E::Path),
			("s3://grades//x", E::Path),
			("s3://grades/x/", E::Path),
			("s3://grades/./x", E::Path),
			("s3://grades/x/..", E::Path),
			("https://a.example?x=1", E::Character { at: 17 }),
			("https://a.example/#x", E::Character { at: 18 }),
			("https://a.example\\x", E::Character { at: 17 }),
			("s3://grades/a b", E::Character { at: 13 }),
			("s3://grades/é", E::Character { at: 12 }),
			("s3://grades/\u{7f}", E::Character { at: 12 }),
			("s3://grades/\n", E::Character { at: 12 }),
			("s3://grades/%2e%2e/x", E::Escape { at: 12 }),
			("s3://grades/%2Fx", E::Escape { at: 12 }),
			("s3://grades/%5c", E::Escape { at: 12 }),
			("s3://grades/%00", E::Escape { at: 12 }),
			("s3://grades/%7f", E::Escape { at: 12 }),
			("s3://grades/%", E::Escape { at: 12 }),
			("s3://grades/%2", E::Escape { at: 12 }),
			("s3://grades/%+4", E::Escape { at: 12 }),
		] {
			assert_eq!(read(text), Err(error), "{text}");
		}
	}

	#[test]
	fn a_location_and_a_list_have_bounds() {
		let longest = format!("s3://{}", "a".repeat(251));
		assert!(read(&longest).is_ok());
		let error = LocationError::TooLong { length: 257 };
		assert_eq!(read(&format!("{longest}a")), Err(error));

		let list: Vec<String> = (0..9).map(|n| format!("s3://grades/{n}")).collect();
		assert_eq!(check_list(&list[..8]), Ok(()));
		assert_eq!(check_list::<&str>(&[]), Ok(()));
		assert_eq!(check_list(&list), Err(LocationError::TooMany));
		let location = "s3://b".to_owned();
		assert_eq!(
			check_list(&["s3://b", "s3://a", "s3://b"]),
			Err(LocationError::Twice { location })
		);
		assert_eq!(
			check_list(&["s3://a", ""]),
			Err(LocationError::Scheme {
				scheme: String::new()
			})
		);
	}

	proptest! {
		#[test]
		fn what_is_read_is_its_parts(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
			// No input panics.
			let _ = Location::read(&bytes);
		}

		#[test]
		fn parts_make_the_location(
			scheme in "(s3|gs|az|https|file|ftp)", authority in "[a-z0-9.:@_\\[\\]-]{0,12}",
			path in "(/[a-z0-9.%]{0,4}){0,4}",
		) {
			let text = format!("{scheme}://{authority}{path}");
			if let Ok(location) = read(&text) {
				prop_assert_eq!((location.authority, location.path), (&authority[..], &path[..]));
				prop_assert!(!path.contains("/../") && !path.ends_with('/'));
			}
		}
	}
}
