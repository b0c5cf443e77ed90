/**
 * `npm run drive:agents [-- --only qwen-code,opencode] [--packages DIR] [--json FILE]`: drives agents that are published in
 * the npm registry through the product, without an account: test, a session, a turn, a tool with its permission, a kill and
 * what is known after it. They are installed into bench/published-agents on the first use, or taken from a `node_modules`
 * that is there. Not part of any suite: it needs the network for the installation, and other people's programs change.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import {
  type Places,
  PUBLISHED_AGENTS,
  type PublishedAgent,
} from '../bench/published-agents/published-agents.ts';
import {
  RECALL,
  RUN,
  startStandInModel,
  TOOL_USED,
  wordToKeep,
} from '../bench/published-agents/stand-in-model.ts';
import type {
  Agent,
  AgentLaunch,
  AgentTestResult,
  NeedsYouItem,
  SessionDetail,
} from '../runtime/contract/index.ts';
import { startWholeRuntime, type WholeRuntime } from '../runtime/proofs/whole-runtime.ts';

const FOLDER = join(import.meta.dirname, '..', 'bench', 'published-agents');
/** Other people's programs may take their time, above all to start. */
const PATIENCE_MS = 120_000;
const WORD = 'heron';
/** What a person may have set, and must neither be used nor change what comes out. */
const ACCOUNTS = /(?:API_KEY|AUTH_TOKEN|OAUTH_TOKEN|BASE_URL)$/;

/** What came of one agent: a line for each thing that was tried, in words. */
interface Drive {
  agent: string;
  version: string;
  offers: string;
  test: string;
  withoutAccount: string;
  turn: string;
  tool: string;
  afterKill: string;
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, packages: { type: 'string' }, json: { type: 'string' } },
});
const wanted = values.only?.split(',');
const packages = values.packages ?? join(FOLDER, 'node_modules');
const why = values.packages === undefined ? await install() : undefined;
if (why !== undefined) {
  console.error(`The published agents cannot be driven: ${why}`);
  process.exit(1);
}
for (const name of Object.keys(process.env)) if (ACCOUNTS.test(name)) delete process.env[name];

const drives: Drive[] = [];
for (const agent of PUBLISHED_AGENTS) {
  if (wanted !== undefined && !wanted.includes(agent.id)) continue;
  console.log(`\n## ${agent.id}`);
  drives.push(await drive(agent));
}
const columns: (keyof Drive)[] = ['agent', 'version', 'test', 'withoutAccount', 'turn', 'tool', 'afterKill'];
console.log(`\n| ${columns.join(' | ')} |\n|${columns.map(() => '---|').join('')}`);
for (const row of drives) console.log(`| ${columns.map((column) => row[column]).join(' | ')} |`);
if (drives.some((row) => Object.values(row).some((told: string) => told.startsWith('failed')))) {
  process.exitCode = 1;
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(drives, null, 2)}\n`);

/**
 * Resolves with the reason when they cannot be had. Not by `npm ci`: the lock file cannot name the programs of other systems
 * that a mirror of the registry does not carry, and `npm ci` refuses such a file.
 */
async function install(): Promise<string | undefined> {
  if (existsSync(packages)) return undefined;
  console.error('Installing the published agents (bench/published-agents, about 1 GB) …');
  try {
    await promisify(execFile)('npm', ['install', '--no-save'], { cwd: FOLDER });
    return undefined;
  } catch (error) {
    await rm(packages, { recursive: true, force: true });
    const { stderr = '' } = error as { stderr?: string };
    const said = stderr.split('\n').filter((line) => /^npm error (?!code|errno|syscall)\S/.test(line));
    return `\`npm install\` in bench/published-agents failed (${said[0] ?? String(error)}).`;
  }
}

