// SPDX-License-Identifier: Apache-2.0
//! Tests the miners' port: which requests it answers, and which addresses can be notified of new work.

use isthmus_node::miners::{answer, parse_url};
use jsonrpsee::{Methods, RpcModule};
use serde_json::Value;

fn methods() -> Methods {
	let mut module = RpcModule::new(());
	module
		.register_method("eth_answer", |params, (), _| params.one::<u64>())
		.unwrap();
	module.into()
}

async fn ask(request: &str) -> Option<Value> {
	let answer = answer(request.as_bytes(), &methods()).await?;
	Some(serde_json::from_str(&answer).unwrap())
}

#[tokio::test]
async fn requests_are_answered_with_and_without_the_version() {
	let good = serde_json::json!({ "jsonrpc": "2.0", "id": 40, "result": 7 });
	for request in [
		r#"{"jsonrpc":"2.0","id":40,"method":"eth_answer","params":[7]}"#,
		r#"{"id":40,"method":"eth_answer","params":[7]}"#,
	] {
		assert_eq!(ask(request).await.as_ref(), Some(&good));
	}
	let unknown = ask(r#"{"id":1,"method":"author_rotateKeys"}"#)
		.await
		.unwrap();
	assert_eq!(unknown["error"]["code"], -32601);
}

#[tokio::test]
async fn a_body_that_is_not_a_request_has_no_answer() {
	for junk in [
		"",
		"[]",
		"7",
		"{",
		r#"{"id":1}"#,
		r#"{"jsonrpc":"1.0","id":1,"method":"eth_answer"}"#,
	] {
		assert_eq!(ask(junk).await, None, "{junk}");
	}
}

#[test]
fn addresses_to_notify_are_http() {
	assert!(parse_url("http://127.0.0.1:8546/work").is_ok());
	for bad in [
		"https://example.org",
		"127.0.0.1:80",
		"",
		"http://",
		"/work",
	] {
		assert!(parse_url(bad).is_err(), "{bad}");
	}
}
