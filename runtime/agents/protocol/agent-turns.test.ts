/** That every question of an agent is answered exactly once, whatever happens in which order. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { fault } from '../../contract/index.ts';
import { AgentPeer } from './agent-peer.ts';
import { AgentSessions } from './agent-sessions.ts';
import { AgentTurns } from './agent-turns.ts';
import { openWire } from './agent-wire.ts';
import { LimitedLog } from './limited-log.ts';

interface Line {
  id?: number | string;
  method?: string;
  params?: { requestId?: unknown };
  result?: { outcome?: { outcome: string; optionId?: string }; action?: string };
}

const CAPABILITIES = {
  loadSession: false,
  resumeSession: false,
  closeSession: false,
  image: false,
  audio: false,
  embeddedContext: false,
  mcpHttp: false,
  mcpSse: false,
};

/** Everything that is under way has come to rest: nothing here waits for a timer. */
async function settled() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A running turn, with an agent that says what the test says. */
async function runningTurn() {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const received: Line[] = [];
  const say = (message: object) => stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  stdin.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.trim().split('\n')) {
      const message = JSON.parse(line) as Line;
      received.push(message);
      if (message.method === 'session/new') say({ id: message.id, result: { sessionId: 's1' } });
    }
  });
  const clock = new VirtualClock();
  const peer: AgentPeer = new AgentPeer(
    openWire({
      stdin,
      stdout,
      onFrame: () => undefined,
      onNoise: () => undefined,
      onStray: () => undefined,
      onUpdate: () => undefined,
      onEnd: async () => {
        throw fault('agent.crashed', 'It is gone.');
      },
      onWriteFailed: () => undefined,
    }),
    {
      clock,
      redact: (text) => text,
      authMethods: () => [],
      onPermission: (params, signal) => turns.onPermission(params, signal),
      onElicitation: (params, signal) => turns.onElicitation(params, signal),
    },
  );
  const sessions = new AgentSessions({
    peer,
    clock,
    logger: silentLogger,
    agentId: 'a',
    cwd: '/',
    mcpServers: () => [],
    capabilities: () => CAPABILITIES,
    takesHistory: () => false,
    store: undefined,
    onTold: () => undefined,
  });
  const turns = new AgentTurns({
    peer,
    sessions,
    clock,
    logger: silentLogger,
    log: new LimitedLog(silentLogger),
    cwd: '/',
  });
  const abort = new AbortController();
  /** What the user was asked and has not answered, by title. */
  const open = new Map<string, (optionId: string | undefined) => void>();
  const request = {
    sessionId: 'session-1',
    turnId: 'turn-1',
    correlationId: 'correlation-1',
    text: 'go',
    attachments: [],
    history: async () => [],
    signal: abort.signal,
    onUpdate: () => undefined,
    onUsage: () => undefined,
    onPermission: ({ toolCall }: { toolCall: { title: string } }) =>
      new Promise<string | undefined>((resolve) => open.set(toolCall.title, resolve)),
    onQuestion: ({ message }: { message: string }) =>
      new Promise<{ action: 'decline' }>((resolve) =>
        open.set(message, () => resolve({ action: 'decline' })),
      ),
  };
  const session = await sessions.open(request);
  const result = turns.run(session, request, [{ type: 'text', text: 'go' }]).catch((error: unknown) => error);
  await settled();
  const promptId = received.find(({ method }) => method === 'session/prompt')?.id;
  return { say, received, open, abort, result, promptId, stdout };
}

type Step =
  | { do: 'permission' | 'question' }
  | { do: 'answer'; which: number; optionId: string | undefined }
  | { do: 'cancel' | 'end' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Step>({ do: 'permission' }, { do: 'question' }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      which: fc.nat({ max: 5 }),
      optionId: fc.constantFrom('yes', 'no', 'unheard of', undefined),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'cancel' }, { do: 'end' }) },
);

it('answers each question exactly once, and those that are open at a cancel before it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, waitsBetween) => {
      const turn = await runningTurn();
      let asked = 0;
      let hasEnded = false;
      const askedInTurn = new Set<string>();
      let askedBeforeCancel: string[] | undefined;
      for (const one of steps) {
        if (one.do === 'permission' || one.do === 'question') {
          asked += 1;
          const id = `ask-${asked}`;
          if (!hasEnded) askedInTurn.add(id);
          turn.say(
            one.do === 'question'
              ? { id, method: 'elicitation/create', params: { mode: 'form', sessionId: 's1', message: id } }
              : {
                  id,
                  method: 'session/request_permission',
                  params: {
                    sessionId: 's1',
                    toolCall: { toolCallId: id, title: id },
                    options: [
                      { optionId: 'yes', name: 'Yes', kind: 'allow_once' },
                      { optionId: 'no', name: 'No', kind: 'reject_once' },
                    ],
                  },
                },
          );
        } else if (one.do === 'answer') {
          const [title, answer] = [...turn.open][one.which] ?? [];
          if (title !== undefined) turn.open.delete(title);
          answer?.(one.optionId);
        } else if (one.do === 'cancel') {
          if (!hasEnded) askedBeforeCancel ??= [...askedInTurn];
          turn.abort.abort();
        } else if (!hasEnded) {
          hasEnded = true;
          turn.say({ id: turn.promptId, result: { stopReason: 'end_turn' } });
        }
        if (waitsBetween) await settled();
      }
      if (!hasEnded) {
        // What is open when the turn ends is answered by that.
        await settled();
        turn.say({ id: turn.promptId, result: { stopReason: 'end_turn' } });
      }
      await turn.result;
      await settled();

      const answers = turn.received.filter(
        ({ method, id }) => method === undefined && typeof id === 'string',
      );
      const ids = answers.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.toSorted()).toEqual(Array.from({ length: asked }, (_, i) => `ask-${i + 1}`).toSorted());
      for (const { result } of answers) {
        expect(['cancelled', 'selected', 'cancel', 'decline']).toContain(
          result?.outcome?.outcome ?? result?.action,
        );
        expect(['yes', 'no', undefined]).toContain(result?.outcome?.optionId);
      }
      const cancelAt = turn.received.findIndex(({ method }) => method === 'session/cancel');
      if (cancelAt !== -1) {
        const after = turn.received.slice(cancelAt + 1).filter(({ id }) => askedInTurn.has(`${id}`));
        // Nothing is allowed any more, and what the agent had asked before has its answer already.
        for (const { id, result } of after) {
          expect(['cancelled', 'cancel']).toContain(result?.outcome?.outcome ?? result?.action);
          if (waitsBetween) expect(askedBeforeCancel).not.toContain(id);
        }
      }
      turn.stdout.end();
    }),
    { numRuns: 200 },
  );
});

it('ends the asking of the user with the process', async () => {
  const turn = await runningTurn();
  turn.say({
    id: 'a',
    method: 'elicitation/create',
    params: { mode: 'form', sessionId: 's1', message: 'a' },
  });
  await settled();
  expect([...turn.open.keys()]).toEqual(['a']);
  turn.stdout.end();
  expect(await turn.result).toMatchObject({ code: 'agent.crashed' });
});