/** Tries one thing after the other; what fails is said, and the next is tried. */
async function drive(agent: PublishedAgent): Promise<Drive> {
  const folder = await mkdtemp(join(tmpdir(), `smalltalk-${agent.id}-`));
  const places: Places = { home: join(folder, 'home'), project: join(folder, 'project') };
  await mkdir(places.home);
  await mkdir(places.project);
  const model = await startStandInModel();
  const runtime = await startWholeRuntime(join(folder, 'data'));
  const result: Drive = {
    agent: agent.id,
    version: (await manifestOf(agent)).version,
    offers: '–',
    test: '–',
    withoutAccount: '–',
    turn: '–',
    tool: '–',
    afterKill: '–',
  };
  const attempt = async (what: Exclude<keyof Drive, 'agent' | 'version'>, work: () => Promise<string>) => {
    result[what] = await work().catch((error: unknown) => `failed: ${oneLine(String(error))}`);
    console.log(`${what}: ${result[what]}`);
  };

  const alone = await launchOf(agent, places, {});
  await attempt('test', async () => {
    const tested = await runtime.call<AgentTestResult>('POST', '/agents/test', { launch: alone });
    result.offers = JSON.stringify({
      ...tested.capabilities,
      logins: tested.authMethods.map(({ id }) => id),
    });
    if (!tested.ok) return `no: ${tested.error?.code} ${oneLine(tested.error?.message ?? '')}`;
    return `${tested.agentInfo?.name} ${tested.agentInfo?.version}, ${tested.isProbed ? 'answers probes' : 'no probes'}, ${tested.durationMs} ms`;
  });
  console.log(`offers: ${result.offers}`);
  await attempt('withoutAccount', async () => {
    const added = await ready(runtime, await runtime.addAgent(`${agent.id} without an account`, alone));
    const { id } = await runtime.newSession(added.id);
    const told = await turn(runtime, id, 'Hello');
    await runtime.call('POST', `/agents/${added.id}/stop`);
    return told.error === undefined
      ? `${told.state}: “${oneLine(told.text)}”`
      : `${told.error.code}: ${oneLine(told.error.message)}`;
  });

  const launch = await launchOf(agent, places, await agent.withStandIn(model.url, places));
  let added: Agent | undefined;
  let sessionId = '';
  await attempt('turn', async () => {
    added = await ready(runtime, await runtime.addAgent(agent.id, launch));
    if (agent.authenticate !== undefined) {
      await runtime.call('POST', `/agents/${added.id}/authenticate`, { methodId: agent.authenticate });
    }
    sessionId = (await runtime.newSession(added.id)).id;
    const told = await turn(runtime, sessionId, wordToKeep(WORD));
    return `${told.state}: “${oneLine(told.text)}”${told.error === undefined ? '' : ` ${told.error.code} ${oneLine(told.error.message)}`}`;
  });
  await attempt('tool', async () => {
    const told = await turn(runtime, sessionId, `${RUN} touch made-by-a-tool`);
    const isMade = existsSync(join(places.project, 'made-by-a-tool'));
    const asked = told.asked === 0 ? 'was not asked for' : 'was asked for in “Needs you” and given';
    return `${told.state}: the permission ${asked}, the file is ${isMade ? 'there' : 'not there'}, ${told.toolCalls} tool calls, ${told.text.includes(TOOL_USED) ? 'the answer follows' : `“${oneLine(told.text)}”`}${told.error === undefined ? '' : ` ${told.error.code} ${oneLine(told.error.message)}`}`;
  });
  await attempt('afterKill', async () => {
    if (added === undefined) return 'it did not run';
    const before = await runtime.agent(added.id);
    process.kill(-(before.pid as number), 'SIGKILL');
    const killedAt = performance.now();
    await runtime.agentIs(
      added.id,
      'recovered',
      ({ generation, state }) => generation > before.generation && state === 'healthy',
      PATIENCE_MS,
    );
    const ms = Math.round(performance.now() - killedAt);
    if (agent.authenticate !== undefined) {
      await runtime.call('POST', `/agents/${added.id}/authenticate`, { methodId: agent.authenticate });
    }
    const told = await turn(runtime, sessionId, RECALL);
    const memory = told.text.includes(WORD) ? 'knows the word' : `says “${oneLine(told.text)}”`;
    return `ready after ${ms} ms, ${told.state}, session ${told.knownBy}, ${memory}${told.error === undefined ? '' : ` ${told.error.code} ${oneLine(told.error.message)}`}`;
  });
  const { exits, frames } =
    added === undefined ? { exits: [], frames: [] } : await evidence(runtime, added.id);
  await writeFile(
    join(folder, 'evidence.json'),
    JSON.stringify({ exits, frames, log: runtime.log, calls: model.calls.map(({ path }) => path) }, null, 2),
  );
  console.log(`evidence: ${folder}`);
  await runtime[Symbol.asyncDispose]();
  await model.close();
  return result;
}

