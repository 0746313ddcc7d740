// SPDX-License-Identifier: Apache-2.0

// Carries out every attack in docs/security.md on a chain on this machine, and writes the outcomes. scripts/attack
// builds the programs and runs this file.

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { attackData } from './lib/attack-data.mjs';
import { blockAttacks } from './lib/attack-network.mjs';
import { measured, parseOutcomes, report, withTable } from './lib/attack-report.mjs';
import { carryOut, program } from './lib/attack-program.mjs';

const { values: options } = parseArgs({
	options: {
		short: { type: 'boolean', default: false },
		seed: { type: 'string', default: '1' },
		write: { type: 'boolean', default: false },
		from: { type: 'string' },
	},
});

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/security.md');
const images = join(root, 'docs/images');
/** Every outcome of the last full run, one JSON object per line. */
const record = join(root, 'docs/attacks.jsonl');

const folder = mkdtempSync(join(tmpdir(), 'isthmus-attack-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const { outcomes, failed } = options.from
	? { outcomes: parseOutcomes(readFileSync(options.from, 'utf8')), failed: [] }
	: await carryOut([
			['attacks on shared data', (report) => attackData(folder, report)],
			...blockAttacks(folder, { seed: options.seed, short: options.short }),
		]);
const version = execFileSync(program('isthmus-node'), ['--version'], { encoding: 'utf8' }).trim();
const written = report(outcomes, { version, date: new Date().toISOString().slice(0, 10) });
console.log(written);
if (options.write && failed.length === 0) await write();
if (!outcomes.every(({ held }) => held)) {
	console.error('Some defences did not hold: see "Not held" above.');
	process.exitCode = 1;
}
if (failed.length > 0) {
	console.error(`Not carried out, so the report is incomplete and was not written: ${failed.join(', ')}.`);
	process.exitCode = 2;
}

/** Rewrites the page, the record and the plots. */
async function write() {
	mkdirSync(images, { recursive: true });
	writeFileSync(record, outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(''));
	writeFileSync(page, withTable(readFileSync(page, 'utf8'), written));
	await risk('--share', '0.1,0.3', '--depth', '0..50', '--plot', join(images, 'odds.svg'));
	const races = measured(outcomes);
	if (races !== '') {
		const file = join(folder, 'measured.jsonl');
		writeFileSync(file, races);
		const shares = [...new Set(races.split('\n').map((line) => JSON.parse(line).share))];
		const plot = join(images, 'private-fork.svg');
		await risk('--share', shares.join(), '--depth', '0..8', '--measured', file, '--plot', plot);
	}
	const simulated = ['--simulate', '200000', '--seed', options.seed];
	await risk('--share', '0.1,0.3', '--depth', '0..12', ...simulated, '--plot', join(images, 'simulated.svg'));
	console.error(`written: ${[page, record, images].map((path) => path.slice(root.length)).join(', ')}`);
}

/** Runs `isthmus risk`. */
async function risk(...args) {
	return new Promise((resolve, reject) => {
		execFile(program('isthmus'), ['risk', ...args], (error) => (error ? reject(error) : resolve()));
	});
}
