// SPDX-License-Identifier: Apache-2.0
// Tests the `isthmus` command with what people connect it to: pipes that close, full disks, FIFOs, devices, links and
// terminals. Each case is a script for bash, run in a folder of its own: to add one, add a line to a table. The
// scripts share one node, the accounts //Bob and $KEY, and three records of //Bob: `small`, `big` and the folder
// `docs`. node --test --test-name-pattern='a FIFO' scripts/tests/terminal.test.mjs runs some of them.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeAuthority } from '../lib/certificates.mjs';
import { LocalNode } from '../lib/node.mjs';
import { canMakeDevices, canMount, runInTerminal, runScript } from '../lib/terminal.mjs';

const PASSPHRASE = 'three plain words';
const [DONE, FAILED, USAGE, UNREACHABLE, REFUSED, NOT_AUTHENTIC] = [0, 1, 2, 3, 4, 5];
/** What no case may print: a panic, the system's numbers, the names of temporary files. */
const NEVER = /panicked|RUST_BACKTRACE|This is a bug|os error|\.tmp\w{6}/;
/** An address at which no node answers: a case that fails without a node fails before the work begins. */
const OFFLINE = 'ISTHMUS_URL=ws://127.0.0.1:1';
/** The code of a program that SIGINT ended, in a terminal. */
const INTERRUPTED = -2;
/** The exit code of `timeout`. */
const ENDED_BY_TIMEOUT = 124;

const program = process.env.ISTHMUS_CLI ?? join(dirname(process.env.ISTHMUS_NODE ?? ''), 'isthmus');

let node;
let folder;
let env;

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'isthmus-terminal-'));
	node = await LocalNode.start({ args: ['--dev', '--state-pruning', 'archive'] });
	env = {
		...process.env,
		PATH: `${dirname(program)}:${dirname(process.env.ISTHMUS_NODE ?? '')}:${process.env.PATH}`,
		// Two programs may take turns only in a folder that both can write to.
		HOME: folder,
		TERM: 'xterm',
		ISTHMUS_URL: node.url,
		ISTHMUS_KEY: '//Bob',
		RUST_BACKTRACE: '1',
		KEY: join(folder, 'school.key'),
		BIG: join(folder, 'big'),
		PASSPHRASE,
	};
	for (const name of ['ISTHMUS_PASSPHRASE', 'NO_COLOR', 'COLUMNS', 'TMPDIR']) delete env[name];
	// A location that the setup publishes.
	env.STORE = join(folder, 'store');
	writeFileSync(join(folder, 'ca.pem'), makeAuthority().certificate);
	// Nothing listens there, and the service goes on asking.
	writeFileSync(join(folder, 'feed.toml'), `source = "feed"
		ca = "ca.pem"
		[[topic]]
		name = "pm25"
		url = "https://127.0.0.1:1/"
		pointer = "/pm25"
		type = "integer"`);
	const prepared = await runScript(`
		set -eu
		export ISTHMUS_PASSPHRASE=$PASSPHRASE
		isthmus key generate $KEY
		account=$(isthmus key inspect $KEY | awk '/^account/ { print $2 }')
		isthmus transfer $account 1000 --key //Alice
		isthmus register School --kind school --key $KEY
		isthmus dataset create marks --key $KEY
		isthmus register Bob --kind school
		isthmus dataset create marks
		printf 'small\\n' > small
		isthmus store small
		head -c 3000000 /dev/urandom > $BIG
		isthmus store $BIG
		isthmus facts create feed --reporters //Bob --fresh 1d --finalized
		mkdir docs
		echo a > docs/a
		echo b > docs/b
		isthmus store docs
		mkdir $STORE
		isthmus transfer //Packer 1000 --key //Alice
		isthmus register Packer --kind school --key //Packer
		isthmus dataset create packed --key //Packer
		isthmus dataset locate 0 file://$STORE --finalized --key //Packer
	`, { cwd: folder, env });
	assert.equal(prepared.code, DONE, prepared.stderr);
});

after(async () => {
	await node?.stop();
	rmSync(folder, { recursive: true, force: true });
});

/**
 * Declares a test for each case of a table.
 *
 * @param {object[]} cases
 * `name`: what holds. `script`: what to run; it may check files, and ends with the code that is expected.
 * `code`: the expected exit code, by default 0. `stdout`, `stderr`, `screen`: what they match, or do not match.
 * `typed`, `columns`: run it in a terminal, `typed` being pairs of a text to wait for and an answer.
 * `mount`, `devices`, `file`: the script mounts file systems, creates devices, or needs a file that not every system has.
 */
function cases(table) {
	for (const one of table) {
		let skip = false;
		if (one.mount && !canMount) skip = 'this system does not let users mount file systems';
		if (one.devices && !canMakeDevices) skip = 'only root may create devices';
		if (one.file && !existsSync(one.file)) skip = `this system has no ${one.file}`;
		test(one.name, { skip }, () => run(one));
	}
}

/** Leaves out what a command says when it has waited for long, as it may on a busy machine. */
const withoutWaits = (text) => text?.replace(/^waiting (for|until) .*, for \d+ s.*\n/gm, '');

async function run({ script, typed, columns, mount, code = DONE, ...expected }) {
	const cwd = mkdtempSync(join(folder, 'case-'));
	const inTerminal = typed !== undefined || columns !== undefined;
	const outcome = await (inTerminal ? runInTerminal : runScript)(script, { cwd, env, mount, typed, columns });
	const shown = JSON.stringify(outcome, undefined, '  ');
	assert.equal(outcome.code, code, shown);
	for (const name of ['stdout', 'stderr', 'screen']) {
		const text = (name === 'stderr' ? withoutWaits(outcome[name]) : outcome[name]) ?? '';
		assert.doesNotMatch(text, NEVER, shown);
		for (const pattern of [expected[name] ?? []].flat()) assert.match(text, pattern, shown);
		for (const pattern of [expected.not?.[name] ?? []].flat()) assert.doesNotMatch(text, pattern, shown);
	}
	if (inTerminal) assert.ok(outcome.echoes, `the terminal does not show what is typed: ${shown}`);
}

describe('what is read need not be a regular file', () => cases([
	{
		name: 'a process substitution has no name',
		script: `${OFFLINE} isthmus store <(echo x)`,
		code: USAGE,
		stderr: /missing --name/,
	},
	{
		name: 'a process substitution is stored under a name',
		script: 'isthmus store <(printf stream) --name in-1 && isthmus fetch //Bob in-1 -o -',
		stdout: /stream$/,
	},
	{
		name: 'a card that names leaves is read once',
		script: `export ISTHMUS_KEY=//Carded; printf 'name,mark\\nAda,97\\n' > a.csv
			isthmus transfer //Carded 1000 --key //Alice; isthmus transfer //CardReader 1000 --key //Alice
			isthmus register Carded --kind school; isthmus dataset create marks; isthmus key publish --key //CardReader
			isthmus dataset describe 0 --card card --guess a.csv --leaf 2=March --leaf 2=May; [ $? = 2 ] || exit 9
			isthmus dataset describe 0 --card card --guess a.csv --leaf 2=March
			isthmus dataset describe 0 --card card --guess a.csv; [ $? = 1 ] || exit 9
			isthmus dataset describe 0 --card card --finalized
			isthmus authorize --to //CardReader --leaves March..March --card <(cat card) || exit 9
			unset ISTHMUS_KEY; isthmus dataset describe 0 --card <(cat card) --check --owner //Carded`,
		stdout: /grant \d+ opens .*leaves 2\.\.3.*\n.* is the card that \w+ published of dataset 0/,
		stderr: [/--leaf is given twice for leaf 2/, /card already exists\nhint: choose another --card/],
	},
	{
		name: 'a list without leaves reads no cards',
		script: 'ISTHMUS_CARDS=none isthmus list datasets --owner //Bob && isthmus list keepers --owner //Bob --cards none',
		code: USAGE,
		stdout: /marks/,
		stderr: /--cards is for `list records`/,
	},
	{
		name: '/dev/stdin has no name',
		script: `echo x | ${OFFLINE} isthmus store /dev/stdin`,
		code: USAGE,
		stderr: /missing --name/,
	},
	{
		name: '/dev/stdin is stdin',
		script: 'printf stdin | isthmus store /dev/stdin --name in-2 && isthmus fetch //Bob in-2 -o -',
		stdout: /stdin$/,
	},
	{
		name: 'an open file is stored under a name',
		script: 'isthmus store /dev/fd/7 --name in-3 7< <(printf seven) && isthmus fetch //Bob in-3 -o -',
		stdout: /seven$/,
	},
	{
		name: 'a FIFO has a name',
		script: 'mkfifo in-4; printf fifo > in-4 & isthmus store in-4 && isthmus fetch //Bob in-4 -o -',
		stdout: /fifo$/,
	},
	{
		name: 'a file of /proc is read to its end',
		script: 'isthmus store /proc/version --name in-5 && isthmus fetch //Bob in-5 -o - | cmp - /proc/version',
	},
	{
		name: 'a file that says it is longer than it is, as in /sys, is read to its end',
		script: 'file=$(find /sys/kernel /sys/fs -maxdepth 2 -type f -readable -size 8 2> /dev/null | head -n 1)\n'
			+ '[ -n "$file" ] || exit 0; isthmus store $file --name in-6 && isthmus fetch //Bob in-6 -o - | cmp - $file',
	},
	{
		name: 'a stream may be large',
		script: 'cat $BIG | isthmus store - --name in-7 && isthmus fetch //Bob in-7 -o - | cmp - $BIG',
	},
	{
		name: 'a link is followed, and gives the name',
		script: 'ln -s $BIG in-8; isthmus store in-8 && isthmus fetch //Bob in-8 -o - | cmp - $BIG',
	},
	{
		name: 'a device without an end is refused',
		script: `${OFFLINE} isthmus store /dev/zero --name zero`,
		code: FAILED,
		stderr: /dev\/zero is a device\nhint: .*isthmus store -/,
	},
	{
		name: 'a socket is refused',
		script: `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'; ${OFFLINE} isthmus store s`,
		code: FAILED,
		stderr: /error: s is a socket/,
	},
	{
		name: 'a folder as stdin is refused',
		script: 'isthmus store - --name none < .',
		code: FAILED,
		stderr: /error: stdin: Is a directory/,
	},
	{
		// Not even root may read these two. The first exists if the system can compact its memory.
		name: 'files of a folder that cannot be read are named before anything is sent',
		file: '/proc/sys/vm/compact_memory',
		script: `${OFFLINE} isthmus store /proc/sys/vm --name none`,
		code: FAILED,
		stderr: /error: \/proc\/sys\/vm\/compact_memory: Permission denied, .*\/drop_caches: Permission denied/,
	},
	{
		name: 'a chain specification or a measurement without an end is refused',
		script: 'for file in /dev/zero - /dev/stdin; do isthmus status --chain-spec $file < /dev/zero; [ $? = 2 ] || exit 9; done\n'
			+ 'isthmus risk --depth 0..5 --plot x.svg --measured /dev/zero',
		code: USAGE,
		stderr: /(error: \S+ is longer than 134.2 MB, so it is not a chain specification\n){3}.*\/dev\/zero is longer than 67.1 MB, so/,
	},
	{
		name: 'a stream that cannot be kept says where',
		script: 'TMPDIR=/nowhere isthmus store - --name none < <(cat $BIG)',
		code: FAILED,
		stderr: /cannot keep stdin in \/nowhere: No such file or directory\nhint: .*TMPDIR/,
	},
	{
		name: 'an empty TMPDIR is none',
		script: 'mkdir disk; mount -t tmpfs -o ro none disk; cd disk; TMPDIR= isthmus store - --name none --dry-run < <(cat $BIG)',
		stdout: /dry run, nothing was sent/,
		mount: true,
	},
	{
		name: 'links, FIFOs and the like in a folder are skipped, and named',
		script: 'mkdir d; echo a > d/a; mkfifo d/pipe; ln -s a d/link; ln -s / d/whole\n'
			+ 'isthmus store d --name in-9 && isthmus fetch //Bob in-9 --folder -o out && ls out',
		stdout: /\na$/m,
		stderr: [/skipped.*d\/pipe/, /skipped.*d\/link/, /skipped.*d\/whole/],
	},
	{
		name: 'a link to a folder is followed, and not said to be skipped',
		script: 'mkdir d; echo a > d/a; ln -s d current; isthmus store current --name in-12 --json\n'
			+ 'isthmus store "$PWD/current" --name in-13 --dry-run && isthmus sync current --name in-14 --key //Packer',
		stdout: [/"files":1,/, /"skipped":\[\]/, /stored 1 file/],
		not: { stderr: /skipped/ },
	},
	{
		name: 'an empty file, a sparse file and a file with odd modes are fetched as they were stored',
		script: 'mkdir d; : > d/empty; truncate -s 2M d/sparse; echo s > d/suid; chmod 4755 d/suid\n'
			+ 'isthmus store d --name in-10 && isthmus fetch //Bob in-10 --folder -o out && diff -r d out && [ -x out/suid ]'
			+ ' && [ ! -u out/suid ]',
	},
	{
		name: 'deep paths, the longest names, case pairs, two forms of a letter, hard links and read-only folders come back',
		script: 'deep=d/$(printf "n/%.0s" {1..200}); mkdir -p $deep d/ro; echo f > ${deep}f; ln ${deep}f d/hard\n'
			+ 'for name in $(printf "x%.0s" {1..255}) A a $\'\\xc3\\xa9\' $\'e\\xcc\\x81\' ro/f; do printf "$name" > "d/$name"; done\n'
			+ 'chmod 400 d/ro/f; chmod 555 d/ro; isthmus store d --name in-11 && isthmus fetch //Bob in-11 --folder -o out\n'
			+ 'code=$?; chmod 755 d/ro; diff -r d out && exit $code',
	},
	{
		name: 'what isthmus writes while it stores a folder is left out, and named',
		script: 'mkdir -p h/.config/isthmus h/.local/state/isthmus/more; echo a > h/a; echo b > h/.config/b\n'
			+ 'touch h/.config/isthmus/c h/.local/state/isthmus/{isthmus-x.lock,more/d}; export HOME=$PWD/h; unset XDG_CONFIG_HOME\n'
			+ 'isthmus sync h --name in-17 --key //Packer && isthmus list files in-17 --owner //Packer --key //Packer && isthmus store h --name in-18 --dry-run',
		stdout: /^\.config\/b\n\.local\/state\/\na\n/m,
		stderr: /^(skipped, because it is a key file, or this program keeps it for itself: h\/\.(config|local\/state)\/isthmus\n){2}/m,
		not: { stdout: /isthmus-x|more/ },
	},
	{
		name: 'what matches a pattern is left out, whatever it is, and leaves a folder that is stored',
		script: 'mkdir -p d/a/build d/build d/lost+found; touch d/a/build/o d/build/o d/12:30 d/lost+found/x d/c; mkfifo d/pipe\n'
			+ 'isthmus sync d --name in-22 --key //Packer --exclude "1?:*" --exclude pipe && isthmus sync d --name in-22 --key //Packer'
			+ ' --exclude=/build/ --exclude "*:*" --exclude pipe --exclude lost+found --exclude "*.tmp" && isthmus list files in-22 --owner //Packer --key //Packer\n'
			+ 'isthmus store d --name in-23 --exclude "*:*" --exclude pipe && isthmus list files in-23 --owner //Bob',
		stdout: /stored 4 files[^]*stored 2 files[^]* 2 removed[^]*\na\/build\/o\nc\n[^]*\na\/build\/o\nbuild\/o\nc\nlost\+found\/x\n$/,
		stderr: /^nothing matches --exclude \*\.tmp: names are compared, or paths from d on; what is in a folder that is left out is not looked at\n$/,
	},
	{
		name: 'a pattern that nothing matches is also said when the folder is refused',
		script: `mkdir d; touch d/12:30; ${OFFLINE} isthmus store d --name none --exclude d/12:30 --exclude '12?31'`,
		code: FAILED,
		stderr: /^error: these names cannot be .*\nhint: .*; nothing matches --exclude d\/12:30: names are compared, or paths from d on; nothing matches --exclude 12\?31: .*\n$/,
	},
	{
		name: 'a pattern that nothing matches is also said by remove --unfinished',
		script: `mkdir d; touch d/a; ${OFFLINE} isthmus remove none --unfinished d --exclude b; [ $? = 3 ]`,
		stderr: /^nothing matches --exclude b: names are compared, or paths from d on\n/,
	},
	{
		// IN_OPEN of inotify.
		name: 'a folder that is left out is not opened',
		script: `mkdir -p d/out/deep d/in; touch d/out/deep/x d/in/a; python3 -c '
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
seen = libc.inotify_init1(os.O_NONBLOCK)
assert libc.inotify_add_watch(seen, b"d/out", 0x20) > 0
done = subprocess.run(["isthmus", "store", "d", "--name", "in-30", "--exclude", "out", "--dry-run"])
try: opened = os.read(seen, 4096)
except BlockingIOError: opened = b""
sys.exit(done.returncode or (9 if opened else 0))'`,
		stdout: /dry run/,
	},
	{
		name: 'a current folder that was deleted is not taken for an empty one, and takes no output',
		script: `export ${OFFLINE}; mkdir gone; cd gone; rmdir ../gone
			for command in 'store . --name none' 'sync . --name none' 'store none' 'fetch //Bob docs --folder -o .' 'fetch //Bob small' 'man -o pages'; do
			isthmus $command; [ $? = 1 ] || exit 9; done`,
		stderr: /^(error: .*\nhint: the current folder was deleted: .*\n){6}$/,
	},
	{
		name: 'patterns are for folders',
		script: `echo a > a; ${OFFLINE} isthmus store a --exclude b; [ $? = 2 ] || exit 9; ${OFFLINE} isthmus remove a --exclude b; [ $? = 2 ] || exit 8
			mkdir d; ${OFFLINE} isthmus store d --exclude '[a'`,
		code: USAGE,
		stderr: [/--exclude is for folders, and this is one record/, /--exclude is for a folder: --unfinished FOLDER/, /expected the pattern of a name, such as \*\.tmp/],
	},
	...['isthmus sync d --name in-30', 'isthmus store $BIG --object --name in-31'].map((command) => ({
		name: `an object that is gone is an error with a way to see that: ${command}`,
		script: `mkdir d away; echo a > d/a; ls $STORE > before; export ISTHMUS_KEY=//Packer\n`
			+ `${command} && (cd $STORE; ls | comm -13 $OLDPWD/before - | xargs mv -t $OLDPWD/away)\n`
			+ `${command}; code=$?; mv away/* $STORE; exit $code`,
		code: FAILED,
		stderr: /no location has the object[^\n]* not there\nhint: see what the locations lack: isthmus check \w+ 0\n/,
	})),
	{
		name: 'the objects of a record that is not there are not said to be elsewhere',
		script: 'isthmus remove not-there --objects --yes',
		code: REFUSED,
		stderr: /^error: no record is stored as not-there\nhint: list your records: isthmus list records\n$/,
	},
	{
		name: 'a file that is too long for blocks may become an object',
		script: 'truncate -s 33G sparse; isthmus store sparse --in-blocks',
		code: REFUSED,
		stderr: /the value is too long: [^]*\nhint: store it as an object, [^]* isthmus dataset locate DATASET URL, and then --object/,
	},
	{
		name: 'a folder around the location of its objects is refused before anything is sent',
		script: 'ls -R $STORE > before\n'
			+ 'isthmus sync $STORE --name in-19 --key //Packer; code=$?; ls -R $STORE | cmp - before && exit $code',
		code: FAILED,
		stderr: /error: \S+\/store contains the location file:\/\/\S+\/store, [^]*\nhint: store another folder; or move the objects, .*isthmus dataset locate/,
	},
	{
		name: 'names that cannot be in a folder: the hint leads to an archive',
		script: `mkdir d; touch d/12:30; ${OFFLINE} isthmus store d --name none`,
		code: FAILED,
		stderr: /error: these names cannot be in a folder: d\/12:30\. [^]*\nhint: rename them, leave them out with --exclude, or store an archive: tar c/,
	},
	{
		name: 'all names that cannot be in a folder are there for programs, and names that are not UTF-8 differ',
		script: `mkdir d; for byte in 1 2 3 4 5 6; do touch "$(printf "d/x\\37$byte")"; done; for i in $(seq 20); do touch d/a:$i; done; export ${OFFLINE}
			isthmus store d --name none; [ $? = 1 ] || exit 9; isthmus sync d --name none --json`,
		code: FAILED,
		stderr: [/^error: 26 names cannot be in a folder\. A name is UTF-8 without .*\n( {2}d\/a:\d+\n){20} {2}and 6 more\nhint: rename them/,
			/"listed":\[("d\/a:\d+",){20}"d\/x\\\\xf9","d\/x\\\\xfa","d\/x\\\\xfb","d\/x\\\\xfc","d\/x\\\\xfd","d\/x\\\\xfe"\]/],
	},
	{
		name: 'a folder of which everything is left out is not stored as an empty one',
		script: `mkdir d; touch d/a; export ${OFFLINE}; isthmus store d --name none --exclude '*'; [ $? = 1 ] || exit 9
			isthmus sync d --name none --exclude a`,
		code: FAILED,
		stderr: /^(error: --exclude leaves out all files of d\nhint: change the patterns: .*\n){2}$/,
	},
	{
		name: 'a measurements file may be a stream',
		script: `isthmus risk --depth 0..5 --plot x.svg --measured <(echo '{"share":0.3,"depth":1,"trials":9,"successes":5}')`,
	},
]));

