/**
 * The arrows of the house (DESIGN §2): which folder may import which, which package is known where, and that no files
 * import each other in a circle. The tables below are the rules; the rest reads the imports of every source file (types
 * included, for they couple as well) and names each that breaks one.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parseSync, Visitor } from 'vite';
import { describe, expect, it } from 'vitest';

/** A file or, ending in a slash, a folder. */
type Place = string;

/** What the files of a place may import of this project. The first place that fits a file counts. */
const IMPORTS: { of: Place; may: Place[]; because: string }[] = [
  ...rooms(),
  {
    of: 'runtime/proofs/',
    may: ['runtime/'],
    because: 'it proves what the whole runtime promises, and nothing outside of it',
  },
  {
    of: 'runtime/',
    may: ['runtime/', 'package.json'],
    because: 'the composition knows every room, and nothing outside of the runtime',
  },
  {
    of: 'main/desktop-bundle.test.ts',
    may: ['main/', 'runtime/base/program.ts', 'vite.config.ts'],
    because: 'it looks for the programs of the runtime in the bundle',
  },
  {
    of: 'main/',
    may: ['main/', 'runtime/index.ts'],
    because: 'the desktop embeds the runtime by its one door',
  },
  ...features(),
  {
    of: 'renderer/components/',
    may: ['renderer/components/', 'renderer/lib/', 'runtime/contract/index.ts'],
    because: 'shared parts know no feature and not the shell',
  },
  {
    of: 'renderer/lib/',
    may: ['renderer/lib/', 'runtime/contract/index.ts'],
    because: 'it is what everything else in the renderer stands on',
  },
  {
    of: 'renderer/',
    may: ['renderer/', 'runtime/contract/index.ts'],
    because: 'of the runtime the renderer knows the contract, #contract, alone',
  },
  {
    of: 'e2e/',
    may: ['e2e/', 'scripts/', 'runtime/contract/', 'runtime/storage/testing/', 'playwright.config.ts'],
    because: 'it starts the product from outside',
  },
];

/** The rooms of the runtime: each may import itself and those that it stands on. */
function rooms() {
  const base = ['base'];
  const contract = [...base, 'contract'];
  const settings = [...contract, 'settings'];
  const storage = [...settings, 'storage'];
  const events = [...storage, 'events'];
  const jobs = [...events, 'jobs'];
  const agents = [...jobs, 'agents'];
  const sessions = [...agents, 'sessions'];
  const beside = (name: string) => [...jobs, name];
  const reach: Record<string, string[]> = {
    base,
    contract,
    settings,
    storage,
    events,
    jobs,
    agents,
    sessions,
    backup: beside('backup'),
    health: beside('health'),
    alerts: beside('alerts'),
    http: [...sessions, 'backup', 'health', 'alerts', 'http'],
  };
  return Object.entries(reach).map(([room, may]) => ({
    of: `runtime/${room}/`,
    may: may.map((other) => `runtime/${other}/`),
    because: `${room} stands on ${may.filter((other) => other !== room).join(', ') || 'nothing'}`,
  }));
}

/** Features never import each other. */
function features() {
  return globSync('renderer/features/*/', { cwd: root() }).map((folder) => {
    const of = `${folder.replaceAll('\\', '/').replace(/\/?$/, '')}/`;
    return {
      of,
      may: [of, 'renderer/components/', 'renderer/lib/', 'runtime/contract/index.ts'],
      because: 'a feature knows the shared parts, and neither another feature nor the shell',
    };
  });
}

