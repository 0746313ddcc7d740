// SPDX-License-Identifier: Apache-2.0

// Tests the types of the JavaScript package: they are made from its comments, name nothing that is not there, and a TypeScript
// program is checked against them. Needs no node.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('..', import.meta.url));
const modules = join(scripts, 'node_modules');
/** How the program is checked. */
const OPTIONS = { module: 'nodenext', noEmit: true, strict: true, target: 'es2022', types: [] };

let folder;
let installed;

/** Runs the compiler, and returns what it finds, by line. */
function compile(...args) {
	const compiler = join(modules, 'typescript/bin/tsc');
	const { stdout, status, error } = spawnSync(process.execPath, [compiler, ...args], { cwd: folder, encoding: 'utf8' });
	if (error) throw error;
	return { found: stdout.split('\n').filter((line) => line !== ''), status };
}

/** Checks files with these options. */
function check(options, include) {
	const config = { compilerOptions: { ...OPTIONS, ...options }, include, exclude: [] };
	writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
	return compile('-p', 'tsconfig.json').found;
}

before(() => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-types-'));
	// The package as a program installs it, and the packages that it depends on.
	installed = join(folder, 'node_modules/isthmus-scripts');
	mkdirSync(installed, { recursive: true });
	cpSync(join(scripts, 'package.json'), join(installed, 'package.json'));
	for (const name of readdirSync(modules).filter((name) => !name.startsWith('.'))) {
		symlinkSync(join(modules, name), join(folder, 'node_modules', name));
	}
	const made = compile('-p', join(scripts, 'tsconfig.json'), '--outDir', join(installed, 'types'));
	assert.deepEqual(made, { found: [], status: 0 });
	cpSync(join(scripts, 'tests/data/program.mts'), join(folder, 'program.mts'));
	writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a program is checked against the types', () => {
	assert.deepEqual(check({ skipLibCheck: true }, ['program.mts']), []);
});

test('the types name nothing that is not there', () => {
	// Those of @polkadot/api do: only our own are looked at.
	const found = check({ skipLibCheck: false }, [join(installed, 'types/**/*')]);
	assert.deepEqual(found.filter((line) => line.includes('isthmus-scripts/types')), []);
});

test('what the package exports has types', () => {
	const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
	for (const { types } of Object.values(exports)) assert.ok(existsSync(join(installed, types)), types);
});
