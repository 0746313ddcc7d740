// SPDX-License-Identifier: Apache-2.0
//! Tests which web pages may call the RPC.

use hyper::header::HeaderValue;
use isthmus_node::rpc::origins::{check, Origins};

fn allowed(list: &[&str], origin: &str) -> bool {
	let list = list.iter().map(|origin| (*origin).into()).collect();
	let origin = HeaderValue::from_bytes(origin.as_bytes()).expect("a header");
	Origins::new(Some(list)).allow(&origin)
}

#[test]
fn an_origin_is_compared_as_a_whole() {
	let list = ["https://polkadot.js.org", "null"];
	for origin in ["https://polkadot.js.org", "HTTPS://Polkadot.JS.org", "null"] {
		assert!(allowed(&list, origin), "{origin}");
	}
	for origin in [
		"http://polkadot.js.org",
		"https://polkadot.js.org.evil.example",
		"https://polkadot.js.org:444",
		"https://evil.example",
		"",
	] {
		assert!(!allowed(&list, origin), "{origin}");
	}
}

#[test]
fn a_star_stands_for_any_port_or_none() {
	let list = ["http://localhost:*"];
	for origin in [
		"http://localhost",
		"http://localhost:3000",
		"http://LOCALHOST:1",
	] {
		assert!(allowed(&list, origin), "{origin}");
	}
	for origin in [
		"https://localhost:3000",
		"http://localhost.evil.example",
		"http://localhost:3000.evil.example",
		"http://localhost:",
		"http://localhost@evil.example",
		"http://localhos",
		"é",
	] {
		assert!(!allowed(&list, origin), "{origin}");
	}
}

#[test]
fn every_origin_is_allowed_without_a_list_or_with_a_star() {
	let origin = HeaderValue::from_static("https://evil.example");
	for origins in [Origins::new(None), Origins::new(Some(vec!["*".into()]))] {
		assert!(origins.are_all_allowed());
		assert!(origins.allow(&origin));
	}
	assert!(!Origins::new(Some(Vec::new())).allow(&origin));
}

#[test]
fn what_is_not_an_origin_is_refused() {
	let checked = |text: &str| check(&[text.into()]).map_err(|error| error.to_string());
	for text in [
		"https://app.example",
		"http://localhost:*",
		"http://[::1]:3000",
		"chrome-extension://abc",
		"null",
		"*",
		"",
	] {
		assert_eq!(checked(text), Ok(()));
	}
	for text in [
		"app.example",
		"https://app.example/",
		"https://app.example/page",
		"https://*.app.example",
		"https://",
		"://app.example",
		" https://app.example",
	] {
		let error = checked(text).unwrap_err();
		assert!(
			error.contains("https://app.example, without a path"),
			"{error}"
		);
	}
}