async function evidence(runtime: WholeRuntime, id: string) {
  const { exits } = await runtime.agent(id);
  const { items } = await runtime.call<{ items: unknown[] }>('GET', `/agents/${id}/frames`);
  return { exits, frames: items };
}

function ready(runtime: WholeRuntime, { id }: Agent): Promise<Agent> {
  return runtime.agentIs(
    id,
    'ready',
    ({ state }) => state === 'healthy' || state === 'degraded',
    PATIENCE_MS,
  );
}

/** One turn; permissions are given, by the item that waits in "Needs you". */
async function turn(runtime: WholeRuntime, sessionId: string, text: string) {
  const { id } = await runtime.prompt(sessionId, text);
  const deadline = performance.now() + PATIENCE_MS;
  let asked = 0;
  let session: SessionDetail;
  for (;;) {
    session = await runtime.session(sessionId);
    if (session.turns.find((candidate) => candidate.id === id)?.state !== 'running') break;
    if (performance.now() > deadline) {
      await runtime.call('POST', `/sessions/${sessionId}/cancel`);
      throw new Error(`The turn did not end within ${PATIENCE_MS / 1000} s`);
    }
    const { items } = await runtime.call<{ items: NeedsYouItem[] }>(
      'GET',
      `/needs-you?sessionId=${sessionId}`,
    );
    for (const { id: itemId, options } of items) {
      const optionId = options.find(({ kind }) => kind === 'allow_once')?.id;
      if (optionId === undefined) continue;
      await runtime.call('POST', `/needs-you/${itemId}/answer`, { optionId });
      asked += 1;
    }
    await pause(50);
  }
  const ended = session.turns.find((candidate) => candidate.id === id);
  const said = session.messages.filter(({ turnId, role }) => turnId === id && role === 'agent');
  return {
    state: ended?.state,
    error: ended?.error,
    knownBy: ended?.knownBy,
    asked,
    toolCalls: said.filter(({ kind }) => kind === 'tool_call').length,
    text: said.map((message) => (message.kind === 'text' ? message.text : '')).join(''),
  };
}

async function manifestOf(
  agent: PublishedAgent,
): Promise<{ version: string; bin: string | Record<string, string> }> {
  return JSON.parse(await readFile(join(packages, agent.package, 'package.json'), 'utf8'));
}

/** Its own command; a script runs on the Node.js of this process, whichever the login shell would find. */
async function launchOf(
  agent: PublishedAgent,
  { home, project }: Places,
  more: Record<string, string>,
): Promise<AgentLaunch> {
  const { bin } = await manifestOf(agent);
  const program = join(
    packages,
    agent.package,
    (typeof bin === 'string' ? bin : Object.values(bin)[0]) ?? '',
  );
  const isScript = (await readFile(program)).subarray(0, 2).toString() === '#!';
  return {
    kind: 'command',
    command: isScript ? process.execPath : program,
    args: [...(isScript ? [program] : []), ...agent.args],
    cwd: project,
    env: {
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      XDG_DATA_HOME: join(home, '.data'),
      ...agent.env,
      ...more,
    },
  };
}

/** The beginning of a text, as it fits into a cell of a table. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim().slice(0, 300);
}
