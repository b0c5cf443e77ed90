/**
 * An agent that answers each prompt with a stream of pieces, each of them the moment at which it was written. Arguments: the
 * pieces of an answer, and how many of them there are in a second.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const [pieces = 0, perSecond = 1] = process.argv.slice(2).map(Number);
let sessions = 0;

const send = (message: Record<string, unknown>) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

async function stream(id: number, sessionId: string): Promise<void> {
  const startedAt = performance.now();
  for (let i = 1; i <= pieces; i++) {
    await pause(Math.max(0, startedAt + (i * 1000) / perSecond - performance.now()));
    const text = `${(performance.timeOrigin + performance.now()).toFixed(3)} `;
    const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } };
    send({ method: 'session/update', params: { sessionId, update } });
  }
  send({ id, result: { stopReason: 'end_turn' } });
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (method === 'initialize') {
      send({ id, result: { protocolVersion: 1, agentCapabilities: {} } });
    } else if (method === 'session/new') {
      sessions += 1;
      send({ id, result: { sessionId: `s${sessions}` } });
    } else if (method === 'session/prompt') void stream(id, params.sessionId);
    else if (id !== undefined) send({ id, error: { code: -32601, message: 'Method not found' } });
  })
  .on('close', () => process.exit());
