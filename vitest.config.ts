import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{runtime,main,renderer,scripts,bench}/**/*.test.{ts,tsx}'],
    environment: 'node',
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