/** Packages that are known in some places only. A file named here, and not its folder, is an exception with its reason. */
const PACKAGES: { packages: string[]; only: Place[]; because: string }[] = [
  {
    packages: ['@orpc/contract'],
    only: [
      'runtime/contract/',
      // The type of the client that the contract makes.
      'renderer/lib/api.ts',
      // The document and the table of routes are of the contract under its prefix.
      'runtime/http/openapi.ts',
      'runtime/http/route-table.ts',
    ],
    because: 'the wire is defined in one place',
  },
  {
    packages: ['@orpc/server', '@orpc/openapi', '@orpc/zod', 'hono', '@hono/node-server'],
    only: ['runtime/http/'],
    because: 'services know nothing of HTTP',
  },
  {
    packages: ['@orpc/client', '@orpc/openapi-client', '@orpc/tanstack-query'],
    only: ['renderer/lib/'],
    because: 'there is one maker of the typed client',
  },
  {
    packages: ['better-sqlite3'],
    only: [
      'runtime/storage/sqlite/',
      // Holds a lock and no data: SQLite knows how to take one on every system.
      'runtime/storage/owner-lock.ts',
      'bench/',
      // Makes a data file of a newer version, which no other program can.
      'e2e/bad-start.spec.ts',
    ],
    because: 'everything else keeps its data through the storage port',
  },
  {
    packages: ['ioredis'],
    only: ['runtime/storage/redis/', 'runtime/storage/hybrid/', 'runtime/storage/testing/', 'bench/'],
    because: 'everything else keeps its data through the storage port',
  },
  {
    packages: ['pg'],
    only: ['runtime/storage/postgres/', 'runtime/storage/testing/', 'bench/'],
    because: 'everything else keeps its data through the storage port',
  },
  { packages: ['tar-stream'], only: ['runtime/backup/'], because: 'only archives are tars' },
  { packages: ['@agentclientprotocol/sdk'], only: ['runtime/agents/'], because: 'only agents speak ACP' },
  {
    packages: ['prom-client'],
    only: ['runtime/health/'],
    because: 'the metrics are registered in one place',
  },
];

/** Packages that a place must not know. */
const FORBIDDEN: { packages: RegExp; in: Place[]; except?: RegExp; because: string }[] = [
  {
    packages: /^electron$/,
    in: ['runtime/', 'renderer/', 'main/fetch-bridge.ts', 'bench/'],
    because: 'only the desktop shell knows Electron, and its bridge must be testable without',
  },
  {
    packages: /^node:/,
    in: ['renderer/'],
    except: /\.test\.tsx?$/,
    because: 'the renderer runs in a browser',
  },
  {
    packages: /^(react|react-dom|@mantine\/.*|@tanstack\/.*)$/,
    in: ['runtime/', 'main/'],
    because: 'what runs the agents draws nothing',
  },
];

interface Import {
  /** As it is written. */
  text: string;
  /** A file of the project, relative to its root with slashes. */
  file?: string;
  /** The name of a package, or `node:…`. */
  package?: string;
}

/** Source files by path; the texts of a fixture or of the project. */
type Sources = Map<string, string>;

function root(): string {
  return join(import.meta.dirname, '..');
}

function readSources(): Sources {
  const paths = globSync('{main,renderer,runtime,e2e,bench,scripts}/**/*.{ts,tsx}', { cwd: root() });
  return new Map(paths.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(root(), path), 'utf8')]));
}

