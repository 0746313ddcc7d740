#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Checks that building with tests and building without use every dependency with the same features. If they
// do not, cargo compiles the dependency and all that depend on it twice. Compares cargo's unit graphs, and
// compiles nothing.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Returns what identifies each unit of a build: itself, its features, and the same of its dependencies. */
function units(...targets) {
	const json = execFileSync(
		'cargo',
		['build', '--release', '--locked', '--workspace', ...targets, '--unit-graph', '-Z', 'unstable-options'],
		// The graph is an unstable output of a stable cargo.
		{ cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, RUSTC_BOOTSTRAP: '1' }, stdio: ['ignore', 'pipe', 'inherit'] },
	);
	const { units } = JSON.parse(json);
	const known = new Map();
	function identity(index) {
		if (!known.has(index)) {
			const { pkg_id, target, mode, platform, features, dependencies } = units[index];
			const below = dependencies.map((dependency) => identity(dependency.index)).sort();
			// Numbers stand for what was seen, so that the text of a unit does not repeat all that is below it.
			known.set(index, number(JSON.stringify([pkg_id, target.name, target.kind, mode, platform, [...features].sort(), below])));
		}
		return known.get(index);
	}
	return new Map(units.map((unit, index) => [identity(index), unit.pkg_id]));
}

const numbers = new Map();
function number(text) {
	if (!numbers.has(text)) numbers.set(text, numbers.size);
	return numbers.get(text);
}

const [without, withTests] = [units(), units('--lib', '--bins', '--tests')];
const twice = new Set([...without].filter(([unit]) => !withTests.has(unit)).map(([, crate]) => crate));
if (twice.size) {
	for (const crate of [...twice].sort()) console.error(`compiled twice, with tests and without: ${crate}`);
	console.error('units: find the feature that differs with `cargo tree --edges features --invert CRATE`, and name it in a manifest');
	process.exit(1);
}
console.log(`units: the ${without.size} units of a build are all among the ${withTests.size} with tests`);
