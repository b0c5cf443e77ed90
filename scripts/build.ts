/** `npm run build`: builds the console's renderer and the desktop bundle, each only when its sources changed. */
import { join } from 'node:path';
import { build } from 'vite';
import { type BuiltPart, hashSources, isStale, markBuilt } from './stale.ts';

const ROOT = join(import.meta.dirname, '..');

/** What decides over every build: the versions of all packages, and how they are put together. */
const SHARED = ['package.json', 'package-lock.json', 'vite.config.ts'];
const IGNORED = ['**/*.test.ts', '**/*.test.tsx', '**/*.contract.ts', '**/*.md'];

const PARTS = {
  renderer: {
    output: 'dist/renderer',
    sources: [...SHARED, 'postcss.config.*', 'renderer/**/*.*', 'runtime/contract/*.ts', 'runtime/base/*.ts'],
    ignored: IGNORED,
  },
  desktop: {
    output: 'dist/main',
    sources: [...SHARED, 'main/**/*.ts', 'runtime/**/*.ts'],
    ignored: IGNORED,
  },
} satisfies Record<string, BuiltPart>;

export type PartName = keyof typeof PARTS;

/** Builds the named parts that are stale, and says so in one line each. Throws what Vite throws. */
export async function ensureBuilt(names: PartName[]): Promise<void> {
  for (const name of names) {
    const part = PARTS[name];
    if (!isStale(ROOT, part)) continue;
    const hash = hashSources(ROOT, part);
    const start = performance.now();
    const environment = process.env.NODE_ENV;
    await build({
      configFile: join(ROOT, 'vite.config.ts'),
      mode: name === 'desktop' ? 'desktop' : 'production',
      logLevel: 'warn',
    });
    // Vite sets it for itself; what is started after the build would take it for the user's.
    if (environment === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = environment;
    markBuilt(ROOT, part, hash);
    console.log(`Built the ${name} in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
  }
}

if (import.meta.main) await ensureBuilt(['renderer', 'desktop']);