function importsOf(path: string, text: string): Import[] {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`);
  const found = new Set<string>();
  const add = (node: { source?: unknown }) => {
    const { type, value } = (node.source ?? {}) as { type?: string; value?: unknown };
    if (type === 'Literal' && typeof value === 'string') found.add(value);
  };
  new Visitor({
    ImportDeclaration: add,
    ExportNamedDeclaration: add,
    ExportAllDeclaration: add,
    ImportExpression: add,
    TSImportType: add,
  }).visit(program);
  return [...found].map((specifier) => resolve(path, specifier));
}

function resolve(from: string, text: string): Import {
  if (text === '#contract') return { text, file: 'runtime/contract/index.ts' };
  if (text.startsWith('.')) {
    return { text, file: posix.join(posix.dirname(from), text.replace(/\?.*$/, '')) };
  }
  const name = text.startsWith('@') ? text.split('/', 2).join('/') : text.split('/', 1)[0];
  return { text, package: name as string };
}

const isIn = (path: string, place: Place) => (place.endsWith('/') ? path.startsWith(place) : path === place);

/** One line for each import that breaks a rule: the file, the import, the rule. */
function findBreaches(sources: Sources): string[] {
  const breaches: string[] = [];
  for (const [path, text] of sources) {
    const rule = IMPORTS.find(({ of }) => isIn(path, of));
    if (path.startsWith('runtime/') && rule?.of === 'runtime/' && path.split('/').length > 2) {
      breaches.push(`${path}: its folder is no room of the table in runtime/architecture.test.ts`);
    }
    for (const one of importsOf(path, text)) {
      const breach = (because: string) => breaches.push(`${path} imports “${one.text}”: ${because}`);
      if (one.file !== undefined) {
        const { file } = one;
        if (rule !== undefined && !rule.may.some((place) => isIn(file, place))) breach(rule.because);
        continue;
      }
      const name = one.package as string;
      for (const { packages, only, because } of PACKAGES) {
        if (packages.includes(name) && !only.some((place) => isIn(path, place))) breach(because);
      }
      for (const forbidden of FORBIDDEN) {
        if (!forbidden.packages.test(name) || !forbidden.in.some((place) => isIn(path, place))) continue;
        if (!forbidden.except?.test(path)) breach(forbidden.because);
      }
    }
  }
  return breaches;
}

/** Each circle of imports once, as the files on it. */
function findCircles(sources: Sources): string[][] {
  const circles: string[][] = [];
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    state.set(path, 'open');
    trail.push(path);
    for (const { file } of importsOf(path, sources.get(path) ?? '')) {
      if (file === undefined || !sources.has(file)) continue;
      if (state.get(file) === 'open') circles.push([...trail.slice(trail.indexOf(file)), file]);
      else if (!state.has(file)) visit(file);
    }
    trail.pop();
    state.set(path, 'done');
  };
  for (const path of sources.keys()) if (!state.has(path)) visit(path);
  return circles;
}

describe('the house', () => {
  const sources = readSources();

  it('is looked at as a whole', () => {
    for (const folder of ['main/', 'renderer/', 'runtime/']) {
      expect([...sources.keys()].some((path) => path.startsWith(folder))).toBe(true);
    }
    expect(sources.size).toBeGreaterThan(100);
  });

  it('has only the arrows that are allowed', () => {
    expect(findBreaches(sources)).toEqual([]);
  });

  it('has no circles', () => {
    expect(findCircles(sources).map((circle) => circle.join(' → '))).toEqual([]);
  });

  it('has no import that leads nowhere', () => {
    const lost: string[] = [];
    for (const [path, text] of sources) {
      for (const { file, text: written } of importsOf(path, text)) {
        if (file !== undefined && /\.tsx?$/.test(file) && !sources.has(file) && file.split('/').length > 1) {
          lost.push(`${path} imports “${written}”`);
        }
      }
    }
    expect(lost).toEqual([]);
  });
});

describe('the check', () => {
  const breachesOf = (path: string, text: string) => findBreaches(new Map([[path, text]]));

  it.each([
    ['runtime/storage/a.ts', "import { x } from '../events/event-bus.ts';", 'stands on'],
    ['runtime/base/a.ts', "import { x } from '../contract/index.ts';", 'stands on nothing'],
    ['runtime/backup/a.ts', "import type { X } from '../sessions/sessions.ts';", 'stands on'],
    ['runtime/backup/a.ts', "export * from '../health/health.ts';", 'stands on'],
    ['runtime/agents/a.ts', "const x = await import('../http/app.ts');", 'stands on'],
    ['runtime/agents/a.ts', "type X = import('../../main/window.ts').X;", 'stands on'],
    ['runtime/index.ts', "import '../renderer/main.tsx';", 'nothing outside of the runtime'],
    ['runtime/sessions/a.ts', "import '../index.ts';", 'stands on'],
    ['runtime/cellar/a.ts', '', 'no room of the table'],
    ['runtime/proofs/a.ts', "import { x } from '../../main/window.ts';", 'whole runtime'],
    ['main/a.ts', "import { x } from '../runtime/http/app.ts';", 'one door'],
    ['renderer/app/a.tsx', "import { x } from '../../runtime/index.ts';", '#contract'],
    ['renderer/features/agents/a.tsx', "import { x } from '../sessions/drafts.ts';", 'another feature'],
    ['renderer/features/agents/a.tsx', "import { x } from '../../app/shell.tsx';", 'nor the shell'],
    ['renderer/components/a.tsx', "import { x } from '../features/agents/agents-page.tsx';", 'no feature'],
    ['renderer/lib/a.ts', "import { x } from '../components/toast.tsx';", 'stands on'],
    ['e2e/a.spec.ts', "import { x } from '../runtime/index.ts';", 'from outside'],
    ['runtime/http/a.ts', "import { oc } from '@orpc/contract';", 'one place'],
    ['runtime/sessions/a.ts', "import { os } from '@orpc/server';", 'nothing of HTTP'],
    ['runtime/sessions/a.ts', "import { x } from '@orpc/openapi/fetch';", 'nothing of HTTP'],
    ['renderer/app/a.ts', "import { x } from '@orpc/client';", 'one maker'],
    ['runtime/events/a.ts', "import Database from 'better-sqlite3';", 'storage port'],
    ['main/fetch-bridge.ts', "import { net } from 'electron';", 'testable without'],
    ['runtime/http/a.ts', "import { app } from 'electron';", 'Electron'],
    ['renderer/lib/a.ts', "import { join } from 'node:path';", 'browser'],
    ['runtime/http/a.ts', "import React from 'react';", 'draws nothing'],
  ])('finds what is forbidden: %s with %s', (path, text, because) => {
    const breaches = breachesOf(path, text);
    expect(breaches).toHaveLength(1);
    expect(breaches[0]).toContain(path);
    expect(breaches[0]).toContain(because);
    const specifier = /'([^']+)'/.exec(text)?.[1];
    if (specifier !== undefined) expect(breaches[0]).toContain(specifier);
  });

  it.each([
    ['runtime/events/a.ts', "import { x } from '../storage/storage.ts'; import { y } from './topics.ts';"],
    ['runtime/http/a.ts', "import { x } from '../backup/backups.ts'; import { Hono } from 'hono';"],
    ['runtime/contract/a.ts', "import { oc } from '@orpc/contract'; import * as z from 'zod';"],
    ['main/a.ts', "import { x } from '../runtime/index.ts'; import { app } from 'electron';"],
    ['renderer/features/agents/a.tsx', "import { x } from '#contract'; import './a.css';"],
    ['runtime/storage/sqlite/a.ts', "import Database from 'better-sqlite3'; import { x } from 'node:fs';"],
    ['renderer/app/a.tsx', "import { x } from '../features/agents/agents-page.tsx';"],
  ])('lets pass what is allowed: %s', (path, text) => {
    expect(breachesOf(path, text)).toEqual([]);
  });

  it('finds circles, also those of types and through several files', () => {
    const circles = findCircles(
      new Map([
        ['runtime/base/a.ts', "import { b } from './b.ts';"],
        ['runtime/base/b.ts', "import type { C } from './c.ts'; import './d.ts';"],
        ['runtime/base/c.ts', "export { a } from './a.ts';"],
        ['runtime/base/d.ts', "import 'node:fs';"],
      ]),
    );
    expect(circles).toEqual([
      ['runtime/base/a.ts', 'runtime/base/b.ts', 'runtime/base/c.ts', 'runtime/base/a.ts'],
    ]);
  });

  it('does not take a file that it cannot read for one without imports', () => {
    expect(() => breachesOf('runtime/base/a.ts', 'import { from')).toThrow('runtime/base/a.ts');
  });
});
