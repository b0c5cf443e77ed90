import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import LongestFirst from './scripts/longest-first.ts';

export default defineConfig({
  test: {
    include: ['{runtime,main,renderer,scripts,bench}/**/*.test.{ts,tsx}'],
    environment: 'node',
    pool: 'forks',
    // More than there are cores: most of the time is spent in waiting for disks, servers and child processes.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
    // Worker threads start from compiled code then. Without it each strips the types of its files with a WebAssembly module of
    // its own, and V8 (13.6, Node 24.21) can crash in TierUpWasmToJSWrapper when another worker before it has ended.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile-cache') },
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
