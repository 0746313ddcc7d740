#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Checks that no code or documentation uses a turn of phrase that scripts/words.tsv replaces, and lists each
// place where one does. KEEP below matches lines that must keep one (another project's own term).
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Files to skip: data, quotations, and the list itself. */
const SKIP = /(^|\/)(Cargo\.lock|package-lock\.json|words\.tsv|LICENSE|attacks\.jsonl)$|\.(svg|png|json|bin|age|toml)$|^fuzz\/(corpus|seeds)\//;
/** Terms that come from Substrate, GRANDPA or Rust. */
const KEEP = [
	/--validator\b|\bvalidator (set|id|key)s?\b|AnnounceValidator|ValidatorId|announce validator|validators? \(|`[^`]*validator[^`]*`|ValidateUnsigned|Validators::<|Session::validators/i,
];

const turns = readFileSync(join(ROOT, "scripts/words.tsv"), "utf8").split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
	const [pattern, instead] = line.split("\t");
	return { pattern: new RegExp(pattern, "i"), instead };
});
const paths = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" }).split("\n").filter((path) => path && !SKIP.test(path));

let faults = 0;
for (const path of paths) {
	let text;
	try {
		text = readFileSync(join(ROOT, path), "utf8");
	} catch (error) {
		if (error.code === "ENOENT") continue; // deleted, and not committed yet
		throw error;
	}
	if (text.includes("\0")) continue;
	// A turn may span two lines of a comment.
	const lines = text.split("\n");
	lines.forEach((line, index) => {
		const next = (lines[index + 1] ?? "").replace(/^\s*(\/\/[/!]?|#|\*)?\s*/, " ");
		for (const { pattern, instead } of turns) {
			const match = pattern.exec(line) ?? (() => {
				const both = pattern.exec(line + next);
				return both && both.index < line.length && both.index + both[0].length > line.length ? both : undefined;
			})();
			if (!match || KEEP.some((keep) => keep.test(line) && /validat/i.test(match[0]))) continue;
			faults++;
			console.error(`${path}:${index + 1}: "${match[0].trim()}": say "${instead}"`);
		}
	});
}
if (faults) {
	console.error(`words: ${faults} to mend (scripts/words.tsv, docs/glossary.md)`);
	process.exit(1);
}
console.log(`words: ${paths.length} files, no turn of scripts/words.tsv`);
