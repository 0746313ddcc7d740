// SPDX-License-Identifier: Apache-2.0

// Stores for tests and benchmarks: an S3 server of others, a proxy that makes its faults, and a web server
// that sends ranges of files.

import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import * as programs from './child.mjs';
import { freePort } from './node.mjs';
import { until } from './rpc.mjs';

/** Returns the folder with the servers. */
function stores() {
	const path = process.env.ISTHMUS_STORES;
	if (!path) throw new Error('set ISTHMUS_STORES to the folder that scripts/stores prints');
	return path;
}

/** Resolves with the port that a server listens at, on the loopback interface. */
async function listen(server) {
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server.address().port;
}

/** Stops a server, with its connections. */
async function close(server) {
	const closed = once(server, 'close');
	server.close();
	server.closeAllConnections();
	await closed;
}

/** An S3 server with buckets: `moto`. It keeps what it has in memory, and takes any credentials. */
export class Moto {
	#child;
	port;

	/** Starts the server, with these buckets. */
	static async start(...buckets) {
		const moto = new Moto();
		const args = ['--host', '127.0.0.1', '--port', '0'];
		moto.#child = programs.start(join(stores(), 'bin/moto_server'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
		const at = /Running on http:\/\/127\.0\.0\.1:(\d+)/;
		const [, port] = at.exec(await programs.printed(moto.#child, 'stderr', at));
		moto.port = Number(port);
		for (const bucket of buckets) await moto.fetch(`/${bucket}`, { method: 'PUT' });
		return moto;
	}

	/** Sends a request. The server does not compare the signature, but wants one. */
	async fetch(path, options) {
		const authorization = 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';
		const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers: { authorization }, ...options });
		if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
		return Buffer.from(await answer.arrayBuffer());
	}

	/** Returns the names of the objects in a bucket. */
	async list(bucket) {
		const listed = String(await this.fetch(`/${bucket}?list-type=2`));
		return [...listed.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key);
	}

	/** Returns how many uploads to a bucket are unfinished. */
	async unfinished(bucket) {
		return String(await this.fetch(`/${bucket}?uploads`)).split('<UploadId>').length - 1;
	}

	async stop() {
		this.#child.kill();
		await programs.ended(this.#child);
	}
}

/** An S3 server that keeps what it has in a folder: `s3s-fs`. */
export class S3sFs {
	#child;
	port;

	static isInstalled() {
		return existsSync(join(stores(), 'bin/s3s-fs'));
	}

	/** Starts the server, with a bucket. */
	static async start(folder, bucket) {
		const server = new S3sFs();
		mkdirSync(join(folder, bucket), { recursive: true });
		server.port = await freePort();
		const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = settingsOf(server.port);
		const args = ['--access-key', key, '--secret-key', secret, '--host', '127.0.0.1', '--port', String(server.port), folder];
		server.#child = programs.start(join(stores(), 'bin/s3s-fs'), args, { stdio: 'ignore' });
		const isUp = () => fetch(`http://127.0.0.1:${server.port}/`).then(() => true, () => false);
		await programs.before(server.#child, 's3s-fs answers', until('s3s-fs answers', isUp));
		return server;
	}

	/** The number of its process. */
	get pid() {
		return this.#child.pid;
	}

	async stop() {
		this.#child.kill();
		await programs.ended(this.#child);
	}
}

/** A proxy in front of a store, which a test can tell to fail. */
export class StoreProxy {
	#server;
	port;
	/** How many requests came, by method. */
	seen = {};
	/**
	 * Decides about a request: returns nothing to pass it on, 'silent' for no answer, 'flip' to change its answer's last
	 * byte, or a status and a code of S3.
	 *
	 * @type {(request: object) => undefined | 'silent' | 'flip' | [number, string]}
	 */
	fault = () => undefined;

	/** Starts a proxy to a port of this machine. */
	static async start(to) {
		const proxy = new StoreProxy();
		proxy.#server = createServer((request, response) => {
			const { method } = request;
			proxy.seen[method] = (proxy.seen[method] ?? 0) + 1;
			const fault = proxy.fault(request);
			if (fault === 'silent') return request.resume();
			if (Array.isArray(fault)) {
				const [status, code] = fault;
				request.resume();
				response.writeHead(status);
				return response.end(`<Error><Code>${code}</Code></Error>`);
			}
			const options = { port: to, host: '127.0.0.1', method, path: request.url, headers: request.headers };
			const passed = ask(options, (answer) => {
				response.writeHead(answer.statusCode, answer.headers);
				if (fault !== 'flip') return answer.pipe(response);
				answer.on('data', (bytes) => {
					bytes[bytes.length - 1] ^= 1;
					response.write(bytes);
				});
				return answer.on('end', () => response.end());
			});
			passed.on('error', () => response.destroy());
			return request.pipe(passed);
		});
		proxy.port = await listen(proxy.#server);
		return proxy;
	}

	stop() {
		return close(this.#server);
	}
}

/** A web server that sends files of a folder, and ranges of them. */
export class FileServer {
	#server;
	port;
	/** How many answers were ranges. */
	ranges = 0;

	/** Starts a server with a certificate, as node:https takes it. */
	static async start(folder, certificate) {
		const files = new FileServer();
		files.#server = createSecureServer(certificate, (request, response) => {
			const path = join(folder, decodeURIComponent(new URL(request.url, 'https://host').pathname));
			const size = statSync(path, { throwIfNoEntry: false })?.size;
			if (size === undefined) return response.writeHead(404).end();
			const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
			if (from === undefined) {
				response.writeHead(200, { 'content-length': size });
				return request.method === 'HEAD' ? response.end() : createReadStream(path).pipe(response);
			}
			if (Number(from) >= size) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
			files.ranges += 1;
			const [start, end] = [Number(from), Math.min(Number(to), size - 1)];
			response.writeHead(206, { 'content-length': end - start + 1, 'content-range': `bytes ${start}-${end}/${size}` });
			return createReadStream(path, { start, end }).pipe(response);
		});
		files.port = await listen(files.#server);
		return files;
	}

	stop() {
		return close(this.#server);
	}
}

/** Returns the variables that lead to an S3 server at a port of this machine. */
export const settingsOf = (port) => ({
	AWS_ACCESS_KEY_ID: 'test',
	AWS_SECRET_ACCESS_KEY: 'test',
	AWS_REGION: 'us-east-1',
	AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
	AWS_ALLOW_HTTP: 'true',
});