describe('isthmus sync takes a folder', () => cases([
	{
		name: 'a file, a FIFO or a device is not taken for an empty folder',
		script: `touch file; mkfifo pipe; for path in file pipe /dev/null; do ${OFFLINE} isthmus sync $path --name d; [ $? = 1 ] || exit 9; done`,
		stderr: /^(error: \S+ is not a folder\nhint: .*`isthmus store`\n){3}$/,
	},
	{
		name: 'a folder without a name, and one that does not exist',
		script: `for path in . .. - /dev/stdin; do ${OFFLINE} isthmus sync $path; [ $? = 2 ] || exit 9; done; ${OFFLINE} isthmus sync none`,
		code: FAILED,
		stderr: /^(error: missing --name: .*\n){4}error: none: No such file or directory\n$/,
	},
	{
		name: 'several at once take turns',
		script: 'mkdir d; for i in 1 2 3 4; do echo $i > d/$i; done; started=\n'
			+ 'for i in 1 2 3; do isthmus sync d --name sync-1 --key //Packer > out-$i & started="$started $!"; done\n'
			+ 'for i in $started; do wait $i || exit 9; done; cat out-* | grep -c "stored 4 files"; cat out-* | grep -c "already stored"\n'
			+ 'isthmus fetch //Packer sync-1 --folder -o out --key //Packer && diff -r d out',
		stdout: /^1\n2\n/,
	},
	{
		name: 'a folder whose files are gone, as if its disk were, leaves what is stored alone',
		script: 'mkdir d; echo a > d/a; isthmus sync d --name sync-3 --key //Packer && rm d/a || exit 9; isthmus sync d --name sync-3 --key //Packer\n'
			+ 'code=$?; isthmus fetch //Packer sync-3 --folder -o out --key //Packer && cat out/a; exit $code',
		code: FAILED,
		stdout: /^a$/m,
		stderr: /^error: the folder has no files, and the version that is stored has some: is its disk there\?\nhint: if all of them are to go, pass --allow-empty\n$/,
	},
	{
		name: 'names that are long, alike or odd come back',
		script: 'mkdir -p d/n; for name in $(printf "x%.0s" {1..255}) A a $\'\\xc3\\xa9\' $\'e\\xcc\\x81\' -x \'a b\'; do printf %s "$name" > "d/n/$name"; done\n'
			+ 'isthmus sync d --name sync-2 --key //Packer && isthmus fetch //Packer sync-2 --folder -o out --key //Packer && diff -r d out',
	},
]));

