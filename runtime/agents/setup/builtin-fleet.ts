/** The built-in agents that the product offers, as data. */
import type { AgentConfig } from '../../contract/index.ts';

export type FleetMember = Pick<AgentConfig, 'id' | 'name' | 'description' | 'launch'>;

/** What a fresh store has: works without a key, an account and a network. */
export const FIRST_AGENT: FleetMember = {
  id: 'echo',
  name: 'Echo',
  description: 'Answers with your own words and rehearses failures on command: try /help.',
  launch: { kind: 'builtin', program: 'echo', args: [] },
};

export const DEMO_FLEET: readonly FleetMember[] = [
  FIRST_AGENT,
  {
    id: 'echo-slow',
    name: 'Slow echo',
    description: 'Takes its time: one word a second, so that there is something to watch and to cancel.',
    launch: { kind: 'builtin', program: 'echo', args: ['--delay-ms', '1000'] },
  },
  {
    id: 'echo-noisy',
    name: 'Noisy echo',
    description: 'Repeats everything forty times as fast as it can, and chatters on stderr.',
    launch: {
      kind: 'builtin',
      program: 'echo',
      args: ['--delay-ms', '1', '--repeat', '40', '--noise'],
    },
  },
  {
    id: 'chat',
    name: 'Chat',
    description:
      'Talks to a real model. Set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or OPENAI_BASE_URL for a local one.',
    launch: { kind: 'builtin', program: 'chat', args: [] },
  },
];
