// SPDX-License-Identifier: Apache-2.0

// The page of a soak's figures, docs/soak.md.

/** Returns the page in Markdown, for the figures that `soak` returns. */
export function page({ command, machine, load, node, date, ...figures }) {
	const rows = [
		['nodes, each of which mines and votes', figures.nodes],
		['duration', `${(figures.seconds / 60).toFixed(1)} minutes`],
		['lines between the nodes', `${figures.line.latency} ms, ${(figures.line.rate * 8) / 1e6} Mbit/s, ${figures.line.loss * 100} % lost`],
		['splits', figures.splits],
		['nodes killed and restarted', figures.kills],
		['nodes that hung and went on', figures.hangs],
		['connections of the hostile peers', `${figures.liars.connected}, of which the nodes closed ${figures.liars.dropped}`],
		['records stored', `${figures.records}, with ${(figures.bytes / 1e6).toFixed(1)} MB`],
		['grants', figures.grants],
		['commands that failed and were run again', figures.retries],
		['blocks finalized', figures.finalized],
		['records that could not be read, or differ', figures.wrong.length],
		['largest memory of a node', `${figures.peak.memory.toFixed(0)} MiB`],
		['largest number of handles of a node', figures.peak.handles],
		['growth of the node that was never killed', `${figures.growth.memory.toFixed(0)} MiB, ${figures.growth.handles.toFixed(0)} handles`],
		['log lines per node and minute', figures.lines.toFixed(0)],
	];
	const table = rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n');
	const faults = figures.faults.length === 0 ? 'Every check passed.' : `Faults:\n\n${figures.faults.map((fault) => `- ${fault}`).join('\n')}`;
	const { memory, handles } = figures.mayGrow;
	return `# Soak

\`scripts/soak [HOURS]\` runs a network on one machine under constant trouble, and writes this page. The nodes are
connected by lines with delay and loss. By a schedule that depends on a seed, the network is split and heals, and nodes
hang, or are killed with \`kill -9\` and restarted. Meanwhile a producer stores records and grants a reader access to
them through the \`isthmus\` command, and hostile peers lie to one node after another.

The soak ends with these checks: all nodes have one finalized chain, every record that the command acknowledged as
finalized can be read by its owner and its reader, and the node that is never killed has grown by at most ${memory} MiB and
${handles} handles.

Run on ${date} with \`${command}\`, ${node}, on ${machine}, whose load was ${load.toFixed(1)} before the run.
${faults}

| | |
|---|---|
${table}

- The lines are those of [scripts/lib/link.mjs](../scripts/lib/link.mjs). A lost piece delays everything behind it by 200
  ms, as on a TCP connection.
- Growth is the mean of the last sixth of the run, less the mean of the sixth that follows the first third.
`;
}
