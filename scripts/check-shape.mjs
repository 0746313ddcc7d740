#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Checks the shape of the source files and lists every violation of these rules:
//   - no import cycles, direct or indirect, except in tests. Re-exporting a name (`pub use`) without using it
//     does not count as an import;
//   - no function outside tests is longer than 80 lines;
//   - every Rust and JavaScript file starts with its licence (SPDX);
//   - the first line of a call's documentation is a sentence: browsers of chains show that line alone in lists of calls.
// Reads the sources without compiling them.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const LONGEST = 80;
const SPDX = "// SPDX-License-Identifier: Apache-2.0";

/** Returns whether a file is only for tests or benchmarks. */
const isTest = (path) => /(^|\/)(tests?|benches|examples)(\/|\.rs$)|(mock|benchmarking)(\.rs$|\/)|\.test\.mjs$/.test(path) && !path.startsWith("tests/adversary/src/");

const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.rs", "*.mjs"], { cwd: ROOT, encoding: "utf8" });
const paths = [...new Set(listed.split("\n").filter(Boolean))];
const sources = new Map();
for (const path of paths) {
	try {
		sources.set(path, readFileSync(join(ROOT, path), "utf8"));
	} catch (error) {
		if (error.code !== "ENOENT") throw error; // deleted, and not committed yet
	}
}

/** Returns a source without its comments and `#[cfg(test)] mod … { }` blocks. */
function code(text) {
	let plain = text.replace(/\/\/[^\n]*/g, "").replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""));
	for (;;) {
		const start = /^([ \t]*)#\[cfg\((?:all\()?test[^\n]*\]\n(?:[ \t]*#\[[^\n]*\n)*[ \t]*(?:pub(?:\([^)]*\))? )?mod \w+ \{$/m.exec(plain);
		if (!start) return plain;
		const end = plain.indexOf(`\n${start[1]}}`, start.index);
		plain = plain.slice(0, start.index) + plain.slice(end + 2 + start[1].length);
	}
}

// ---- Import cycles ------------------------------------------------------------------------------

/** Returns the crates, each as a map from every module path (`a::b`) to its file. */
function crates() {
	const found = [];
	for (const root of sources.keys()) {
		const match = /^(.*)\/src\/(lib|main)\.rs$/.exec(root);
		if (!match || (match[2] === "main" && sources.has(`${match[1]}/src/lib.rs`))) continue;
		const modules = new Map([["", root]]);
		const base = `${match[1]}/src/`;
		for (const path of sources.keys()) {
			if (!path.startsWith(base) || isTest(path) || /^(lib|main)\.rs$/.test(path.slice(base.length))) continue;
			modules.set(path.slice(base.length, -3).replace(/\/mod$/, "").replaceAll("/", "::"), path);
		}
		found.push(modules);
	}
	return found;
}

/** Expands a `use` tree to its paths, each as { segments, name }: `a::{b, c as d}` is a::b as b, and a::c as d. */
function expand(tree, prefix = []) {
	const text = tree.trim();
	const brace = text.indexOf("{");
	if (brace === -1) {
		const [path, alias] = text.split(/\s+as\s+/);
		let segments = [...prefix, ...path.split("::").map((s) => s.trim()).filter(Boolean)];
		if (segments.at(-1) === "self") segments = segments.slice(0, -1);
		return [{ segments, name: alias?.trim() ?? segments.at(-1) }];
	}
	const head = text.slice(0, brace).split("::").map((s) => s.trim()).filter(Boolean);
	const parts = [];
	let depth = 0;
	let part = "";
	for (const letter of text.slice(brace + 1, text.lastIndexOf("}"))) {
		if (letter === "{") depth++;
		if (letter === "}") depth--;
		if (letter === "," && depth === 0) {
			parts.push(part);
			part = "";
		} else part += letter;
	}
	parts.push(part);
	return parts.filter((p) => p.trim()).flatMap((p) => expand(p, [...prefix, ...head]));
}

/** Returns the arrows between a crate's files: from a file to the files whose items it names. */
function rustArrows(modules) {
	const facts = new Map();
	for (const [module, path] of modules) {
		const text = code(sources.get(path));
		const uses = [...text.matchAll(/^[ \t]*(pub(?:\([^)]*\))? )?use ([^;]+);/gm)].flatMap((m) => expand(m[2]).map((use) => ({ ...use, handed: Boolean(m[1]) })));
		const rest = text.replace(/^[ \t]*(?:pub(?:\([^)]*\))? )?use [^;]+;/gm, "");
		const used = uses.filter(({ handed, name }) => !handed || (name !== "*" && new RegExp(`\\b${name}\\b`).test(rest)));
		const inline = [...rest.matchAll(/\b(?:crate|super|self)(?:::\w+)+/g)].map((m) => ({ segments: m[0].split("::") }));
		const children = [...text.matchAll(/^[ \t]*(?:pub(?:\([^)]*\))? )?mod (\w+);/gm)].map((m) => m[1]);
		const own = children.flatMap((child) => [...rest.matchAll(new RegExp(`(?<![:\\w])${child}::\\w+`, "g"))].map((m) => ({ segments: ["self", ...m[0].split("::")] })));
		facts.set(module, { path, text, uses, named: [...used, ...inline, ...own], children });
	}
	/** Returns a path's segments from the crate's root on, or undefined if the path leads into another crate. */
	function absolute(segments, module) {
		const here = module ? module.split("::") : [];
		if (segments[0] === "crate") return segments.slice(1);
		if (segments[0] === "self") return [...here, ...segments.slice(1)];
		let up = 0;
		while (segments[up] === "super") up++;
		if (up) return [...here.slice(0, here.length - up), ...segments.slice(up)];
		if (facts.get(module).children.includes(segments[0])) return [...here, ...segments];
		return undefined;
	}
	const defines = (text, name) => new RegExp(`\\b(?:fn|struct|enum|trait|type|const|static|union|mod|macro_rules!)\\s+${name}\\b`).test(text);
	/** Returns the module that defines the item of an absolute path, following re-exports. */
	function home(segments, seen = new Set()) {
		let depth = segments.length;
		while (depth && !facts.has(segments.slice(0, depth).join("::"))) depth--;
		const module = segments.slice(0, depth).join("::");
		const name = segments[depth];
		const key = `${module} ${name}`;
		if (!facts.has(module) || seen.has(key)) return undefined;
		seen.add(key);
		if (name === undefined || name === "*") return module;
		const { text, uses } = facts.get(module);
		if (defines(text, name)) return module;
		for (const use of uses) {
			const path = absolute(use.segments, module);
			if (!path) continue;
			if (use.name === name) return home([...path, ...segments.slice(depth + 1)], seen) ?? module;
			if (use.name === "*") {
				const there = home([...path.slice(0, -1), name], seen);
				if (there !== undefined && defines(facts.get(there).text, name)) return there;
			}
		}
		return module;
	}
	const arrows = new Map();
	for (const [module, { path, named }] of facts) {
		const targets = new Map();
		for (const { segments } of named) {
			const full = absolute(segments, module);
			const there = full && home(full);
			if (there === undefined || there === module) continue;
			// Keep one of these paths for the report.
			targets.set(facts.get(there).path, segments.join("::"));
		}
		arrows.set(path, targets);
	}
	return arrows;
}