describe('what is written to need not be a regular file', () => cases([
	{
		name: 'a device is not replaced',
		script: 'mknod null c 1 3; isthmus fetch //Bob small -o null --force; [ -c null ] && [ $(ls | wc -l) = 1 ]',
		devices: true,
	},
	{
		name: 'a device needs no --force',
		script: 'isthmus fetch //Bob small -o /dev/null && [ -c /dev/null ]',
	},
	{
		name: 'a full device is an error',
		script: 'isthmus fetch //Bob small -o /dev/full',
		code: FAILED,
		stderr: /error: \/dev\/full: No space left on device/,
	},
	{
		name: 'a FIFO is written through',
		script: 'mkfifo p; cat p > got & isthmus fetch //Bob small -o p --force; wait; [ -p p ] && cat got',
		stdout: /^small$/m,
	},
	{
		name: 'a process substitution is written through',
		script: 'isthmus fetch //Bob small -o >(cat > got; echo done > end); while [ ! -e end ]; do sleep 0.02; done; cat got',
		stdout: /^small$/m,
	},
	{
		name: '/dev/stdout is stdout',
		script: 'isthmus fetch //Bob small -o /dev/stdout | cat',
		stdout: /^small\n$/,
	},
	{
		name: '/dev/stdout may be a file',
		script: 'isthmus fetch //Bob small -o /dev/stdout > got && cat got',
		stdout: /^small\n$/,
	},
	{
		name: 'an open file keeps what it has, by any of its names',
		script: 'for name in /dev/stdout /dev/fd/1 /proc/self/fd/1 /dev/stderr /dev/fd/2 /dev/fd/7; do\n'
			+ '{ echo before >> got; isthmus fetch //Bob small -o $name --force; echo after >&7; } >> got 2>> got 7>> got; cat got; rm got\n'
			+ 'done',
		stdout: /^(before\nsmall\nafter\n){6}$/,
	},
	{
		name: 'stdout that is a file is not written from its start again',
		script: '{ echo before; isthmus fetch //Bob small -o /dev/fd/1; echo after; } > got; cat got',
		stdout: /^before\nsmall\nafter\n$/,
	},
	{
		name: 'a file that is not open is noticed before the work',
		script: `${OFFLINE} isthmus fetch //Bob small -o /dev/fd/9`,
		code: FAILED,
		stderr: /\/dev\/fd\/9 is not open\nhint: open it in the shell, as by 3> FILE/,
	},
	{
		name: 'a reader that has gone before all is written is an error, as for cat',
		script: `mkfifo p; true < p & isthmus fetch //Bob big -o p; [ $? = 1 ] && [ -p p ] || exit 9
			isthmus fetch //Bob big -o >(head -c 3 > /dev/null); [ $? = 1 ] || exit 8
			isthmus fetch //Bob big -o - | head -c 3 > /dev/null; exit \${PIPESTATUS[0]}`,
		code: FAILED,
		stderr: /^(error: (p|\/dev\/fd\/\d+|cannot write to stdout): the program that reads it has ended before all was written\n){3}$/,
	},
	{
		name: 'a link stays, and its target is replaced',
		script: 'mkdir far; echo old > far/file; chmod 640 far/file; ln -s far/file link\n'
			+ 'isthmus fetch //Bob small -o link --force && [ -L link ] && [ $(stat -c %a far/file) = 640 ] && cat far/file'
			+ ' && [ $(ls far | wc -l) = 1 ]',
		stdout: /^small$/m,
	},
	{
		name: 'a link to a device is written through',
		script: 'ln -s /dev/null link; isthmus fetch //Bob small -o link --force && [ -L link ] && [ -c /dev/null ]',
	},
	{
		name: 'a replaced file keeps its permissions, and a new one is private, as is a new folder',
		script: 'umask 022; echo old > a; isthmus fetch //Bob small -o a --force && isthmus fetch //Bob small -o b'
			+ ' && isthmus fetch //Bob docs --folder -o new/docs && stat -c %a a b new new/docs',
		stdout: /^644\n600\n700\n700$/m,
	},
	{
		name: 'a file that exists is noticed before the work',
		script: `echo old > a; ${OFFLINE} isthmus fetch //Bob big -o a; code=$?; [ $(ls | wc -l) = 1 ] && exit $code`,
		code: FAILED,
		stderr: /a already exists\nhint: .*--force/,
	},
	{
		name: 'a link that leads to nothing is noticed before the work',
		script: `ln -s none a; ${OFFLINE} isthmus fetch //Bob big -o a; code=$?; [ -L a ] && [ $(ls | wc -l) = 1 ] && exit $code`,
		code: FAILED,
		stderr: /a is a link that leads to nothing/,
	},
	{
		name: 'links that lead to themselves are noticed before the work',
		script: `ln -s b a; ln -s a b; ${OFFLINE} isthmus fetch //Bob big -o a --force`,
		code: FAILED,
		stderr: /a: Too many levels of symbolic links/,
	},
	{
		name: 'a folder gets a file with the name of the record',
		script: 'mkdir a; isthmus fetch //Bob small -o a && isthmus fetch //Bob small -o a/ --force && cat a/small',
		stdout: /^a\/small: [^]*^small$/m,
	},
	{
		name: 'a file in a folder is not replaced without --force, nor is a folder',
		script: `mkdir -p a/big; touch a/small; ${OFFLINE} isthmus fetch //Bob small -o a; ${OFFLINE} isthmus fetch //Bob big -o a --force`,
		code: FAILED,
		stderr: [/a\/small already exists\nhint: .*--force/, /a\/big is a folder\nhint: .*a\/big\/NAME/],
	},
	{
		name: 'a record with the name of stdout is a file',
		script: 'printf x > -; isthmus store ./- && rm ./- && isthmus fetch //Bob - && cat ./-',
		stdout: /x$/,
	},
	{
		name: 'a folder needs a name for the file',
		script: `mkdir a; ${OFFLINE} isthmus fetch //Bob 0x${'00'.repeat(32)} -o a`,
		code: FAILED,
		stderr: /a is a folder\nhint: .*a\/NAME/,
	},
	{
		name: 'a folder that does not exist is noticed before the work',
		script: `${OFFLINE} isthmus fetch //Bob big -o none/a`,
		code: FAILED,
		stderr: /the folder none does not exist\nhint: .*mkdir -p none/,
	},
	{
		name: 'a folder that is a file is noticed before the work',
		script: `touch none; ${OFFLINE} isthmus fetch //Bob big -o none/a`,
		code: FAILED,
		stderr: /error: none/,
	},
	{
		name: 'a name that ends as that of a folder is one',
		script: `for output in none/ none/. none/..; do ${OFFLINE} isthmus fetch //Bob big -o $output; [ $? = 1 ] || exit 9\n`
			+ `${OFFLINE} isthmus receipt 1 -o $output; isthmus risk --depth 0..5 --plot $output; isthmus key generate $output; done; ls; exit 1`,
		code: FAILED,
		stdout: /^$/,
		stderr: /^(error: the folder none\/\S* does not exist\nhint: create it: mkdir -p none\/\S*\n){12}$/,
	},
	{
		name: 'a folder that does not exist can be made by what the hint says',
		script: `for output in a/ b/. c/./ 'no ne/' ./-x/; do ${OFFLINE} isthmus fetch //Bob big --output="$output" 2> said; [ $? = 1 ] || exit 9\n`
			+ 'cat said >&2; eval "$(sed -n "s/^hint: create it: //p" said)" && isthmus fetch //Bob small --output="$output" || exit 8; done; LC_ALL=C ls ./*/small',
		stdout: /^\.\/-x\/small\n\.\/a\/small\n\.\/b\/small\n\.\/c\/small\n\.\/no ne\/small$/m,
		stderr: /(error: the folder .* does not exist\nhint: create it: mkdir -p .*\n){5}/,
	},
	{
		name: 'what a hint says of a record is run as it is written, whatever its name is',
		script: `for name in -y "it's new" '-$(x) "y"'; do echo 1 > "./$name"; isthmus store "./$name" || exit 9; echo 2 > "./$name"\n`
			+ `isthmus store "./$name" 2> said; [ $? = ${REFUSED} ] || exit 8; eval "$(sed -n "s/^hint: .*first: //p" said)" || exit 7\n`
			+ 'isthmus store "./$name" || exit 6; done',
		stdout: [/removed -y$/m, /removed it's new$/m, /removed -\$\(x\) "y"$/m],
	},
	{
		name: 'pages are not written over a file',
		script: 'touch pages; isthmus man -o pages; [ $? = 1 ] && isthmus man -o pages/below',
		code: FAILED,
		stderr: /(error: pages is not a folder\nhint: choose another --output\n){2}/,
	},
	{
		name: 'a socket is noticed before the work',
		script: `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'\n`
			+ `${OFFLINE} isthmus fetch //Bob big -o s --force; code=$?; [ -S s ] && exit $code`,
		code: FAILED,
		stderr: /s is a socket/,
	},
	{
		name: 'a block device is not written to',
		script: `mknod disk b 7 0; ${OFFLINE} isthmus fetch //Bob big -o disk --force; code=$?; [ -b disk ] && exit $code`,
		code: FAILED,
		stderr: /disk is a device/,
		devices: true,
	},
	{
		name: 'a FIFO where a file of a folder has to be is not waited for',
		script: 'mkdir out; mkfifo out/b; isthmus fetch //Bob docs --folder -o out; code=$?; [ -p out/b ] && cat out/a && exit $code',
		code: FAILED,
		stderr: /error: 1 of 2 files were not fetched\n {2}b: out\/b is not a regular file\nhint: .*--force replaces only files by files; the same command again/,
	},
	{
		name: 'a link where a file of a folder has to be is not followed',
		script: 'mkdir out; echo b > far; ln -s ../far out/b; isthmus fetch //Bob docs --folder -o out; code=$?\n'
			+ '[ -L out/b ] && exit $code',
		code: FAILED,
		stderr: /error: 1 of 2 files were not fetched\n {2}b: out\/b is not a regular file\nhint: .*the same command again/,
	},
	{
		name: 'a device where a file of a folder has to be is not replaced',
		script: 'mkdir out; mknod out/b c 1 3; isthmus fetch //Bob docs --folder -o out; code=$?; [ -c out/b ] && exit $code',
		code: FAILED,
		stderr: /error: 1 of 2 files were not fetched\n {2}b: out\/b is not a regular file\nhint: .*the same command again/,
		devices: true,
	},
	{
		name: 'a file where a folder has to be is noticed before the work',
		script: `touch out; ${OFFLINE} isthmus fetch //Bob docs --folder -o out`,
		code: FAILED,
		stderr: /out is not a folder/,
	},
	{
		name: 'a link to a folder is a folder',
		script: 'mkdir far; ln -s far out; isthmus fetch //Bob docs --folder -o out && cat far/a far/b',
		stdout: /a\nb/,
	},
	{
		name: 'a plot is written through a link and to a device',
		script: 'touch far.svg; ln -s far.svg plot.svg; isthmus risk --depth 0..5 --plot plot.svg && [ -L plot.svg ] && [ -s far.svg ]',
	},
	{
		name: 'a plot has the permissions of the file that it replaces, also if its owner cannot be the same',
		script: `chown_less() { if [ $(id -u) = 0 ]; then setpriv --bounding-set=-chown "$@"; else "$@"; fi; }
			touch plot.svg; chmod 600 plot.svg; [ $(id -u) != 0 ] || chown 1:1 plot.svg
			chown_less isthmus risk --depth 0..5 --plot plot.svg && [ -s plot.svg ] && [ $(stat -c %a plot.svg) = 600 ]`,
	},
	{
		name: 'the folder of a plot is looked for before the simulation',
		script: 'isthmus risk --depth 0..5 --simulate 100000000000 --plot none/plot.svg',
		code: FAILED,
		stderr: /the folder none does not exist/,
	},
]));

/** Commands that print something, of every kind, with their exit codes. */
const PRINTING = [
	['isthmus --help', DONE],
	['isthmus key --help', DONE],
	['isthmus help store', DONE],
	['isthmus --version', DONE],
	['isthmus risk', DONE],
	['isthmus risk --json', DONE],
	['isthmus risk --depth 0..5 --plot -', DONE],
	['isthmus man', DONE],
	['isthmus completions zsh', DONE],
	['isthmus key inspect $KEY', DONE],
	['isthmus key inspect $KEY --json', DONE],
	['isthmus status', DONE],
	['isthmus status --json', DONE],
	['isthmus balance', DONE],
	['isthmus list records', DONE],
	['isthmus trace record //Bob small --json', DONE],
	['isthmus fetch //Bob small -o -', DONE],
	['isthmus fetch //Bob big -o -', DONE],
	['isthmus fetch //Bob small -o /dev/stdout', DONE],
	['isthmus store small', DONE],
	['isthmus sync ../docs --key //Packer', DONE],
	['isthmus sync ../docs --json --key //Packer', DONE],
	['isthmus transfer //Alice 1', DONE],
];
/** Commands that print an error or a note. */
const TELLING = [
	['isthmus balance unknown', USAGE],
	['isthmus', USAGE],
	['isthmus store missing', FAILED],
	['isthmus --json store missing', FAILED],
	['isthmus requests', DONE],
	['isthmus list given', DONE],
	['isthmus trace reader //Eve', DONE],
	['isthmus risk --depth 0..1 --simulate 1000', DONE],
	['isthmus key inspect /dev/null', NOT_AUTHENTIC],
];

describe('outputs may be closed or full', () => {
	// What `fetch` writes is for its reader to have whole.
	cases(PRINTING.filter(([command]) => !command.includes(' fetch ')).map(([command, code]) => ({
		name: `${command} | true`,
		script: `cp ../small .; ${command} | true; exit \${PIPESTATUS[0]}`,
		code,
		not: { stderr: /./ },
	})));
	cases(PRINTING.map(([command]) => ({
		name: `${command} > /dev/full`,
		script: `cp ../small .; ${command} > /dev/full`,
		code: FAILED,
		stderr: /^\S*(error: |"error":")cannot write to stdout: No space left on device(\S*|\nhint: the transaction 0x\w{64} is in a block, .*)\n$/,
	})));
	// As GNU's programs do it; and nothing is done that would be paid for.
	for (const [what, redirection] of [['closed', '>&-'], ['open for reading only', '1< small']]) {
		cases(PRINTING.map(([command]) => ({
			name: `${command} with an stdout that is ${what}`,
			script: `cp ../small .; ${command} ${redirection}`,
			code: FAILED,
			stderr: /^(error: |\{"code":1,"error":")cannot write to stdout: it is closed, or open for reading only/,
			not: { stderr: /is in a block/ },
		})));
	}
	for (const [name, redirection] of [['full', '2> /dev/full'], ['closed', '2>&-'], ['not read', '2> >(true)']]) {
		cases(TELLING.map(([command, code]) => ({
			name: `${command}, with an stderr that is ${name}`,
			script: `${command} ${redirection}`,
			code,
		})));
	}
	cases([
		{
			name: 'isthmus serve continues if no one reads its messages',
			script: 'timeout 2 isthmus serve > /dev/full 2> /dev/full',
			code: ENDED_BY_TIMEOUT,
		},
		{
			name: 'a command that prints nothing needs no stdout',
			script: 'isthmus man --output pages >&- && [ -s pages/isthmus-fetch.1 ]',
		},
		{
			name: 'nothing is paid for if it could not be printed',
			script: 'before=$(isthmus balance //Bob | grep free); isthmus transfer //Alice 1 >&-; [ $? = 1 ] || exit 9\n'
				+ 'isthmus store ../big --name unprinted >&-; [ "$(isthmus balance //Bob | grep free)" = "$before" ]',
		},
		{
			name: 'a service that could not print says so before it begins',
			script: 'isthmus serve >&-; [ $? = 1 ] && isthmus gateway --listen 127.0.0.1:0 1< ../small',
			code: FAILED,
			stderr: /^(error: cannot write to stdout.*\nhint: .*\/dev\/null\n){2}$/,
		},
		{
			name: 'the new version of a folder is in a block although its report cannot be written',
			script: 'mkdir d; echo 1 > d/a; isthmus sync d --name out-1 --key //Packer && echo 2 > d/a\n'
				+ 'isthmus sync d --name out-1 --key //Packer > /dev/full; [ $? = 1 ] && isthmus sync d --name out-1 --key //Packer',
			stdout: /already stored as out-1\n/,
			stderr: /^error: cannot write to stdout: .*\nhint: the transaction 0x\w{64} is in a block, so do not run this again: block \d+: stored 1 file/,
		},
		{
			name: 'with --json, errors are JSON on stderr, and all else there is words',
			script: 'cp $KEY key; chmod 644 key; ISTHMUS_PASSPHRASE=another-one isthmus balance --json --key key',
			code: NOT_AUTHENTIC,
			stderr: /^warning: others can read key[^\n]*\n\{"code":5,"error":[^\n]*\}\n$/,
		},
		{
			name: 'with --json, an error about the help is JSON, too',
			script: 'isthmus --json --help > /dev/full; [ $? = 1 ] && isthmus --json --version >&-',
			code: FAILED,
			stderr: /^(\{"code":1,"error":"cannot write to stdout: [^\n]*\}\n){2}$/,
		},
		{
			name: 'a full stdout and a full stderr',
			script: 'isthmus risk > /dev/full 2> /dev/full',
			code: FAILED,
		},
	]);
	cases([
		['isthmus-node key generate'],
		['isthmus-node key inspect //Alice'],
		['isthmus-node export-chain-spec --chain dev'],
		['isthmus-node --help'],
	].map(([command]) => ({
		name: `${command} | true`,
		script: `${command} | true; code=\${PIPESTATUS[0]}; [ $code = 0 ] || [ $code = 141 ]`,
		not: { stderr: /./ },
	})));
	cases([
		['isthmus-node key generate'],
		['isthmus-node key inspect //Alice'],
	].map(([command]) => ({
		name: `${command} > /dev/full`,
		script: `${command} > /dev/full`,
		code: FAILED,
		stderr: /No space left on device/,
	})));
});

const ask = ['Passphrase of', `${PASSPHRASE}\r`];
/** Types the word of which the number was asked for: see terminal.py. */
const WORD = '@word';
const writtenDown = Array.from({ length: 3 }, () => ['Word ', WORD]);

describe('the terminal is asked, whatever the standard streams are', () => cases([
	{
		name: 'stdin may be a pipe',
		script: 'printf piped | isthmus store - --name tty-1 --key $KEY',
		typed: [ask],
		screen: /stored 5 B as tty-1/,
		not: { screen: new RegExp(PASSPHRASE) },
	},
	{
		name: 'what is typed may be stored, and the end is said',
		script: 'isthmus store - --name tty-4 && isthmus fetch //Bob tty-4 -o - | cat',
		typed: [['reading from the terminal until Ctrl-D', 'typed\r\u0004', true]],
		screen: /stored 6 B as tty-4/,
	},
	{
		name: 'authorize shows the request, and asks before it grants it',
		script: 'isthmus request //Bob --leaves 7..9 --purpose "a study" --key //Charlie > asked; '
			+ 'n=$(grep -o "request [0-9]*" asked | cut -d" " -f2); isthmus authorize $n; [ $? = 1 ] && isthmus authorize $n',
		typed: [['[y/N] ', 'n\r', true], ['[y/N] ', 'y\r', true]],
		screen: [
			/Request \d+, digest [0-9a-f]{16}: open leaves 7\.\.9 of dataset 0, epoch 0 to \w+ for \d+ blocks, for 0 IST\? Purpose: a study\./,
			/not confirmed/,
			/opens leaves 7\.\.9/,
		],
	},
	{
		name: 'the passphrase is asked for before stdin is read',
		script: 'mkfifo in; isthmus store - --name tty-2 --key $KEY <> in',
		typed: [['Passphrase of', 'not this one\r']],
		code: NOT_AUTHENTIC,
		screen: /the passphrase does not open/,
	},
	{
		name: 'stdout and stderr may be files, and do not get the prompt',
		script: 'isthmus balance --key $KEY > out 2> err; code=$?; [ -s out ] && [ ! -s err ] && exit $code',
		typed: [ask],
	},
	{
		name: 'a passphrase may be typed while the record goes to a pipe',
		script: 'printf x > tty-3; isthmus store tty-3 --key $KEY > /dev/null'
			+ ' && isthmus fetch $(isthmus key inspect $KEY | awk \'/^account/ { print $2 }\') tty-3 -o - --key $KEY | cat > got; cat got',
		typed: [ask, ask],
		screen: /x$/,
	},
	{
		name: 'Ctrl-C at the prompt ends the command, and the terminal shows again what is typed',
		script: 'exec isthmus balance --key $KEY',
		typed: [['Passphrase of', 'three\u0003']],
		code: INTERRUPTED,
		not: { screen: /error/ },
	},
	{
		name: 'Ctrl-Z at the prompt suspends the command; the terminal shows again what is typed, and fg asks again',
		script: 'set -m; isthmus balance --key $KEY; stty -a | grep -q " echo " && echo "stopped $?"; fg',
		typed: [['Passphrase of', 'three\u001a'], ask],
		screen: [/Passphrase of [^]*stopped 0[^]*Passphrase of/, /free/],
		not: { screen: new RegExp(`three|${PASSPHRASE}`) },
	},
	{
		name: 'SIGTSTP after the prompt suspends the command',
		script: 'mkfifo in; (head -c 200000 /dev/zero > in; kill -TSTP $$; until grep -q "^State:.*T" /proc/$$/status; do sleep 0.05; done; '
			+ 'echo suspended > /dev/tty; kill -TERM $$; kill -CONT $$) &\n'
			+ 'exec isthmus store - --name tty-6 --key $KEY <> in',
		typed: [ask],
		code: -15,
		screen: /suspended/,
	},
	{
		name: 'Ctrl-C at the second prompt',
		script: 'exec isthmus key generate new.key',
		typed: [['New passphrase', `${PASSPHRASE}\r`], ['Repeat', '\u0003']],
		code: INTERRUPTED,
	},
	{
		name: 'Ctrl-C after the prompt',
		script: 'mkfifo in; exec isthmus store - --name tty-4 --key $KEY <> in',
		typed: [ask, ['', '\u0003']],
		code: INTERRUPTED,
	},
	...['\u0003', '@SIGTERM', '@SIGHUP'].map((signal) => ({
		name: `a service whose passphrase was typed finishes what is in hand: ${JSON.stringify(signal)}`,
		script: 'exec isthmus gateway --listen 127.0.0.1:0 --key $KEY',
		typed: [ask, ['listening at', signal, true]],
		screen: /ending/,
	})),
	...['TERM', 'INT', 'QUIT', 'HUP'].map((signal) => ({
		name: `SIG${signal} at the prompt ends the command, and the terminal shows again what is typed`,
		script: `(while stty -a < /dev/tty | grep -q ' echo '; do sleep 0.05; done; kill -${signal} $$) &\n`
			+ 'ulimit -c 0; exec isthmus balance --key $KEY',
		typed: [],
		code: -{ TERM: 15, INT: 2, QUIT: 3, HUP: 1 }[signal],
	})),
	...['TERM', 'HUP'].map((signal) => ({
		name: `SIG${signal} at the prompt leaves nothing of what was typed to the shell`,
		script: 'set -m; isthmus balance --key $KEY; code=$?; read -r -t 0.5 -n 1 left; echo "left<$left>"; exit $code',
		typed: [['Passphrase of', `three@SIG${signal}`]],
		code: 128 + { TERM: 15, HUP: 1 }[signal],
		screen: /left<>/,
		not: { screen: /three/ },
	})),
	{
		name: 'SIGTERM after the prompt',
		// The FIFO holds less than this, so the command has read some of it when all is written.
		script: 'mkfifo in; (head -c 200000 /dev/zero > in; kill -TERM $$) &\n'
			+ 'exec isthmus store - --name tty-5 --key $KEY <> in',
		typed: [ask],
		code: -15,
	},
	{
		name: 'Ctrl-D at the prompt',
		script: 'isthmus balance --key $KEY',
		typed: [['Passphrase of', '\u0004']],
		code: USAGE,
		screen: /nothing was typed/,
	},
	{
		name: 'a secret may come from a pipe, and the passphrase from the terminal',
		script: 'echo //Tty | isthmus key import new.key',
		typed: [['New passphrase', `${PASSPHRASE}\r`], ['Repeat', `${PASSPHRASE}\r`], ...writtenDown],
		screen: /^account/m,
	},
	{
		name: 'the words of a new seed are shown on the terminal, and asked for',
		script: 'isthmus key generate new.key 2> err && [ ! -s err ]',
		typed: [['New passphrase', `${PASSPHRASE}\r`], ['Repeat', `${PASSPHRASE}\r`], ['Word ', 'wrong\r'], ['Try again', WORD], ...writtenDown.slice(1)],
		screen: [/Write down these words/, / 24\. [a-z]+/, /^account/m],
	},
	{
		name: 'Ctrl-C while the words are asked for leaves no file',
		script: 'trap : INT; isthmus key generate new.key; code=$?; ls new.key; exit $code',
		typed: [['New passphrase', `${PASSPHRASE}\r`], ['Repeat', `${PASSPHRASE}\r`], ['Word ', '\u0003']],
		code: 128 + 2,
		screen: /cannot access/,
	},
	{
		name: 'without a terminal there is a way for scripts',
		script: 'isthmus balance --key $KEY',
		code: USAGE,
		stderr: /there is no terminal\nhint: .*ISTHMUS_PASSPHRASE/,
	},
	{
		name: 'an empty variable is none',
		script: 'ISTHMUS_PASSPHRASE= isthmus balance --key $KEY',
		code: USAGE,
		stderr: /there is no terminal\nhint: .*ISTHMUS_PASSPHRASE/,
	},
	{
		name: 'a passphrase that a script has lost, or given another name, is said',
		script: 'ISTHMUS_PASSPHRASE= isthmus balance --key $KEY; [ $? = 2 ] && ISTHMUS_PASSWORD=x isthmus balance --key $KEY',
		code: USAGE,
		stderr: /hint: \$ISTHMUS_PASSPHRASE is set, but empty[^]*hint: .*nothing reads \$ISTHMUS_PASSWORD, which is set/,
	},
	{
		name: 'a new passphrase that a script has lost, or that is only white space, is said',
		script: `export ISTHMUS_PASSPHRASE=$PASSPHRASE; cp $KEY key; ISTHMUS_NEW_PASSPHRASE= isthmus key passphrase key; [ $? = ${USAGE} ] || exit 9
			ISTHMUS_NEW_PASSPHRASE='        ' isthmus key passphrase key; code=$?; cmp $KEY key && exit $code`,
		code: USAGE,
		stderr: /missing new passphrase\nhint: \$ISTHMUS_NEW_PASSPHRASE is set, but empty[^]*error: the passphrase is only white space\nhint: several/,
	},
	{
		name: 'a wrong passphrase of a variable is said to be one, and quotes that are part of it',
		script: 'ISTHMUS_PASSPHRASE="\\"$PASSPHRASE\\"" isthmus balance --key $KEY',
		code: NOT_AUTHENTIC,
		stderr: /does not open .*\nhint: .*the passphrase is that of \$ISTHMUS_PASSPHRASE, which has quotes around it\n$/,
	},
	{
		name: 'a script passes the passphrase by a variable, from a file',
		script: 'printf %s "$PASSPHRASE" > file; ISTHMUS_PASSPHRASE=$(cat file) isthmus balance --key $KEY',
		stdout: /free/,
	},
	{
		name: 'the name of a key file cannot draw on the terminal',
		script: 'cp $KEY $\'a\\e[2Jb\'; isthmus balance --key $\'a\\e[2Jb\'',
		typed: [['Passphrase of', `${PASSPHRASE}\r`]],
		not: { screen: /\u001b/ },
	},
	{
		name: 'a removal is confirmed on the terminal',
		script: 'cp ../small rm-1; isthmus store rm-1 && isthmus remove rm-1',
		typed: [['Remove rm-1? [y/N] ', 'y\r', true]],
		screen: /removed rm-1/,
	},
	{
		name: 'a removal of what is not there asks nothing',
		script: 'isthmus remove not-there',
		typed: [],
		code: REFUSED,
		screen: /error: no record is stored as not-there\r?\nhint: list your records: isthmus list records; if the upload of a folder/,
		not: { screen: /\[y\/N\]/ },
	},
	{
		name: 'a removal that is not confirmed does nothing',
		script: 'isthmus remove docs; code=$?; isthmus fetch //Bob docs --folder -o out && exit $code',
		typed: [['Remove docs with 2 files? [y/N] ', '\r', true]],
		code: FAILED,
		screen: /nothing was done\r?\nhint: .*--yes[^]*out: 2 files/,
	},
	{
		name: 'a question is seen although stderr goes into a file',
		script: 'cp ../small rm-4; isthmus store rm-4 && isthmus remove rm-4 2> err; code=$?; grep -q "not confirmed" err && exit $code',
		typed: [['Remove rm-4? [y/N] ', 'n\r', true]],
		code: FAILED,
	},
	{
		name: 'a removal with --yes asks nothing',
		script: 'cp ../small rm-2; isthmus store rm-2 && isthmus remove rm-2 --yes',
		typed: [],
		screen: /removed rm-2/,
	},
	{
		name: 'a command in the background leaves the line alone that the user types',
		script: 'set -m; isthmus fetch //Bob big -o there & wait $!',
		columns: 80,
		not: { screen: /\u001b|fetching/ },
	},
	{
		name: 'a bar is drawn',
		script: 'isthmus fetch //Bob big -o got',
		typed: [],
		screen: /fetching/,
	},
	{
		name: 'the bar of a folder is about all of its files, and ends when all are done',
		script: 'mkdir many; for number in {1..40}; do echo $number > many/$number; done; cp $BIG many\n'
			+ 'isthmus store many --name bar-1 && isthmus fetch //Bob bar-1 --folder -o got',
		typed: [],
		screen: [/storing [^\n]*41\/41 files 3\.00 MB\/3\.00 MB/, /fetching [^\n]*41\/41 files 3\.00 MB\/3\.00 MB/],
	},
	{
		name: 'the bar of a packed folder ends when all is done',
		script: 'export ISTHMUS_KEY=//Packer; mkdir many; for number in {1..40}; do echo $number > many/$number; done; cp $BIG many\n'
			+ 'isthmus store many --object --name bar-2 && isthmus fetch //Packer bar-2 --folder -o got',
		typed: [],
		screen: ['hashing', 'storing', 'fetching'].map((doing) => new RegExp(`${doing} [^\\n]*([\\d.]+ MB)/\\1`)),
	},
	...[['//Bob', '--name big'], ['//Packer', '--object --name bar-5']].map(([key, options]) => ({
		name: `a value that is stored already is compared in a bar: ${options}`,
		script: `isthmus store $BIG --key ${key} ${options} 2> err && isthmus store $BIG --key ${key} ${options}`,
		typed: [],
		screen: /checking [^\n]*3\.00 MB\/3\.00 MB/,
	})),
	{
		name: 'a bar shows how much of a stream was read',
		script: '(head -c 3000000 /dev/zero; head -n 1 < /dev/tty > typed) | isthmus store - --name bar-6',
		typed: [['reading', '\r', true]],
		screen: /stored 3\.0 MB as bar-6/,
	},
	{
		name: 'no bar of a folder is drawn where stderr is a file',
		script: 'isthmus store ../docs --name bar-3 2> err; isthmus fetch //Bob docs --folder -o got 2>> err; [ ! -s err ]',
		typed: [],
	},
	{
		name: 'no bar is drawn where stderr is a file',
		script: 'isthmus fetch //Bob big -o got 2> err; [ ! -s err ]',
		typed: [],
	},
	{
		name: 'no bar is drawn on a dumb terminal',
		script: 'TERM=dumb isthmus fetch //Bob big -o got; TERM=dumb isthmus risk --depth 0..1 --simulate 1000000',
		typed: [],
		not: { screen: /\u001b|fetching|simulating/ },
	},
	...[0, 1, 7, 20, 1000].map((columns) => ({
		name: `a terminal may have ${columns} columns`,
		script: 'isthmus fetch //Bob big -o got && isthmus store --help && isthmus risk --depth 0..1 --simulate 1000000',
		columns,
	})),
	{
		name: 'NO_COLOR leaves colours out',
		script: 'NO_COLOR=1 isthmus --help; NO_COLOR=1 isthmus nonsense',
		typed: [],
		code: USAGE,
		not: { screen: /\u001b/ },
	},
	{
		name: 'pipes get no colours',
		script: 'isthmus --help | cat; isthmus nonsense 2>&1 | cat',
		typed: [],
		not: { screen: /\u001b/ },
	},
	{
		name: 'a record is not written to a terminal',
		script: 'for name in - /dev/stdout /dev/stderr /dev/fd/1 /dev/fd/2 /proc/self/fd/2 /dev/tty; do isthmus fetch //Bob small -o $name; done',
		typed: [],
		code: USAGE,
		screen: /(refusing[^]*){7}/,
	},
]));

describe('streams that are closed, full or not ready, and folders for settings that are none', () => cases([
	{
		name: 'a transaction whose report cannot be written is not run again',
		script: 'isthmus transfer $(isthmus key inspect $KEY | awk \'/^account/ { print $2 }\') 1 > /dev/full',
		code: FAILED,
		stderr: /cannot write to stdout.*\nhint: .*the transaction 0x\w{64} is in a block, so do not run this again: block \d+: sent 1 IST/,
	},
	{
		name: 'the error of a report without a transaction names none',
		script: 'cp ../small .; isthmus store small > /dev/full; [ $? = 1 ] && isthmus balance > /dev/full',
		code: FAILED,
		stderr: /^(error: cannot write to stdout: No space left on device\n){2}$/,
	},
	{
		name: 'nothing is read from a stdin that is closed',
		script: `${OFFLINE} isthmus store - --name closed-1 <&-`,
		code: FAILED,
		stderr: /stdin is closed/,
	},
	{
		name: 'every command that reads a stdin says that it is closed',
		script: `for command in 'key import new.key' 'key restore new.key' 'key join new.key' 'key inspect -' 'key inspect /dev/stdin' \\
				'key words -' 'balance --key -' 'dataset describe 0 --card - --check --owner //Bob'; do
			isthmus $command <&-; [ $? = 1 ] || { echo "$command"; exit 9; }; done`,
		stderr: /^(error: (-|stdin|\/dev\/stdin): it is closed, so nothing can be read from it\n){8}$/,
	},
	{
		name: 'stdin is one file, whatever it is named for',
		script: `isthmus-node export-chain-spec --chain dev --raw > spec.json 2> /dev/null
			for command in 'balance --chain-spec - --key -' 'balance --chain-spec /dev/stdin --key /dev/stdin' \\
				'store - --name twice --chain-spec -'; do cat spec.json | isthmus $command; [ $? = 1 ] || { echo "$command"; exit 9; }; done`,
		stderr: /^(error: (-|stdin|\/dev\/stdin): stdin was read already, for another file: give one of them by its path\n){3}$/,
	},
	{
		name: 'nothing is written to a stdout that is closed',
		script: `${OFFLINE} isthmus fetch //Bob small -o - >&-`,
		code: FAILED,
		stderr: /cannot write to stdout: it is closed/,
	},
	{
		name: 'nothing is read from a stdin that is open for writing only',
		script: `${OFFLINE} isthmus store - --name closed-2 0> file`,
		code: FAILED,
		stderr: /stdin is closed/,
	},
	{
		name: '/dev/null is no closed stream',
		script: `isthmus fetch //Bob small -o - > /dev/null && isthmus store - --name null-1 < /dev/null
			isthmus fetch //Bob small -o - 1<> /dev/null && isthmus store - --name null-2 0<> /dev/null`,
		stdout: /stored 0 B.*\n.*stored 0 B/,
	},
	{
		name: 'streams that do not wait are waited for',
		script: `python3 -c '
import fcntl, os, subprocess, sys
def busy(fd): fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
r, w = os.pipe(); busy(w)
fetch = subprocess.Popen(["isthmus", "fetch", "//Bob", "big", "-o", "-"], stdout=w); os.close(w)
got = b""
while part := os.read(r, 1000): got += part
assert fetch.wait() == 0 and got == open(os.environ["BIG"], "rb").read()
r, w = os.pipe(); busy(r)
store = subprocess.Popen(["isthmus", "store", "-", "--name", "busy-1"], stdin=r); os.close(r)
os.write(w, b"a"); import time; time.sleep(0.5); os.write(w, b"b"); os.close(w)
assert store.wait() == 0
' && isthmus fetch //Bob busy-1 -o -`,
		stdout: /ab$/,
	},
	{
		name: 'a folder for settings that cannot be does not stop a command',
		script: 'HOME=/dev/null isthmus fetch //Bob small -o -',
		stdout: /^small$/m,
	},
	{
		name: 'a FIFO in the folder for settings is not opened',
		script: 'mkdir -p isthmus; mkfifo isthmus/known-chains; XDG_CONFIG_HOME=$PWD isthmus status',
		code: FAILED,
		stderr: /isthmus\/known-chains: it is not a regular file\. Mend or remove it/,
	},
	{
		name: 'a folder for settings whose name is not UTF-8 is looked at',
		script: "mkdir -p $'set\\xff/isthmus'; mkfifo $'set\\xff/isthmus/known-chains'; XDG_CONFIG_HOME=$PWD/$'set\\xff' isthmus status",
		code: FAILED,
		stderr: /isthmus\/known-chains\S*: it is not a regular file\. Mend or remove it/,
	},
	{
		name: 'the bar is drawn while the data goes to stdout, which has the data alone',
		script: 'for out in - /dev/stdout /dev/fd/1; do isthmus fetch //Bob big -o $out > got && cmp got $BIG || exit 9; done',
		typed: [],
		screen: /(fetching[^]*){3}/,
	},
	{
		name: 'the bar is drawn before the program that reads stdout is done',
		script: 'isthmus fetch //Bob big -o - | (head -c 2000000 > a; head -n 1 < /dev/tty > typed; cat > b); cat a b | cmp - $BIG',
		typed: [['fetching', '\r', true]],
	},
	{
		name: 'no bar is drawn for what goes to stdout at once, where another program may write it to the same terminal',
		script: 'isthmus fetch //Bob small -o - | cat; isthmus fetch //Bob docs --file a -o - | cat',
		typed: [],
		screen: [/small\r\n/, /a\r\n/],
		not: { screen: /\u001b|fetching/ },
	},
	{
		name: 'no bar is drawn where stderr is a file and the data goes to stdout',
		script: 'isthmus fetch //Bob big -o - 2> err | cmp - $BIG && [ ! -s err ]',
		typed: [],
		not: { screen: /\u001b|fetching/ },
	},
	{
		name: 'the bar of a stream has a rate that it can have',
		script: 'head -c 70000000 /dev/zero | isthmus store - --name bar-4 --object --key //Packer',
		typed: [],
		screen: /storing +[\d.]+ MB [\d.]+ [kMG]?B\/s/,
		not: { screen: /TB\/s/ },
	},
	{
		name: 'a full disk leaves no part of a manual page, and the error names the page',
		script: 'isthmus man -o all; mkdir full; mount -t tmpfs -o size=64k none full; isthmus man -o full/man; code=$?\n'
			+ 'for page in full/man/*; do cmp $page all/${page##*/} || exit 9; done; exit $code',
		code: FAILED,
		stderr: /^error: full\/man\/isthmus\S*\.1: No space left on device\nhint: .*\n$/,
		mount: true,
	},
	{
		name: 'a folder replaces its files that differ with --force only',
		script: 'isthmus fetch //Bob docs --folder -o out && echo z > out/a\n'
			+ 'isthmus fetch //Bob docs --folder -o out; [ $? = 1 ] && [ $(cat out/a) = z ] || exit 9\n'
			+ 'isthmus fetch //Bob docs --folder -o out --force && [ $(cat out/a) = a ] && [ $(ls -A out | wc -l) = 2 ]',
		stderr: /a: out\/a already exists and differs\nhint: .*--force/,
	},
	{
		name: 'a share that is missing is said',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; isthmus key split $KEY --of 3 --need 2 | head -1 > share\n'
			+ 'isthmus key join joined < share',
		code: USAGE,
		stderr: /2 different shares are needed, got 1/,
	},
	{
		name: 'a port that cannot be is incorrect usage',
		script: 'isthmus status --url ws://127.0.0.1:99999',
		code: USAGE,
		stderr: /expected a port from 1 to 65535/,
	},
]));

/** Makes a copy of the key, changes its passphrase by the name that is given, and compares the two names. */
const change = (made, by = 'link', options = '') => `
	export ISTHMUS_PASSPHRASE=$PASSPHRASE ISTHMUS_NEW_PASSPHRASE=another-passphrase
	mkdir far; cp $KEY far/key; chmod 600 far/key; before=$(cat far/key)
	${made}
	isthmus key passphrase ${by} ${options} > /dev/null || exit
	[ "$(cat far/key)" != "$before" ] || { echo 'the file behind the link is the old one' >&2; exit 9; }
	[ "$(cat far/key)" = "$(cat ${by})" ] && [ $(ls far | wc -l) = 1 ]`;

describe('secrets may be behind links', () => cases([
	{ name: 'a link', script: `${change('ln -s far/key link')} && [ -L link ]` },
	{ name: 'a link to a link', script: `${change('ln -s far/key one; ln -s one link')} && [ -L link ] && [ -L one ]` },
	{ name: 'a link to a folder', script: `${change('ln -s far link', 'link/key')} && [ -L link ]` },
	{ name: 'a link by its absolute path', script: `${change('ln -s $PWD/far/key link', '$PWD/link')} && [ -L link ]` },
	{
		name: 'another name of the file keeps the old passphrase, which is said',
		script: change('ln far/key hard', 'far/key'),
		stderr: /far\/key had another name \(a hard link\), which keeps the old passphrase/,
	},
	{
		name: 'a command that waits for another one that changes a key file says so',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; cp $KEY key; mkfifo held\n'
			+ '(flock . sh -c "echo > held; while ! grep -q ^waiting said; do sleep 0.05; done") & touch said; read < held\n'
			+ 'ISTHMUS_NEW_PASSPHRASE=$PASSPHRASE isthmus key passphrase key 2> said; code=$?; cat said; exit $code',
		stdout: /^waiting for another program that changes a key file in the folder of key \(`flock \. sh -c echo .*…`, process \d+\)$/m,
	},
	{ name: 'the permissions stay', script: `${change('ln -s far/key link; chmod 640 far/key')} && [ $(stat -c %a far/key) = 640 ]` },
	{
		name: 'the owner stays',
		script: `${change('chown 12345:54321 far/key', 'far/key')} && [ $(stat -c %u:%g far/key) = 12345:54321 ]`,
		devices: true,
	},
	{
		name: 'a key file that others can read is warned about',
		script: 'cp $KEY key; chmod 644 key; ISTHMUS_PASSPHRASE=$PASSPHRASE isthmus balance --key key && isthmus key inspect key',
		stderr: /^(warning: others can read key.*chmod 600 key\n){2}$/,
	},
	{
		name: 'a key file that is private is not',
		script: 'ISTHMUS_PASSPHRASE=$PASSPHRASE isthmus balance --key $KEY',
		not: { stderr: /./ },
	},
	{
		name: 'the passphrase of a stream cannot be changed',
		script: 'ISTHMUS_PASSPHRASE=$PASSPHRASE ISTHMUS_NEW_PASSPHRASE=$PASSPHRASE isthmus key passphrase <(cat $KEY)',
		code: FAILED,
		stderr: /not a regular file/,
	},
	{
		name: 'a key may come from a stream',
		script: 'ISTHMUS_PASSPHRASE=$PASSPHRASE isthmus balance --key <(cat $KEY) && isthmus key inspect <(cat $KEY)',
		not: { stderr: /./ },
	},
	{
		name: 'a key may come from stdin, which nothing else is read from then',
		script: `export ISTHMUS_PASSPHRASE=$PASSPHRASE; isthmus balance --key - < $KEY && isthmus key inspect - < $KEY || exit 9
			isthmus store - --name x --key - < $KEY`,
		code: USAGE,
		stderr: /^error: stdin cannot be both the key file and what is stored\n/,
	},
	{
		name: 'a new key file is not written through a link, and this is said before the prompt',
		script: 'ln -s none key; isthmus key generate key; code=$?; [ ! -e none ] && exit $code',
		code: FAILED,
		stderr: /key already exists/,
	},
	{
		name: 'a device without an end is not a key file',
		script: '(ulimit -v 4000000; isthmus key inspect /dev/zero)',
		code: NOT_AUTHENTIC,
		stderr: /not a key file/,
	},
	{
		name: 'a folder is not a key file',
		script: 'isthmus key inspect .',
		code: FAILED,
		stderr: /error: \.: Is a directory/,
	},
]));

/** Mounts an almost full file system at `disk`. */
const FULL = 'mkdir disk; mount -t tmpfs -o size=64k none disk; head -c 60000 /dev/zero > disk/ballast\n';

describe('disks may be full, read-only or gone', () => cases([
	{
		name: 'a large record: the error names the output, and the same command goes on',
		script: 'mkdir disk; mount -t tmpfs -o size=5m none disk; head -c 3000000 /dev/zero > disk/ballast\n'
			+ 'isthmus fetch //Bob big -o disk/got; [ $? = 1 ] || exit 9\n'
			+ 'rm disk/ballast; isthmus fetch //Bob big -o disk/got && cmp $BIG disk/got && [ $(ls disk | wc -l) = 1 ]',
		stderr: /^error: disk\/got: No space left on device\nhint: free some space, and run the same command again\n$/,
		mount: true,
	},
	{
		name: 'a small record: nothing is left',
		script: `${FULL} cat /dev/zero > disk/more 2> /dev/null; isthmus fetch //Bob small -o disk/got; code=$?; ls disk; exit $code`,
		code: FAILED,
		stdout: /^ballast\nmore\n$/,
		stderr: /error: disk\/got: No space left on device/,
		mount: true,
	},
	{
		name: 'a folder without room for one more file: nothing is left',
		script: 'mkdir disk; mount -t tmpfs -o nr_inodes=2 none disk; isthmus fetch //Bob small -o disk/.odd\n'
			+ 'code=$?; ls -A disk; exit $code',
		code: FAILED,
		stdout: /^$/,
		stderr: /error: disk\/\.odd: No space left on device/,
		mount: true,
	},
	{
		name: 'a folder whose files are all there needs none',
		script: 'mkdir disk d; mount -t tmpfs none disk; echo a > d/a; isthmus store d --name in-15 && isthmus sync d --name in-16 --key //Packer || exit 9\n'
			+ 'for again in no yes; do isthmus fetch //Bob in-15 --folder -o disk/out && isthmus fetch //Packer in-16 --folder -o disk/packed --key //Packer || exit 8\n'
			+ '[ $again = yes ] || mount -o remount,ro disk || exit 7; done',
		mount: true,
	},
	{
		name: 'a read-only folder in which files are missing: the error is about the folder',
		script: 'mkdir disk d; mount -t tmpfs none disk; echo a > d/a; echo b > d/b; isthmus store d --name in-ro || exit 9\n'
			+ 'mount -o remount,ro disk && isthmus fetch //Bob in-ro --folder -o disk',
		code: FAILED,
		stderr: /error: disk: Read-only file system/,
		not: { stderr: /not fetched/ },
		mount: true,
	},
	{
		name: 'a folder in which other disks are mounted gets all its files, and with --force again',
		script: 'mkdir -p d/disk out/disk packed/disk; for at in d d/disk; do echo $at > $at/a; head -c 2000000 /dev/urandom > $at/large; done\n'
			+ 'isthmus store d --name in-20 && isthmus sync d --name in-21 --key //Packer && mount -t tmpfs none out/disk && mount -t tmpfs none packed/disk || exit 9\n'
			+ 'for force in "" --force; do isthmus fetch //Bob in-20 --folder -o out $force && isthmus fetch //Packer in-21 --folder -o packed --key //Packer $force\n'
			+ '[ $? = 0 ] && diff -r d out && diff -r d packed || exit 8; for at in out packed; do for file in a large; do echo other > $at/disk/$file; done; done; done',
		mount: true,
	},
	{
		name: 'a packed folder: the files that fit on the disk stay there, and the same command fetches the others',
		script: 'mkdir disk d; mount -t tmpfs -o size=3m none disk; for i in 1 2 3 4 5; do head -c 1000000 /dev/urandom > d/$i; done\n'
			+ 'export ISTHMUS_KEY=//Packer; isthmus sync d --name in-40 && fetch="isthmus fetch //Packer in-40 --folder -o disk/out" || exit 9\n'
			+ '$fetch; [ $? = 1 ] || exit 8; ls -A disk/out; for i in 1 2 3; do cmp d/$i disk/out/$i || exit 7; done\n'
			+ 'mount -o remount,size=9m disk && $fetch && diff -r d disk/out',
		stdout: /^1\n2\n3\n/m,
		stderr: /error: disk\/out\/4: No space left on device\nhint: free some space, and run the same command again\n/,
		mount: true,
	},
	{
		name: 'a file in a read-only folder is noticed before it is to be replaced',
		script: `mkdir disk; mount -t tmpfs none disk; echo old > disk/got; mount -o remount,ro disk; ${OFFLINE} isthmus fetch //Bob small -o disk/got --force`,
		code: FAILED,
		stderr: /error: disk\/got cannot be replaced, because no file can be created in \S+\/disk: Read-only file system\nhint: write into the file as it is: --output - > disk\/got\n/,
		mount: true,
	},
	{
		name: 'a file that is mounted alone is noticed before it is to be replaced, and can be written into',
		script: `echo old > got; echo other > other; mount --bind other got || exit 9; ${OFFLINE} isthmus fetch //Bob small -o got --force; code=$?
			isthmus fetch //Bob small -o - > got && cat other; exit $code`,
		code: FAILED,
		stdout: /^small\n$/,
		stderr: /error: got is mounted alone, so it cannot be replaced\nhint: write into the file as it is: --output - > got\n/,
		mount: true,
	},
	{
		name: 'a receipt, a card and a plot: nothing is left, and with --force the old one stays',
		script: `mkdir disk; mount -t tmpfs -o size=128k none disk; printf 'name,mark\\nAda,97\\n' > a.csv
			block=$(isthmus register Full --kind school --key //Eve | grep -o '[0-9]*' | head -n 1)
			isthmus risk --depth 0..5 --plot disk/old.svg && cp disk/old.svg old || exit 9
			cat /dev/zero > disk/more 2> /dev/null
			isthmus receipt $block -o disk/receipt; [ $? = 1 ] || exit 8
			isthmus dataset describe 0 --card disk/card --guess a.csv; [ $? = 1 ] || exit 7
			isthmus risk --depth 0..5 --share 0.2 --plot disk/old.svg; code=$?; cmp old disk/old.svg && ls disk && exit $code`,
		code: FAILED,
		stdout: /^more\nold\.svg\n$/,
		stderr: /error: disk\/receipt: No space[^]*error: disk\/card: No space[^]*error: disk\/old\.svg: No space/,
		mount: true,
	},
	{
		name: 'a folder: the error names the file',
		script: `${FULL} cat /dev/zero > disk/more 2> /dev/null; mkdir disk/out; isthmus fetch //Bob docs --folder -o disk/out`,
		code: FAILED,
		stderr: /error: disk\/out\/a: No space left on device/,
		mount: true,
	},
	{
		name: 'a new key file: nothing is left',
		script: `${FULL} cat /dev/zero > disk/more 2> /dev/null; ISTHMUS_PASSPHRASE=$PASSPHRASE isthmus key generate disk/key\n`
			+ 'code=$?; ls disk; exit $code',
		code: FAILED,
		stdout: /^ballast\nmore\n$/,
		stderr: /error: disk\/key: No space left on device/,
		not: { stderr: /write the words down/ },
		mount: true,
	},
	{
		name: 'a key file whose passphrase is changed: the old one stays',
		script: `${FULL} cp $KEY disk/key; cat /dev/zero > disk/more 2> /dev/null\n`
			+ 'ISTHMUS_PASSPHRASE=$PASSPHRASE ISTHMUS_NEW_PASSPHRASE=$PASSPHRASE isthmus key passphrase disk/key; code=$?; cmp $KEY disk/key && ls -A disk; exit $code',
		code: FAILED,
		stdout: /^ballast\nkey\nmore\n$/,
		stderr: /error: disk\/key: No space left on device/,
		mount: true,
	},
	{
		name: 'the keys of an erasable dataset: nothing is sent, and nothing is left',
		script: `${FULL} cp $KEY disk/key; chmod 600 disk/key; cat /dev/zero > disk/more 2> /dev/null; export ISTHMUS_PASSPHRASE=$PASSPHRASE\n`
			+ 'isthmus dataset create letters --erasable --key disk/key; code=$?; ls -A disk; exit $code',
		code: FAILED,
		stdout: /^ballast\nkey\nmore\n$/,
		stderr: /^error: \S+\/disk\/key\.erasable: No space left on device\nhint: free some space, and run the same command again\n$/,
		mount: true,
	},
	{
		name: 'the store of an object: the same command goes on',
		script: `export ISTHMUS_KEY=//Packer; mount -t tmpfs -o size=50m none $STORE; head -c 38000000 /dev/zero > $STORE/ballast
			head -c 24000000 /dev/urandom > full-1; isthmus store full-1 --object; [ $? = 1 ] || exit 9
			rm $STORE/ballast; isthmus store full-1 --object --json > out || exit 8; grep -q '"resumed":true' out || exit 7
			isthmus fetch //Packer full-1 -o - | cmp - full-1 && isthmus remove full-1 --objects --yes > out && ls -A $STORE`,
		stdout: /^$/,
		stderr: /^error: full-1: file:\/\/\S+: there is no space left: make room, and run the same command again\n/,
		mount: true,
	},
	...[
		['read-only', 'mount -t tmpfs -o ro none $STORE', /file:\/\/\S+: read-only filesystem/],
		['full', 'mount -t tmpfs -o size=1m none $STORE; cat /dev/zero > $STORE/ballast 2> /dev/null', /file:\/\/\S+: there is no space left: make room/],
	].flatMap(([what, make, stderr]) => [
		{
			// Nothing comes from the FIFO, and it does not end.
			name: `the store of an object is ${what}: this is noticed before a stream is read`,
			script: `${make}; mkfifo in; exec 4<> in; timeout 120 isthmus store - --name full-2 --object --key //Packer < in`,
			code: FAILED,
			stderr,
			mount: true,
		},
		{
			name: `the store of a folder is ${what}: this is noticed before its files are read`,
			script: `${make}; ls $STORE > before; mkdir d; echo a > d/a; isthmus sync d --name full-3 --key //Packer; code=$?; ls $STORE | diff before - && exit $code`,
			code: FAILED,
			stderr,
			mount: true,
		},
		{
			name: `the store of a keeper is ${what}: this is noticed before anything is copied`,
			script: `${make}; timeout 120 isthmus keep //Packer 0 --at file://$STORE --key //Charlie`,
			code: FAILED,
			stderr,
			mount: true,
		},
	]),
	{
		name: 'a stream that is kept in a full folder',
		script: `${FULL} cat $BIG | TMPDIR=$PWD/disk isthmus store - --name disk-1`,
		code: FAILED,
		stderr: /cannot keep stdin in .*disk: No space left on device\nhint: .*TMPDIR/,
		mount: true,
	},
	{
		name: 'manual pages',
		script: `${FULL} isthmus man -o disk/man`,
		code: FAILED,
		stderr: /error: disk\/man(\/isthmus\S*\.1)?: No space left on device/,
		mount: true,
	},
	{
		name: 'a read-only folder is noticed before the work: a record',
		script: `mkdir disk; mount -t tmpfs -o ro none disk; ${OFFLINE} isthmus fetch //Bob big -o disk/got`,
		code: FAILED,
		stderr: /error: disk\/got: no file can be created in the folder disk: Read-only file system\nhint: choose a path/,
		mount: true,
	},
	{
		name: 'a read-only folder is noticed before the work: a folder',
		script: `mkdir disk; mount -t tmpfs -o ro none disk; ${OFFLINE} isthmus fetch //Bob docs --folder -o disk/new/out`,
		code: FAILED,
		stderr: /error: disk\/new\/out: no file can be created in the folder disk: Read-only file system\nhint: choose a path/,
		mount: true,
	},
	{
		name: 'a read-only folder is noticed before the prompt: a key file',
		script: 'mkdir disk; mount -t tmpfs -o ro none disk; isthmus key generate disk/key',
		code: FAILED,
		stderr: /error: disk\/key: no file can be created in the folder disk: Read-only file system\nhint: choose a path/,
		mount: true,
	},
	{
		name: 'a read-only folder is noticed before the prompt: a key file to change',
		script: 'mkdir disk; mount -t tmpfs none disk; cp $KEY disk/key; mount -o remount,bind,ro disk\n'
			+ 'isthmus key passphrase disk/key',
		code: FAILED,
		stderr: /error: disk\/key cannot be replaced, because no file can be created in \S+\/disk: Read-only file system\nhint: copy the key file to a folder of your own/,
		mount: true,
	},
	{
		name: 'a folder that does not exist is noticed before the prompt',
		script: 'isthmus key generate none/key; isthmus key import none/key',
		code: FAILED,
		stderr: /(the folder none does not exist[^]*){2}/,
	},
	{
		name: 'the current folder is gone: a record',
		script: `mkdir gone; cd gone; rmdir ../gone; ${OFFLINE} isthmus fetch //Bob big -o got`,
		code: FAILED,
		stderr: /error: \. is a folder that was deleted\nhint: the current folder was deleted/,
	},
	{
		name: 'the current folder is gone: a key file',
		script: 'mkdir gone; cd gone; rmdir ../gone; isthmus key generate key',
		code: FAILED,
		stderr: /error: \. is a folder that was deleted\nhint: the current folder was deleted/,
	},
	{
		name: 'the current folder is gone: a file to store',
		script: 'mkdir gone; cd gone; rmdir ../gone; isthmus store key',
		code: FAILED,
		stderr: /error: key: No such file or directory\nhint: the current folder was deleted/,
	},
]));

// A refusal after sending leaves the file, because the block that says so may be reverted: see client/cli/src/erase.rs.
describe('a file of keys is left behind only if it may be needed', () => cases([
	{
		name: 'a dry run leaves none',
		script: 'cp $KEY key; chmod 600 key; export ISTHMUS_PASSPHRASE=$PASSPHRASE; isthmus dataset create letters --erasable --dry-run --key key && ls -A',
		stdout: /^key$/m,
		not: { stdout: /^key\.erasable/m },
	},
]));

describe('a file that a command does not know is not replaced', () => cases([
	...['serve', 'gateway'].map((command) => ({
		name: `${command} --metrics leaves a key file and any other alone`,
		script: 'cp $KEY key; echo precious > notes; ln -s notes link; for file in key notes link; do\n'
			+ `isthmus ${command} --metrics $file --key //Bob && exit 9; [ $? = 2 ] || exit 8; done\n`
			+ 'cmp $KEY key && [ -L link ] && cat notes',
		stdout: /^precious$/m,
		stderr: new RegExp(`(error: \\w+ is not a file of metrics of .isthmus ${command}., and is not replaced\nhint: give --metrics a new file\n){3}`),
	})),
	...['serve', 'gateway'].map((command) => ({
		name: `${command} --metrics needs a folder, which is said at the start`,
		script: `${OFFLINE} isthmus ${command} --metrics none/file --key //Bob; [ $? = 1 ] || exit 9\n`
			+ `mkdir -p ro; ${OFFLINE} isthmus ${command} --metrics /proc/file --key //Bob`,
		code: FAILED,
		stderr: /^error: the folder none does not exist\nhint: create it: mkdir -p none\nerror: \/proc\/file: /,
	})),
	...['serve', 'gateway'].map((command) => ({
		name: `${command} --metrics has to be replaceable, which is said at the start`,
		script: `touch host file; mount --bind host file; ${OFFLINE} isthmus ${command} --metrics file --key //Bob`,
		code: FAILED,
		stderr: /^error: file: Device or resource busy/,
		mount: true,
	})),
	{
		name: 'serve --memory needs a folder, which is said at the start',
		script: `${OFFLINE} isthmus serve --memory none/memory --key //Bob`,
		code: FAILED,
		stderr: /^error: the folder none does not exist\nhint: create it: mkdir -p none\n$/,
	},
	{
		name: 'fetch --force leaves a key file alone, and a file of erasable keys',
		script: `cp $KEY key; printf 'isthmus/erasable/v1 and more' > key.erasable; cp key.erasable kept
			isthmus fetch //Bob small -o key --force; isthmus fetch //Bob small -o key.erasable --force; code=$?
			cmp $KEY key && cmp kept key.erasable && exit $code`,
		code: FAILED,
		stderr: /(error: key\S* is a key file\nhint: a key file is never replaced[^\n]*\n){2}/,
	},
	...[
		['serve --memory', 'serve --key //Bob --memory file'],
		['serve --metrics', 'serve --key //Bob --metrics file'],
		['gateway --credentials', 'gateway --key //Bob --listen 127.0.0.1:0 --credentials file'],
		['a plot', 'risk --depth 0..5 --plot file.svg'],
		['a receipt', 'receipt 1 --output file --force'],
		['erasable keys', 'dataset create letters --erasable --key key'],
	].map(([name, command]) => ({
		name: `${name}: a link that leads to nothing is not replaced`,
		script: `cp $KEY key; export ISTHMUS_PASSPHRASE=$PASSPHRASE; for link in file file.svg key.erasable; do ln -s none/far $link; done
			isthmus ${command}; code=$?; [ -L file ] && [ -L file.svg ] && [ -L key.erasable ] && exit $code`,
		code: FAILED,
		stderr: /error: \S*(file|file\.svg|key\.erasable)(:| is) a link (to none\/far, which is not there, so nothing was written|that leads to nothing)/,
	})),
]));

/** The account of a key file. */
const ACCOUNT = 'account() { isthmus key inspect $1 | awk \'/^account/ { print $2 }\'; }\n';

describe('secrets in the wrong place are refused, and not shown', () => cases([
	{
		name: 'the words of a key file make another account when they are imported, which is said',
		script: `export ISTHMUS_PASSPHRASE=$PASSPHRASE; ${ACCOUNT}`
			+ 'isthmus key words $KEY | isthmus key import new 2> err || exit 9; cat err >&2; isthmus key words $KEY | isthmus key restore same || exit 8\n'
			+ '[ $(account same) = $(account $KEY) ] && grep -q "imports $(account new), .* is $(account $KEY), which" err',
		stderr: /^warning: this imports 5\w+, the account of these words in a wallet\. If they are the words of a key file, their account is 5\w+, which `isthmus key restore` brings back\n/,
	},
	{
		name: 'a phrase of another length, a seed or a derivation is imported without a word about that',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; echo bottom drive obey lake curtain smoke basket hold race lonely fit walk | isthmus key import a\n'
			+ 'echo 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f | isthmus key import b; echo //Eve | isthmus key import c',
		not: { stderr: /warning/ },
	},
	{
		name: 'a key file, or its path, where words, a share or a secret belong',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; for command in restore import join; do\n'
			+ 'isthmus key $command new < $KEY; [ $? = 2 ] || exit 9; isthmus key $command new <<< $KEY; [ $? = 2 ] || exit 8; done; [ ! -e new ]',
		stderr: /^(error: this is not the secret, the words or a share: it is a key file\nhint: a key file is used as it is: --key FILE\..*\n){6}$/,
	},
	{
		name: 'what other programs keep secrets in, where words, a share or a secret belong, and as a key file',
		script: `echo '{"encoded":"SECRET","encoding":{"type":["scrypt"]},"address":"5F"}' > wallet; printf '{\n  "version": 3,\n  "crypto": {}\n}\n' > geth; echo '{}' > empty\n`
			+ 'printf -- "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n" > pem; echo "# created: 2026-01-01" > age; printf 0x%0128d 7 > long\n'
			+ 'head -c 32 /dev/zero | tr "\\0" a | base64 > base64\n'
			+ 'for file in wallet geth empty pem age long base64; do for command in import restore join; do isthmus key $command new < $file; [ $? = 2 ] || exit 9; done\n'
			+ 'isthmus key inspect $file; [ $? = 5 ] || exit 8; done; [ ! -e new ]',
		stderr: new RegExp('^'
			+ [['an account that a wallet exported', 'hint: only the wallet decrypts it\\. .*`isthmus key import NEW\\.key` takes the account\'s phrase', 'it is an account that a wallet exported: only'],
				['an account of Ethereum', 'hint: .*isthmus key generate', 'it is an account of Ethereum: '],
				['data in JSON or TOML', 'hint: expected a phrase of words', 'missing field'],
				['in PEM, as keys of SSH and of TLS are', 'hint: .*isthmus key generate', 'it is in PEM'],
				['a file of age, with its keys', 'hint: .*isthmus key generate', 'it is a file of age'],
				['it has hexadecimal digits, but not the 64 of a seed', 'hint: .*takes the seed of 32 bytes', 'not the 64 of a seed'],
				['in base64', 'hint: .*base64 -d FILE \\| xxd -p -c 64 \\| isthmus key import', 'it is in base64'],
			].map(([what, hint, file]) => `(error: this is not the secret, the words or a share: .*${what}\n${hint}.*\n){3}error: \\w+: not a key file: .*${file}.*\n`).join('') + '$'),
		not: { stderr: /SECRET/ },
	},
	{
		name: 'bytes that are not text, where a secret belongs, and the digits of them',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; head -c 32 /dev/zero | tr "\\0" "\\376" > raw; for command in import restore join; do isthmus key $command new < raw; [ $? = 2 ] || exit 9; done\n'
			+ '[ ! -e new ] || exit 8; echo "  0X$(printf "FE%.0s" {1..32}) " | isthmus key import new 2> /dev/null',
		stderr: /^(error: stdin: it is not text in UTF-8\nhint: .*xxd -p -c 64 FILE \| isthmus key import NEW\.key`\n){3}$/,
	},
	{
		name: 'an option on both sides of the name of a command',
		script: 'for option in --key=//Bob --max-cost=1 --timeout=5 --tip=1; do isthmus $option balance $option; [ $? = 2 ] || exit 9; done; isthmus key --for //Bob rotate --for //Eve; [ $? = 2 ]',
		stderr: /^(error: the argument '--\S+ <\w+>' cannot be used multiple times\n\nUsage: isthmus .*\n\nFor more information, try '--help'\.\n){5}$/,
	},
	{
		name: 'a key file that should be made is there',
		script: 'for command in generate restore import join; do isthmus key $command $KEY; [ $? = 1 ] || exit 9; done',
		stderr: /^(error: \S+school\.key already exists\nhint: it is a key file, which is never replaced\. It is used as it is: --key FILE,.*\n){4}$/,
	},
	{
		name: 'the file of a secret in the place of the new key file leads to the form that reads it',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; isthmus key words $KEY > words; printf 0x%064d 7 > "a seed"\n'
			+ `isthmus key restore words; isthmus key import "a seed"; isthmus key inspect "a seed"; code=$?\n`
			+ 'isthmus key restore NEW.key < words 2> /dev/null && isthmus key import OTHER.key < "a seed" 2> /dev/null || exit 9; exit $code',
		code: NOT_AUTHENTIC,
		stderr: new RegExp('^error: words already exists\nhint: the argument names the key file to make, .*: isthmus key restore NEW\\.key < words\n'
			+ "error: a seed already exists\nhint: .*: isthmus key import NEW\\.key < 'a seed'\n"
			+ "error: a seed: not a key file: .*`isthmus key import NEW\\.key < 'a seed'` makes a key file\n$"),
	},
	{
		name: 'a secret for another command leads to it',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; isthmus key words $KEY | isthmus key join new; isthmus key words $KEY | sed "s/ /, /g" | isthmus key import new\n'
			+ 'isthmus key split $KEY --of 3 --need 2 > shares; isthmus key restore new < shares; isthmus key import new < shares\n'
			+ 'echo bottom drive obey lake curtain smoke basket hold race lonely fit walk | isthmus key restore new; echo //Alice | isthmus key restore new; [ ! -e new ]',
		stderr: /^(error: .*\nhint: `isthmus key restore` takes this\n){2}(error: .*\nhint: `isthmus key join` takes this\n){2}(error: .*\nhint: `isthmus key import` takes this\n){2}$/,
	},
	{
		name: 'the words of the seed are not the secret of an imported account',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; for i in 1 2; do isthmus key words $KEY; done | isthmus key restore new --imported',
		code: USAGE,
		stderr: /these are the words of the seed again.*\nhint: .*leave --imported out/,
	},
	{
		name: 'a variable that should name a key file',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; words=$(isthmus key words $KEY); ISTHMUS_KEY=$words isthmus balance 2> err; [ $? = 2 ] || exit 9\n'
			+ 'cat err >&2; grep -q "${words% *}" err && exit 8; ISTHMUS_KEY=0x$(printf "0f%.0s" {1..32}) isthmus balance',
		code: USAGE,
		stderr: /^(error: invalid \$ISTHMUS_KEY: expected the path of a file, and not the secret itself, [^\n]*\n){2}$/,
		not: { stderr: /0f0f/ },
	},
	{
		name: 'a file whose name looks like a secret is used',
		script: 'name=$(printf "0f%.0s" {1..32}); cp $KEY $name; isthmus key inspect $name && isthmus key inspect ./$name',
	},
]));

/** Runs a command that may not enter a folder, also as root. */
const LIMITED = 'limited() { if [ $(id -u) = 0 ]; then setpriv --bounding-set=-dac_override,-dac_read_search "$@"; else "$@"; fi; }\n';
/** No folder takes a lock file. */
const NO_LOCKS = 'HOME=/dev/null XDG_RUNTIME_DIR= TMPDIR=/dev/null/nowhere';

describe('folders for locks and settings may be missing or closed', () => cases([
	{
		name: 'if no folder takes lock files, this is said once',
		script: `${NO_LOCKS} isthmus store ../docs --name lock-1 2> err; code=$?; cat err >&2; [ $(grep -c 'do not take turns' err) = 1 ] && exit $code`,
		stderr: /^warning: no folder takes the lock file isthmus-5\w+\.lock, so programs with the same account or output do not take turns\. .*\$HOME\/\.local\/state\/isthmus/m,
	},
	{
		name: 'if the disk of the lock files is full, this is the cause that is said',
		script: 'mkdir home; mount -t tmpfs -o size=64k none home; mkdir -p home/.local/state/isthmus; cat /dev/zero > home/ballast 2> /dev/null\n'
			+ 'HOME=$PWD/home isthmus transfer //Alice 1 --key //Charlie',
		stderr: /^warning: isthmus-5\w+\.lock cannot be written \(No space left on device\), .* or free some space on that disk$/m,
		not: { stderr: /on a disk with locks/ },
		mount: true,
	},
	{
		name: 'a lock file that is a link is none, in any folder',
		script: 'mkdir -p .local/state/isthmus run tmp; lock=isthmus-$(isthmus balance //Charlie --json | grep -o \'5[0-9A-Za-z]\\{46,\\}\').lock\n'
			+ 'for folder in .local/state/isthmus run tmp; do ln -s nowhere $folder/$lock; done\n'
			+ 'HOME=$PWD XDG_RUNTIME_DIR=$PWD/run TMPDIR=$PWD/tmp isthmus transfer //Alice 1 --key //Charlie 2> err; code=$?\n'
			+ 'grep -c "do not take turns" err; exit $code',
		stdout: /^1$/m,
	},
	{
		name: 'a command that sends nothing needs no lock',
		script: `${NO_LOCKS} isthmus balance //Bob`,
		not: { stderr: /turns/ },
	},
	{
		name: 'an object needs a journal, and says which folder takes none',
		script: `cp $BIG large; ${NO_LOCKS} isthmus store large --name lock-2 --key //Packer`,
		code: FAILED,
		stderr: /error: (large: )?no folder takes isthmus-5\w+-\w+\.upload, which is needed to resume: let this user write to \$HOME\/\.local\/state\/isthmus/,
	},
	{
		name: 'a home folder that may not be entered: known chains are not passed over without a word',
		script: `${LIMITED}mkdir -p home/.config/isthmus; chmod 0 home; HOME=$PWD/home limited isthmus fetch //Bob small -o -; code=$?; chmod 700 home; exit $code`,
		code: FAILED,
		stderr: /^error: this user may not enter a folder above \S+\/home\/\.config\/isthmus\/known-chains: permit that, or name another folder for settings with \$XDG_CONFIG_HOME\n$/,
	},
	{
		name: 'a home folder that may not be entered: another folder takes locks and settings',
		script: `${LIMITED}mkdir -p home/.local/state/isthmus config; chmod 0 home; export HOME=$PWD/home XDG_CONFIG_HOME=$PWD/config\n`
			+ 'limited isthmus transfer //Alice 1; code=$?; limited isthmus fetch //Bob small -o -; chmod 700 home; exit $code',
		stdout: /^small$/m,
		not: { stderr: /turns/ },
	},
]));

describe('one file of a folder goes wherever a record goes', () => cases([
	{
		name: 'to stdout',
		script: 'isthmus fetch //Bob docs --file a -o - | cat && isthmus fetch //Bob docs --file b -o /dev/stdout | cat',
		stdout: /^a\nb\n$/,
	},
	{
		name: 'to a FIFO',
		script: 'mkfifo pipe; cat pipe & isthmus fetch //Bob docs --file a -o pipe && wait && [ -p pipe ]',
		stdout: /^a\n$/,
	},
	{
		name: 'to a device',
		script: 'isthmus fetch //Bob docs --file a -o /dev/null && [ -c /dev/null ]',
		stdout: /^$/,
	},
	{
		name: 'to the file behind links, in blocks, packed and in a pack of its own: the links and its permissions stay',
		script: `mkdir d far; echo p > d/a; head -c 17000000 /dev/zero > d/long; isthmus sync d --name file-2 --key //Packer > out || exit 9
			ln -s far/file to; ln -s to link
			onto() { echo old > far/file; chmod 640 far/file; isthmus fetch "$@" -o link; [ $? = 1 ] && [ $(cat far/file) = old ] || exit 8
				isthmus fetch "$@" -o link --force && [ -L link ] && [ -L to ] && [ "$(stat -c %a far/file) $(ls -A far)" = '640 file' ] || exit 7; }
			onto //Bob docs --file a && [ $(cat far/file) = a ] && onto //Packer file-2 --file a --key //Packer && [ $(cat far/file) = p ] || exit 6
			onto //Packer file-2 --file long --key //Packer && cmp d/long far/file`,
		stderr: /^(error: link already exists\nhint: .*--force.*\n){3}$/,
	},
	{
		name: 'not to what a link leads to that is not there, which is noticed before the work',
		script: `ln -s none a; ${OFFLINE} isthmus fetch //Bob docs --file a -o a --force; code=$?; [ -L a ] && [ $(ls -A) = a ] && exit $code`,
		code: FAILED,
		stderr: /a is a link that leads to nothing/,
	},
	{
		name: 'not through a link into a location of its objects',
		script: `mkdir d; echo a > d/a; isthmus sync d --name file-3 --key //Packer > out && echo theirs > $STORE/theirs && ln -s $STORE/theirs link || exit 9
			isthmus fetch //Packer file-3 --file a -o link --force --key //Packer; code=$?; cat $STORE/theirs; rm $STORE/theirs; [ -L link ] && exit $code`,
		code: FAILED,
		stdout: /^theirs\n$/,
		stderr: /is in the location file:/,
	},
	{
		name: 'not if the folder has no such file, and the hint can be pasted',
		script: 'isthmus fetch //Bob docs --file c -o - 2> err; code=$?; cat err >&2; $(grep -o "isthmus list .*" err) && exit $code',
		code: REFUSED,
		stdout: /^a\nb\n$/,
		stderr: /the folder has no file "c"\nhint: list its files: isthmus list files docs --owner 5\w{46,}$/m,
	},
	{
		name: 'by a path as a shell completes it',
		script: 'isthmus fetch //Bob docs --file ./a -o - && isthmus fetch //Bob docs --file a/ -o - && isthmus fetch //Bob docs --file .//b && cat b',
		stdout: /^a\na\n.*b\n$/s,
	},
	...[['/a', /did you mean a\?/], ['x/../a', /without `\.\.`/], ['.', /such as june\/beach\.jpg/]].map(([path, stderr]) => ({
		name: `not by the path ${path}`,
		script: `${OFFLINE} isthmus fetch //Bob docs --file ${path} -o -`,
		code: USAGE,
		stderr,
	})),
	{
		name: 'not if it is a folder',
		script: 'mkdir -p tree/sub; echo x > tree/sub/x; isthmus store tree --name file-1 > out && isthmus fetch //Bob file-1 --file sub -o -',
		code: USAGE,
		stderr: /"sub" is a folder.*\nhint: .*--file FOLDER\/FILE/,
	},
	{
		name: 'not if the record is not a folder',
		script: 'isthmus fetch //Bob small --file a -o -',
		code: USAGE,
		stderr: /hint: fetch it as one file: isthmus fetch \S+ \S+ --output FILE/,
	},
]));

describe('the files of a folder are listed without fetching them', () => cases([
	{
		name: 'as a shell reads their paths',
		script: `mkdir -p "tree/my files" tree/empty; printf 12345 > "tree/my files/it's"; echo x > tree/-x; isthmus store tree --name tree-1 > out
			isthmus list files tree-1 && isthmus list files tree-1 --owner //Bob --json`,
		stdout: [
			/^\.\/-x\nempty\/\n'my files\/it'\\''s'\n/,
			/\{"bytes":5,"executable":false,"folder":false,"hash":"0x5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5","path":"my files\/it's"\}/,
		],
	},
	{
		name: 'of a packed folder, too',
		script: 'export ISTHMUS_KEY=//Packer; isthmus store ../docs --object --name tree-2 > out && isthmus list files tree-2',
		stdout: /^a\nb\n$/,
	},
	{
		name: 'not of a record that is not a folder',
		script: 'isthmus list files small',
		code: USAGE,
		stderr: /error: the record is not a folder/,
	},
	{
		name: 'not without a name, which nothing else takes',
		script: `${OFFLINE} isthmus list files; [ $? = ${USAGE} ] && ${OFFLINE} isthmus list records small`,
		code: USAGE,
		stderr: /required arguments were not provided[^]*only `list files` takes a name/,
	},
]));

/** Stores a part of an object, and then changes its file. `$1` is its name. */
const INTERRUPTED_OBJECT = `export ISTHMUS_KEY=//Packer
	begin() { head -c 24000000 /dev/zero > $1; (ulimit -f 20000; exec isthmus store $1 --object 2> err); [ $? = 0 ] && exit 9
		ls $STORE/*.unfinished > /dev/null || exit 8; echo more >> $1; }
	hinted() { grep -o 'isthmus remove 0x[0-9a-f]*' err; }
`;

describe('an object whose upload was interrupted does not keep its name', () => cases([
	{
		name: 'the error says how to give it up, and then it is stored',
		script: `${INTERRUPTED_OBJECT}begin object-1; isthmus store object-1 --object 2> err; [ $? = 1 ] || exit 7; cat err >&2
			$(hinted) --yes || exit 6; ls $STORE/*.unfinished 2> /dev/null && exit 5
			isthmus store object-1 --object > out && isthmus fetch //Packer object-1 -o - | cmp - object-1`,
		stdout: /^gave up the unfinished upload of 0x\w{64}\n {2}file:\/\/\S+: deleted what had arrived\n$/,
		stderr: /had 24000000 bytes when its upload began.*\nhint: store it under another --name, or give the unfinished upload up: isthmus remove 0x\w{64}, and then the same command again/,
	},
	{
		name: 'it is found by its name, and a dry run does nothing',
		script: `${INTERRUPTED_OBJECT}begin object-2; isthmus remove object-2 --dry-run || exit 7; ls $STORE/*.unfinished > /dev/null || exit 6
			isthmus remove object-2 --yes --json; ls $STORE/*.unfinished 2> /dev/null && exit 5; isthmus remove object-2 --yes`,
		code: REFUSED,
		stdout: /"block":null,.*"name":"object-2","objects":\[\{"location":"file:.*","gone":1,"failure":null\}\],"erased":null/,
		stderr: /list your records: isthmus list records/,
	},
	{
		name: 'also after the machine was started again, and a new upload deletes what is left of the one before',
		script: `${INTERRUPTED_OBJECT}restart() { sed -i "s/$(cat /proc/sys/kernel/random/boot_id)/earlier/" $HOME/.local/state/isthmus/*.upload; }
			begin object-7; restart; isthmus remove object-7 --yes && ls $STORE/*.unfinished 2> /dev/null && exit 5
			begin object-8; restart; isthmus store object-8 --object --json > out && grep -q '"resumed":false' out || exit 6
			ls $STORE/*.unfinished 2> /dev/null && exit 4; isthmus fetch //Packer object-8 -o - | cmp - object-8`,
		stdout: /^gave up the unfinished upload of object-7\n {2}file:\/\/\S+: deleted what had arrived\n$/,
		stderr: /the machine was restarted after this upload was interrupted, .*: the upload begins again/,
		file: '/proc/sys/kernel/random/boot_id',
	},
	{
		name: 'what another machine has finished is given up by the same command',
		script: `${INTERRUPTED_OBJECT}state() { ls $HOME/.local/state/isthmus/*.upload 2> /dev/null; }; state > before; mkdir other many
			head -c 24000000 /dev/zero > object-9; head -c 24000000 /dev/urandom > many/a; echo b > many/b
			for command in 'store object-9 --object' 'sync many --name object-10'; do
				(ulimit -f 20000; exec isthmus $command 2> err); [ $? = 0 ] && exit 9; ls $STORE/*.unfinished > /dev/null || exit 8
				HOME=$PWD/other isthmus $command > out || exit 7; isthmus $command --dry-run; ls $STORE/*.unfinished > /dev/null || exit 6
				isthmus $command; ls $STORE/*.unfinished 2> /dev/null && exit 5; state | cmp - before || exit 4; done
			isthmus fetch //Packer object-9 -o - | cmp - object-9 && isthmus fetch //Packer object-10 --file a -o - | cmp - many/a`,
		stdout: /^(24\.0 MB already stored as object-9, .*\n){2}(2 files \(24\.0 MB\) in \d packs? already stored as object-10\n){2}$/,
	},
	{
		name: 'what is left of a stream that another machine has finished is given up, too',
		script: `${INTERRUPTED_OBJECT}mkdir other; head -c 40000000 /dev/zero > value; stream() { isthmus store - --name object-11 --object < value; }
			(ulimit -f 20000; stream 2> err); [ $? = 0 ] && exit 9; ls $STORE/*.unfinished > /dev/null || exit 8
			(HOME=$PWD/other; stream > out) || exit 7; stream; ls $STORE/*.unfinished 2> /dev/null && exit 5
			isthmus fetch //Packer object-11 -o - | cmp - value`,
		stdout: /^40\.0 MB already stored as object-11, .*\n$/,
	},
	{
		name: 'a record with the same name that is public stays',
		script: `${INTERRUPTED_OBJECT}echo x > object-3; isthmus store object-3 --public-name > out; begin object-3
			isthmus store object-3 --object 2> err; $(hinted) --yes && isthmus fetch //Packer object-3 -o -`,
		stdout: /^gave up .*\n.*\nx\n$/,
	},
	{
		name: 'not while another program stores objects in the same dataset',
		script: `${INTERRUPTED_OBJECT}begin object-4; mkfifo pipe; isthmus store pipe --name object-5 --object > out 2>&1 & exec 3> pipe
			lock=$HOME/.local/state/isthmus/isthmus-$(isthmus balance //Packer --json | grep -o '5[0-9A-Za-z]\\{46,\\}')-objects-0.lock
			timeout 60 sh -c 'until [ -e "$1" ] && ! flock -n "$1" true; do sleep 0.1; done' sh $lock || exit 7
			isthmus remove object-4 --yes; code=$?; echo x >&3; exec 3>&-; wait
			ls $STORE/*.unfinished > /dev/null && isthmus remove object-4 --yes > out && exit $code`,
		code: REFUSED,
		stderr: /another program stores this record, or objects in the same dataset \(`isthmus store pipe .*process \d+\)\nhint: end that program, or wait/,
	},
	{
		name: 'its key is erased if that is wanted',
		script: `${INTERRUPTED_OBJECT}export ISTHMUS_PASSPHRASE=$PASSPHRASE ISTHMUS_KEY=$KEY STORE=$PWD/store; mkdir store
			number=$(isthmus dataset create erasable-objects --erasable --json | grep -o '"dataset":[0-9]*' | cut -d: -f2)
			isthmus dataset locate $number file://$STORE --finalized > out
			head -c 24000000 /dev/zero > object-6; (ulimit -f 20000; exec isthmus store object-6 --object --dataset $number 2> err)
			ls $STORE/*.unfinished > /dev/null || exit 8
			isthmus remove object-6 --erase --yes; ls -A $STORE
			isthmus store object-6 --object --dataset $number > out && isthmus fetch $(isthmus key inspect $KEY | awk '/^account/ { print $2 }') object-6 -o - | cmp - object-6`,
		stdout: /^gave up the unfinished upload of object-6\n.*deleted what had arrived\n {2}erased 1 key\n$/,
	},
]));

describe('limits of the system are said', () => cases([
	...[5, 6, 8, 12].map((files) => ({
		name: `only ${files} open files`,
		script: `ulimit -n ${files}; exec isthmus status`,
		code: FAILED,
		stderr: /error: cannot open \d+ files: Too many open files\nhint: .*ulimit -n/,
	})),
	{
		name: 'too few threads',
		// Root has no such limit, and another user may not enter the program's folder.
		script: 'exec 3< "$(command -v isthmus)"\n'
			+ 'limited() { if [ $(id -u) = 0 ]; then setpriv --reuid 54321 --clear-groups "$@"; else "$@"; fi; }\n'
			+ 'limited bash -c "ulimit -u 1; exec /proc/self/fd/3 status"',
		code: FAILED,
		stderr: /error: cannot start \d+ threads: [^\n]*\nhint: .*ulimit -u, ulimit -v; in a container, .*--pids-limit/,
		not: { stderr: /panicked/ },
	},
	{
		name: 'a file that may not grow is an error, and says which transaction is in a block',
		script: 'head -c 20480 /dev/zero > log; (ulimit -f 20; exec isthmus transfer //Ferdie 1 --key //Alice >> log)',
		code: FAILED,
		stderr: /error: cannot write to stdout: File too large\nhint: the transaction 0x\w{64} is in a block, so do not run this again/,
	},
	{
		name: 'a file that may not grow stops no download without a word',
		script: '(ulimit -f 20; exec isthmus fetch //Bob big -o out); code=$?; ls out; exit $code',
		code: FAILED,
		stderr: /error: .*File too large\nhint: the file system there, or the limit ulimit -f/,
	},
	{
		name: 'a log that may not grow stops no command',
		script: 'head -c 20480 /dev/zero > log; (ulimit -f 20; exec isthmus balance //Bob 2>> log)',
		stdout: /free/,
	},
	{
		name: 'a key file that may not grow is the old one',
		script: 'cp $KEY key; (ulimit -f 0; ISTHMUS_PASSPHRASE=$PASSPHRASE ISTHMUS_NEW_PASSPHRASE=$PASSPHRASE exec isthmus key passphrase key)\n'
			+ 'code=$?; cmp $KEY key && ls; exit $code',
		code: FAILED,
		stdout: /^key\n$/,
		stderr: /error: key: File too large/,
	},
	{
		name: 'enough open files',
		script: 'ulimit -n 64; isthmus status && isthmus store ../docs --name files-1 && isthmus fetch //Bob files-1 --folder -o out',
	},
]));

describe('addresses and variables are taken as they are meant, or refused', () => cases([
	{
		name: 'a variable that is invalid is named',
		script: 'ISTHMUS_GENESIS=0x12 isthmus status; [ $? = 2 ] && ISTHMUS_URL=x isthmus status',
		code: USAGE,
		stderr: /invalid \$ISTHMUS_GENESIS: .*\n.*invalid \$ISTHMUS_URL: /,
	},
	{
		name: 'an empty variable counts as none, but for the one that is a check',
		script: 'ISTHMUS_URL= ISTHMUS_GENESIS= isthmus status; [ $? = 2 ] || exit 9; ISTHMUS_GENESIS= isthmus status --genesis 0x12; [ $? = 2 ] || exit 8\n'
			+ 'ISTHMUS_KEY= isthmus balance; [ $? = 2 ] || exit 7; ISTHMUS_PASSPHRASE= isthmus balance //Bob',
		stdout: /free/,
		stderr: /^error: invalid \$ISTHMUS_GENESIS: it is empty, and no check of the chain\nhint: set it to the hash of the chain's first block, or unset it\n[^]*needs a key: pass --key or set \$ISTHMUS_KEY \(it is empty\)/,
	},
	...[
		['127.0.0.1:9944', 'ws://127.0.0.1:9944'],
		['http://node.org', 'ws://node.org'],
		['https://node.org/rpc', 'wss://node.org/rpc'],
	].map(([address, meant]) => ({
		name: `${address} is not the address of a WebSocket`,
		script: `isthmus status --url ${address}; [ $? = 2 ] && ISTHMUS_URL=${address} isthmus status`,
		code: USAGE,
		stderr: new RegExp(`(expected a WebSocket address: ${meant}[^]*){2}`),
	})),
	...[
		["''", /the address is empty; expected a WebSocket address, such as ws:/],
		["' '", /the address is empty; expected a WebSocket address, such as ws:/],
		['ws://::1:1', /an IPv6 address needs brackets; expected a WebSocket address, such as ws:\/\/\[::1\]:1/],
		['ws://a,ws://b', /expected one address; give each with a --url of its own/],
		["'ws://a ws://b'", /expected one address; give each with a --url of its own/],
		['ws://:9944', /there is no host in it; expected a WebSocket address, such as ws:/],
		["'ws://[::1'", /invalid IPv6 address; expected a WebSocket address, such as ws:/],
		['http://::1', /an IPv6 address needs brackets/],
	].map(([address, stderr]) => ({
		name: `--url ${address} says what is wrong and what to write`,
		script: `isthmus status --url ${address}`,
		code: USAGE,
		stderr,
	})),
	{
		name: 'an address may have a line end of Windows after it',
		script: "isthmus status --url \"$ISTHMUS_URL\"$' \\r\\n' && ISTHMUS_URL=\" $ISTHMUS_URL\"$'\\r' isthmus status",
	},
	{
		name: 'an address to listen at is one with a port',
		script: 'for at in localhost:1 ::1:1 9800 127.0.0.1; do isthmus gateway --listen $at; [ $? = 2 ] || exit 9; done',
		stderr: /(error: invalid value .* expected an IP address and a port, such as 127\.0\.0\.1:9800 or \[::1\]:9800[^]*){4}/,
	},
	{
		name: 'a server without TLS is named as such',
		script: 'isthmus status --url wss://${ISTHMUS_URL#ws://}',
		code: UNREACHABLE,
		stderr: /does not speak TLS: without it, the address begins with ws:/,
	},
	{
		name: 'servers that are no nodes, and one that ends each connection',
		script: `python3 -c '
import http.server, socket, threading
class Web(http.server.BaseHTTPRequestHandler): protocol_version = "HTTP/1.1"
class Old(http.server.BaseHTTPRequestHandler): protocol_version = "HTTP/1.0"
web, old = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Web, Old)]
for server in (web, old): threading.Thread(target=server.serve_forever, daemon=True).start()
gone = socket.create_server(("127.0.0.1", 0))
def close():
    while True: gone.accept()[0].close()
threading.Thread(target=close, daemon=True).start()
import subprocess
for port in (web.server_port, old.server_port, gone.getsockname()[1]):
    print(subprocess.run(["isthmus", "status", "--url", f"ws://127.0.0.1:{port}"]).returncode)'`,
		stdout: /^3\n3\n3$/m,
		stderr: [
			/refuses the connection with HTTP status 501/,
			/no node answers at \S+: the server speaks HTTP, but no WebSocket: /,
			/no node answers at \S+: the server closes the connection; the port may be one for peers/,
		],
	},
	{
		name: 'a line end after a passphrase, of a file that Windows wrote, is ignored',
		script: "ISTHMUS_PASSPHRASE=$PASSPHRASE$'\\r' isthmus balance --key $KEY",
	},
	{
		name: 'a variable that is not UTF-8 is not ignored',
		script: "for name in URL KEY PASSPHRASE; do env ISTHMUS_$name=$'\\xff' isthmus balance; [ $? = 2 ] || exit 9; done",
		stderr: /(error: the value of \$ISTHMUS_(URL|KEY|PASSPHRASE) is not UTF-8\n){3}/,
	},
	{
		name: 'an argument that is not UTF-8 is named',
		script: "mkdir bytes; isthmus sync bytes --exclude $'\\xff*'",
		code: USAGE,
		stderr: /error: the value of --exclude is not UTF-8: \$'\\xff\*'\n\n {2}tip: in a pattern, \?/,
	},
	{
		name: 'a home folder that does not exist does not stop a command',
		script: 'HOME=/nonexistent isthmus transfer //Alice 1',
	},
	{
		name: 'a file of a folder whose record is gone is named',
		script: 'mkdir d; echo a > d/first; echo b > d/second; isthmus store d --name rec-1\n'
			+ 'gone=$(isthmus list records --json | python3 -c \'import json, sys; r = [json.loads(l) for l in sys.stdin]\n'
			+ 'l = next(x["leaf"] for x in r if x["name"] == "rec-1"); print(next(x["key"] for x in r if x["leaf"] == l - 1))\')\n'
			+ 'isthmus remove $gone --alone && isthmus fetch //Bob rec-1 --folder -o out; code=$?; cat out/first; exit $code',
		code: REFUSED,
		stdout: /^a$/m,
		stderr: /error: 1 of 2 files were not fetched\n {2}second: the owner has no record with this key\nhint: .*the same command again/,
	},
]));

/** Holds the lock of a file until the command that follows has said that it waits; prints what that said. */
const held = (file, command) => `mkfifo held; : > said
	(flock ${file} sh -c 'echo > held; until grep -q waiting said; do sleep 0.1; done') & read < held
	${command} 2> said; code=$?; cat said; exit $code`;

describe('a command that waits for another program says which one', () => cases([
	{
		name: 'the account\'s lock',
		script: held('$HOME/.local/state/isthmus/isthmus-$(isthmus balance //Charlie --json | grep -o \'5[0-9A-Za-z]\\{46,\\}\').lock',
			'isthmus transfer //Alice 1 --key //Charlie'),
		stdout: /^waiting for another program that sends a transaction of the account \(`flock \/.*`, process \d+\), for \d+ s$/m,
	},
	{
		name: 'a memory, also behind a link',
		script: 'isthmus serve --memory memory 2> said & until grep -q serving said; do sleep 0.1; done\n'
			+ 'ln -s memory link; isthmus serve --memory link; [ $? = 2 ] || exit 9\n'
			+ 'isthmus serve --memory memory; code=$?; kill -HUP $!; wait $!; [ $? = 0 ] && exit $code',
		code: USAGE,
		stderr: [
			/error: link: another program uses this memory: `isthmus serve --memory memory`, process \d+\n/,
			/error: memory: another program uses this memory: `isthmus serve --memory memory`, process \d+\n/,
		],
	},
]));

/** Runs commands at once, each with a FIFO of its own, from which nothing comes, and waits until each has said for what it waits. */
const waiting = (commands) => commands.map((command, at) => `mkfifo p${at}; ${command.replaceAll('FIFO', `p${at}`)} 2> said${at} & started="$started $!"\n`).join('')
	+ commands.map((_, at) => `timeout 60 sh -c 'until grep -q "^waiting for .*, which is a FIFO from which nothing comes, for [0-9]* s$" said${at}; do sleep 0.05; done' || cat said${at}\n`).join('');
/** A program that passes connections to the node on, and prints its port. */
const PASSING_ON = `
import socket, sys, threading
host, port = sys.argv[1].split("/")[2].split(":")
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
def copy(a, b):
    while data := a.recv(65536): b.sendall(data)
while True:
    a = server.accept()[0]
    b = socket.create_connection((host, int(port)))
    for pair in ((a, b), (b, a)): threading.Thread(target=copy, args=pair, daemon=True).start()
`;

describe('nothing is waited for without a word', () => cases([
	{
		name: 'a file that is named and is a FIFO: for what a command waits is said once, and what comes late is read',
		script: `export ISTHMUS_PASSPHRASE=$PASSPHRASE; ${waiting([
			'isthmus key inspect FIFO',
			'isthmus balance --key FIFO',
			'isthmus verify FIFO',
			'isthmus verify - <> FIFO',
			'isthmus key import none.key <> FIFO',
			'isthmus status --chain-spec FIFO',
			'isthmus feed FIFO',
			'isthmus risk --depth 0..5 --plot x.svg --measured FIFO',
			'isthmus store FIFO',
			'isthmus store - --name none <> FIFO',
			'isthmus store - --name none --object --key //Packer <> FIFO',
		])} cat $KEY > p0; cat $KEY > p1; echo late > p8; set -- $started
			wait $1 && wait $2 && wait $9 || exit 9; kill $3 $4 $5 $6 $7 $8 \${10} \${11}; cat said0 said1; isthmus fetch //Bob p8 -o -`,
		stdout: /^(waiting for p[01], .*\n){2}late\n$/m,
	},
	{
		name: 'a file of a program\'s own is a regular file',
		script: `mkfifo fifo memory.lock; timeout 60 isthmus gateway --listen 127.0.0.1:0 --profile fifo; [ $? = 1 ] || exit 9
			timeout 60 isthmus gateway --listen 127.0.0.1:0 --credentials fifo; [ $? = 1 ] || exit 8; timeout 60 isthmus serve --memory memory`,
		code: FAILED,
		stderr: /fifo: it is a FIFO, and a regular file is expected here[^]*fifo: it is a FIFO, and [^]*memory\.lock: it is a FIFO, and/,
	},
	{
		name: 'a FIFO at a location is no object',
		script: `export ISTHMUS_KEY=//Packer; cp $BIG fifo-1; ls $STORE > before; isthmus store fifo-1 --object > out || exit 9
			name=$(ls $STORE | comm -13 before - | grep -v '\.b3$'); mv $STORE/$name kept; mkfifo $STORE/$name
			timeout 60 isthmus fetch //Packer fifo-1 -o -; code=$?; rm $STORE/$name; mv kept $STORE/$name
			isthmus fetch //Packer fifo-1 -o - | cmp - $BIG && [ $code != 0 ] && [ $code != ${ENDED_BY_TIMEOUT} ]`,
		stderr: /what is there is a FIFO, and no file: remove it/,
	},
	{
		name: 'an output that is a FIFO without a reader',
		script: `mkfifo p; isthmus fetch //Bob small -o p 2> said & until grep -q '^waiting for a program that reads from p, which is a FIFO, for ' said; do sleep 0.05; done
			cat p; wait $!`,
		stdout: /^small\n$/,
	},
	{
		name: 'an output that is open for reading is not written to',
		script: `echo input > file; ${OFFLINE} isthmus fetch //Bob small -o /dev/fd/3 3< file; code=$?; cat file; exit $code`,
		code: FAILED,
		stdout: /^input\n$/,
		stderr: /\/dev\/fd\/3 is open for reading only\nhint: open it for writing/,
	},
	{
		name: 'a stream whose upload fails ends before its producer does',
		script: `mount -t tmpfs -o size=50m none $STORE; head -c 38000000 /dev/zero > $STORE/ballast
			mkfifo in; (head -c 34000000 /dev/zero; exec sleep 300) > in & producer=$!
			timeout 60 isthmus store - --name silent-1 --object --key //Packer < in; code=$?; kill $producer; exit $code`,
		code: FAILED,
		stderr: /there is no space left: make room/,
		mount: true,
	},
	{
		name: 'a stream into blocks ends when its node is gone, before its producer does',
		script: `python3 -c '${PASSING_ON}' $ISTHMUS_URL > port & passing=$!; until [ -s port ]; do sleep 0.05; done
			mkfifo in; isthmus store - --name silent-2 --timeout 10 --url ws://127.0.0.1:$(cat port) < in 2> said & client=$!
			exec 4> in; head -c 300000 /dev/zero >&4; kill $passing; wait $client; code=$?; cat said; exit $code`,
		code: UNREACHABLE,
		stdout: /: reading on, and giving up if this lasts for 10 s\n[^]*error: /,
	},
]));

/** The services, with what each says when it has started. */
const SERVICES = [
	['serve', 'serving requests to'],
	['watch', 'watching what'],
	['keep //Bob 0 --at file://$PWD/copies --key //Charlie', 'keeping dataset'],
	['gateway --listen 127.0.0.1:0', 'listening at'],
	['feed ../feed.toml', 'reporting for'],
];

/** Starts a service in the background, and waits until it has started. Its output is in \`said\`. */
const started = ([command, words]) => `isthmus ${command} > said 2>&1 & service=$!
	until grep -q '${words}' said; do kill -0 $service || { cat said; exit 9; }; sleep 0.05; done\n`;

/** What programs show to the gateway. */
const SECRET = '0123456789abcdef'.repeat(4);
/** Reads a part of a file from the gateway, which has to be larger than what the system takes of it at once; asks the gateway to end, and reads the rest; or asks a second time. */
const READER = `
import http.client, os, re, signal, socket, sys, time
gateway, how = int(sys.argv[1]), sys.argv[2]
said = lambda: open("said").read()
port = int(re.search(r"http://127.0.0.1:([0-9]+)", said())[1])
owner = re.search(r"dataset 0, .*, of ([0-9A-Za-z]+)", said())[1]
link = http.client.HTTPConnection("127.0.0.1", port)
link.sock = socket.socket()
link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
link.sock.connect(("127.0.0.1", port))
link.request("GET", f"/{owner}/0/huge", headers={"Authorization": "Bearer ${SECRET}"})
answer = link.getresponse()
assert answer.status == 200, answer.read()
got = answer.read(1000)
os.kill(gateway, signal.SIGTERM)
while "ending" not in said(): time.sleep(0.05)
while True:
    try: socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError: break
if how == "twice":
    os.kill(gateway, signal.SIGTERM)
    while "second" not in said(): time.sleep(0.05)
else:
    open("got", "wb").write(got + answer.read())
`;

describe('a gateway is not taken for a node', () => cases([
	{
		name: 'whose name and password are missing',
		script: `${started(['gateway --listen 127.0.0.1:0', 'listening at'])} url=$(grep -o -m 1 '127.0.0.1:[0-9]*' said)
			isthmus status --url ws://$url; code=$?; kill $service; wait $service; exit $code`,
		code: UNREACHABLE,
		stderr: /^error: no node answers at ws:\S+: this is the port of `isthmus gateway`: a node's RPC is usually at port 9944$/m,
	},
]));

describe('services end in order', () => cases([
	...SERVICES.flatMap((service) => ['TERM', 'INT'].map((signal) => ({
		name: `isthmus ${service[0]} on SIG${signal}`,
		script: `${started(service)} kill -${signal} $service; wait $service; code=$?; cat said; exit $code`,
		stdout: /^ending$/m,
		not: { stdout: /error/ },
	}))),
	...[
		{
			name: 'the gateway finishes its answers, takes no more requests, and ends',
			how: 'once',
			then: 'cmp got huge && grep \' read huge .*bytes 0 to 9000000\' said && ! grep error said',
		},
		{
			name: 'a second signal does not wait',
			how: 'twice',
			then: 'tail -n 1 said; exit $code',
			code: FAILED,
			stdout: /^error: ended by a second signal, before all that was in hand was done\n$/,
		},
	].map(({ how, then, ...expected }) => ({
		script: `export ISTHMUS_GATEWAY_ACCESS_KEY=key ISTHMUS_GATEWAY_SECRET_KEY=${SECRET} ISTHMUS_GATEWAY_TOKEN=${SECRET}
[ -e ../huge ] || { head -c 9000000 /dev/urandom > ../huge; isthmus store ../huge || exit 9; }; ln ../huge huge
${started(['gateway --listen 127.0.0.1:0', 'bucket'])}
python3 -c '${READER}' $service ${how} || exit 9; wait $service; code=$?; ${then}`,
		...expected,
	})),
]));

describe('text of others does not steer a terminal', () => cases([
	{
		name: 'the path of an output',
		script: `out=$'a\\e[2Jb\\nc\\x9b'; isthmus fetch //Bob small -o "$out"; isthmus fetch //Bob docs --folder -o "d$out"
			block=$(isthmus transfer //Alice 1 | grep -o '[0-9]*' | head -n 1); block=$(isthmus register Shown --kind school --key //Dave | grep -o '[0-9]*' | head -n 1)
			isthmus receipt $block -o "e$out" && isthmus risk --depth 0..5 --plot "f$out.svg"; ls -b | wc -l`,
		stdout: [/^a\\u\{1b\}\[2Jb\\nc\S*: 6 B$/m, /^da\\u\{1b\}\[2Jb\\nc\S*: 2 files/m, /^ea\\u\{1b\}\[2Jb\\nc\S*: /m, /^4$/m],
		not: { stdout: /\u001b/, stderr: /\u001b/ },
	},
	{
		name: 'an argument that is refused',
		script: 'for arg in --url --key --leaf; do isthmus store small $arg $\'\\e[31mx\\e]0;title\\a\'; done; isthmus $\'\\e[2J\'; isthmus status $\'\\e[2J\'; isthmus --$\'\\e[2J\'; NO_COLOR=1 isthmus balance $\'\\e[31m\'; exit 3',
		typed: [],
		code: 3,
		not: { screen: /\u001b\[2J|\u001b\[31mx|\u001b\]|\u0007/ },
	},
]));

describe('files and arguments of others are read as they are meant', () => cases([
	{
		name: 'a key file, words and shares that an editor of Windows wrote',
		script: 'export ISTHMUS_PASSPHRASE=$PASSPHRASE; mark() { printf \'\\xef\\xbb\\xbf\'; sed \'s/$/\\r/\'; }\n'
			+ 'mark < $KEY > key; chmod 600 key; isthmus key inspect key && isthmus balance --key key || exit 9\n'
			+ 'isthmus key words key | mark | isthmus key restore a && isthmus key split key --of 3 --need 2 | mark | isthmus key join b || exit 8\n'
			+ 'isthmus key words key | tr " " "\\n" | sed "s/^/- /; s/^- //" | nl -s ". " | isthmus key restore c && isthmus key words key | sed "s/ /, /g" | isthmus key restore d',
	},
	{
		name: 'too few words on several lines are counted',
		script: 'ISTHMUS_PASSPHRASE=$PASSPHRASE isthmus key restore a <<< $\'1. abandon\\n2. ability\'',
		code: USAGE,
		stderr: /a seed has 24 words, got 2/,
	},
	{
		name: 'a measurement after a byte order mark',
		script: `printf '\\xef\\xbb\\xbf{"share":0.3,"depth":1,"trials":9,"successes":5}\\r\\n' > m; isthmus risk --depth 0..5 --plot x.svg --measured m`,
	},
	{
		name: 'a passphrase in the other form of its accents',
		script: "ISTHMUS_PASSPHRASE=$'\\xc3\\xa9t\\xc3\\xa9 2026' isthmus key generate key && ISTHMUS_PASSPHRASE=$'e\\xcc\\x81te\\xcc\\x81 2026' isthmus balance --key key",
	},
	{
		name: 'a flag may be repeated, as where an alias has it already',
		script: 'isthmus --json balance --json --json && isthmus transfer //Alice 1 --dry-run --dry-run --finalized --finalized\n'
			+ 'isthmus fetch //Bob small -o out --force --force',
		stdout: /^\{"account"[^]*dry run/,
	},
	{
		name: 'a key file that a variable names is found in no other folder, which is said',
		script: 'cd /; ISTHMUS_KEY=school.key isthmus balance; [ $? = 1 ] && isthmus balance --key none.key',
		code: FAILED,
		stderr: /school\.key: No such file or directory\nhint: .*\$ISTHMUS_KEY.*\nerror: none\.key: No such file or directory\n$/,
	},
	{
		name: 'an argument of any length is not repeated whole',
		script: 'isthmus balance $(head -c 100000 /dev/zero | tr "\\0" a) 2> err; code=$?; [ $(wc -c < err) -lt 1000 ] && exit $code',
		code: USAGE,
	},
]));
