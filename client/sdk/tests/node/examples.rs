// SPDX-License-Identifier: Apache-2.0
//! Runs the programs in `examples/` one after another, as their documentation does.

use crate::scenario::*;
use isthmus_sdk::*;
use std::{
	fs,
	path::PathBuf,
	process::{Command, Output, Stdio},
};

/// Returns an example's program, which `cargo test` builds beside the tests.
fn example(name: &str, key: &str) -> Command {
	let tests = std::env::current_exe().unwrap();
	let folder = tests.parent().and_then(|deps| deps.parent()).unwrap();
	let program: PathBuf = folder.join("examples").join(name);
	assert!(
		program.exists(),
		"{} is missing: run cargo build --examples",
		program.display()
	);
	let mut command = Command::new(program);
	command.env("ISTHMUS_URL", url()).env("ISTHMUS_KEY", key);
	command
}

/// Returns what a program wrote to stdout.
fn stdout(output: Output) -> Vec<u8> {
	let errors = String::from_utf8_lossy(&output.stderr);
	assert!(output.status.success(), "{errors}");
	output.stdout
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_store_serve_and_query() {
	let client = connect().await;
	let uris = ["//examples//school", "//examples//company"];
	let [school, company] = accounts(&client, uris).await;
	let folder = tempfile::tempdir().unwrap();
	let file = folder.path().join("marks.csv");
	fs::write(&file, "name,mark\nAda,97\n").unwrap();

	let stored = stdout(example("store", uris[0]).arg(&file).output().unwrap());
	assert!(stored.starts_with(b"stored in block "));

	// The company may not read yet, and asks for access.
	let query = || {
		let mut query = example("query", uris[1]);
		query.arg(school.id().to_string()).arg("marks.csv");
		stdout(query.output().unwrap())
	};
	assert_eq!(query(), b"");
	let serve = example("serve", uris[0])
		.arg("1")
		.stdout(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()
		.unwrap();
	let granted = stdout(serve.wait_with_output().unwrap());
	assert!(granted.starts_with(b"granted request "));
	assert_eq!(query(), b"name,mark\nAda,97\n");

	let best = client.best().await.unwrap();
	let grants = every(|after| best.grants_to(company.id(), None, after)).await;
	assert_eq!(grants.unwrap().len(), 1);
}