function scriptArrows() {
	const arrows = new Map();
	for (const [path, text] of sources) {
		if (!path.endsWith(".mjs") || isTest(path)) continue;
		const targets = new Map();
		for (const [, target] of code(text).matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)) {
			const there = normalize(join(dirname(path), target));
			if (sources.has(there) && there !== path) targets.set(there, target);
		}
		arrows.set(path, targets);
	}
	return arrows;
}

/** Returns the strongly connected components with more than one file (Tarjan's algorithm). */
function circles(arrows) {
	const state = new Map();
	const stack = [];
	const found = [];
	let next = 0;
	function visit(path) {
		const own = { index: next, low: next++, waiting: true };
		state.set(path, own);
		stack.push(path);
		for (const there of arrows.get(path)?.keys() ?? []) {
			const other = state.get(there);
			if (!other) own.low = Math.min(own.low, visit(there));
			else if (other.waiting) own.low = Math.min(own.low, other.index);
		}
		if (own.low === own.index) {
			const circle = stack.splice(stack.indexOf(path));
			for (const member of circle) state.get(member).waiting = false;
			if (circle.length > 1) found.push(circle.sort());
		}
		return own.low;
	}
	for (const path of arrows.keys()) if (!state.has(path)) visit(path);
	return found;
}

// ---- Long functions, licences -------------------------------------------------------------------

function longFunctions(path, text) {
	const start = path.endsWith(".rs") ? /^(\s*)(?:pub(?:\([^)]*\))? )?(?:default )?(?:const )?(?:async )?(?:unsafe )?(?:extern "C" )?fn (\w+)/ : /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\*? (\w+)|(?:const|let) (\w+) = (?:async )?(?:function|\([^)]*\) =>|\w+ =>))/;
	const found = [];
	const lines = code(text).split("\n");
	for (let first = 0; first < lines.length; first++) {
		const match = start.exec(lines[first]);
		if (!match || (path.endsWith(".mjs") && lines[first].endsWith(";"))) continue;
		const end = lines.findIndex((line, index) => index >= first && (line.startsWith(`${match[1]}}`) || (index === first && /\}$/.test(line)) || (line.endsWith(";") && path.endsWith(".rs") && index < first + 12 && !lines.slice(first, index + 1).join("").includes("{"))));
		const length = end - first + 1;
		if (length > LONGEST) found.push(`${path}:${first + 1}: ${match[2] ?? match[3]} has ${length} lines`);
	}
	return found;
}

/** Returns the calls of a pallet whose documentation does not begin with a line that is a sentence. */
function cutCalls(path, text) {
	const found = [];
	const lines = text.split("\n").map((line) => line.trim());
	lines.forEach((line, index) => {
		if (!line.startsWith("#[pallet::call_index")) return;
		let first = index;
		while (/^(\/\/\/|#\[)/.test(lines[first - 1])) first--;
		if (!/^\/\/\/ .*\.$/.test(lines[first])) found.push(`${path}:${first + 1}: the first line of a call's documentation is not a sentence`);
	});
	return found;
}

const faults = [];
for (const arrows of [...crates().map(rustArrows), scriptArrows()]) {
	for (const circle of circles(arrows)) {
		faults.push(`circle of imports: ${circle.join(", ")}`);
		for (const path of circle) for (const [there, name] of arrows.get(path)) if (circle.includes(there)) faults.push(`    ${path} -> ${there} (${name})`);
	}
}
for (const [path, text] of sources) {
	if (!isTest(path)) faults.push(...longFunctions(path, text).map((fault) => `${fault}, more than ${LONGEST}`));
	faults.push(...cutCalls(path, text));
	if (!text.startsWith(SPDX) && !text.startsWith("#!")) faults.push(`${path}:1: does not begin with "${SPDX}"`);
}
for (const fault of faults) console.error(fault);
if (faults.length) process.exit(1);
console.log(`shape: ${sources.size} files, no circle of imports, no function above ${LONGEST} lines, every file with its licence, every call with a sentence`);
