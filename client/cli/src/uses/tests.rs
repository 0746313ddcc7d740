// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::{parse_from, Isthmus};
use clap::{Arg, CommandFactory};
use std::{collections::BTreeSet, ffi::OsString};

/// The options of all commands that mean something to some of them, and lines with those commands.
const COMMANDS: &[(&str, &[&str])] = &[
	(
		"",
		&[
			"key generate new.key",
			"key import new.key",
			"key inspect a.key",
			"key words a.key",
			"key restore new.key",
			"key passphrase a.key",
			"key split a.key --of 3 --need 2",
			"key join new.key",
			"risk",
			"risk --risk 0.1",
			"completions bash",
			"man",
		],
	),
	(
		"genesis chain_spec",
		&[
			"verify a.receipt",
		],
	),
	(
		"url timeout trust_node genesis chain_spec",
		&[
			"facts list",
			"facts evaluate before(2027-01-01)",
			"check //Bob 0",
			"catalog",
			"status",
			"balance //Bob",
			"facts credentials //Bob",
			"operator list //Bob",
			"receipt 14",
			"receipt --keeper //Bob --owner //Bob",
			"dataset describe 0 --card c --check --owner //Bob",
			"list keepers --owner //Bob",
			"list records --owner //Bob",
			"risk --risk 0.1 --interval chain",
		],
	),
	(
		"url timeout trust_node genesis chain_spec pq_only",
		&[
			"key verify a.key",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec",
		&[
			"facts credentials",
			"receipt --keeper //Bob",
			"balance",
			"operator list",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec acts_for",
		&[
			"dataset list",
			"requests",
			"list datasets",
			"list given",
			"list received",
			"list keepers",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec pq_only",
		&[
			"gateway",
			"trace record //Alice marks.csv",
			"trace dataset //Alice 0",
			"trace reader //Bob",
			"trace account //Bob",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec pq_only acts_for",
		&[
			"dataset describe 0 --card c --check",
			"list records",
			"list records --owner //Bob --names",
			"list embargoes",
			"list files a",
			"list files a --owner //Bob",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec pq_only acts_for dry_run",
		&[
			"dataset erase 0 --leaves 0..1",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized dry_run max_cost",
		&[
			"key publish",
			"key withdraw",
			"key rotate",
			"register School --kind school",
			"renounce 3",
			"settle",
			"facts create air",
			"facts change air",
			"facts close air",
			"facts report air pm25 80",
			"facts withdraw air pm25",
			"facts issue //Bob teacher --until 2100-01-01",
			"facts revoke //Bob teacher",
			"keep //Bob 0 --leave",
			"transfer //Bob 1",
			"operator add //Bob",
			"operator remove //Bob",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized dry_run max_cost pq_only",
		&[
			"request //Bob --leaves 0..1 --purpose study",
			"dispute 3",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized dry_run max_cost acts_for",
		&[
			"reject 3",
			"dataset close 0",
			"dataset open 0",
			"dataset locate 0 --clear",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized dry_run max_cost pq_only acts_for",
		&[
			"dataset create marks",
			"dataset policy 0 --clear",
			"dataset epoch 0",
			"dataset renew 0",
			"dataset transfer 0 --to //Bob",
			"dataset accept //Bob 0",
			"dataset recount 0",
			"dataset describe 0 --card c",
			"dataset free 0",
			"dataset remove 0",
			"store a",
			"sync a",
			"embargo a --when before(2027-01-01)",
			"remove a",
			"authorize 3",
			"revoke 3",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized max_cost pq_only acts_for",
		&[
			"fetch //Bob a",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized max_cost pq_only",
		&[
			"watch",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip pq_only acts_for",
		&[
			"serve",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip finalized",
		&[
			"feed a.toml",
		],
	),
	(
		"url key timeout trust_node genesis chain_spec tip",
		&[
			"keep //Bob 0 --at file:///k",
		],
	),
];

/// Returns the names of all commands that have none below them.
fn names(command: &clap::Command, before: &str) -> BTreeSet<String> {
	let below = command
		.get_subcommands()
		.filter(|below| below.get_name() != "help");
	let below: Vec<_> = below.collect();
	if below.is_empty() {
		return BTreeSet::from([before.trim_start().to_owned()]);
	}
	let named = |below: &&clap::Command| names(below, &format!("{before} {}", below.get_name()));
	below.iter().flat_map(named).collect()
}

/// Returns an option of all commands as it is written, with a value.
fn written(arg: &Arg) -> String {
	let name = format!("--{}", arg.get_long().unwrap_or_default());
	let value = match arg.get_id().as_str() {
		"url" => "ws://127.0.0.1:1".to_owned(),
		"genesis" => format!("0x{}", "0f".repeat(32)),
		"key" | "acts_for" => "//Bob".to_owned(),
		_ => "1".to_owned(),
	};
	match arg.get_action().takes_values() {
		true => format!("{name}={value}"),
		false => name,
	}
}

/// Returns what is said of a line with an option, before the name of the command or after it.
fn said(line: &str, before: &str, after: &str) -> Result<(), String> {
	let words = ["isthmus", before].into_iter().chain(line.split(' '));
	let words = words.chain([after]).filter(|word| !word.is_empty());
	let words: Vec<OsString> = words.map(OsString::from).collect();
	let parsed = parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
	check(parsed.command.uses(), &parsed.options.given)
		.map_err(|error| error.message().into_owned())
}

#[test]
fn each_option_of_all_commands_is_used_or_refused() {
	let program = Isthmus::command();
	let shared = program.get_arguments().filter(|arg| arg.is_global_set());
	let shared: Vec<&Arg> = shared.filter(|arg| arg.get_id() != "json").collect();
	let known: BTreeSet<&str> = SHARED.iter().map(|shared| shared.id).collect();
	let ids: BTreeSet<&str> = shared.iter().map(|arg| arg.get_id().as_str()).collect();
	assert_eq!(ids, known);
	for (used, lines) in COMMANDS {
		let used: BTreeSet<&str> = used.split_whitespace().collect();
		assert!(used.is_subset(&known), "{used:?}");
		for line in *lines {
			assert_eq!(said(line, "", ""), Ok(()), "{line}");
			assert_eq!(said(line, "", "--json"), Ok(()), "{line}");
			for arg in &shared {
				let option = written(arg);
				for (before, after) in [(option.as_str(), ""), ("", option.as_str())] {
					let said = said(line, before, after);
					let is_used = used.contains(arg.get_id().as_str());
					assert_eq!(said.is_ok(), is_used, "{line} {option}: {said:?}");
					if let Err(said) = said {
						let name = option.split('=').next().unwrap_or_default();
						assert!(said.contains(name), "{line} {option}: {said}");
					}
				}
			}
		}
	}
}

#[test]
fn each_command_is_tried() {
	let lines = COMMANDS.iter().flat_map(|(_, lines)| *lines);
	let lines: Vec<&str> = lines.copied().collect();
	let is_tried = |name: &str| {
		let mut lines = lines.iter();
		lines.any(|line| *line == name || line.starts_with(&format!("{name} ")))
	};
	for name in names(&Isthmus::command(), "") {
		assert!(is_tried(&name), "add a line with this command: {name}");
	}
}
