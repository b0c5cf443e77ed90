import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type ProxyOptions, type UserConfig } from 'vite';
import { PROGRAMS } from './runtime/base/program.ts';

const ROOT = import.meta.dirname;

/** Where the runtime of `npm run dev` listens; the console's own requests stay relative. */
const runtimeAddress = process.env.SMALLTALK_API ?? 'http://127.0.0.1:3000';

/**
 * The runtime checks Host and Origin against its own address, so it must see that one in place of this server's. The
 * origin of anybody else stays what it is, and is refused.
 */
const toRuntime: ProxyOptions = {
  target: runtimeAddress,
  changeOrigin: true,
  configure(proxy) {
    proxy.on('proxyReq', (request, original) => {
      const { origin, host } = original.headers;
      if (origin === `http://${host}`) request.setHeader('origin', runtimeAddress);
    });
  },
};

/** The console: what the window and the browser load. */
const renderer: UserConfig = {
  root: join(ROOT, 'renderer'),
  plugins: [react()],
  build: {
    outDir: join(ROOT, 'dist/renderer'),
    emptyOutDir: true,
    // What older targets get in place of `light-dark()` knows nothing of the theme that Mantine sets on the document.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
  },
  server: {
    proxy: {
      '^/api(?:[/?]|$)': toRuntime,
      // Signing in: the runtime takes the token, sets its cookie and leads back to the page without it.
      '^/\\?(?:.*&)?token=': toRuntime,
    },
  },
};

/**
 * The desktop app (`vite build --mode desktop`): Electron's main process with the runtime in it, and each separate
 * program of the runtime as an entry of its own. Only what cannot be bundled stays in node_modules.
 */
const desktop: UserConfig = {
  root: ROOT,
  publicDir: false,
  ssr: { noExternal: true, external: ['electron', 'better-sqlite3'], target: 'node' },
  build: {
    ssr: true,
    target: 'node24',
    outDir: join(ROOT, 'dist/main'),
    emptyOutDir: true,
    minify: false,
    rolldownOptions: {
      input: {
        index: join(ROOT, 'main/index.ts'),
        ...Object.fromEntries(
          Object.entries(PROGRAMS).map(([name, file]) => [`programs/${name}`, join(ROOT, 'runtime', file)]),
        ),
      },
      output: {
        entryFileNames: '[name].js',
        // Beside the main entry and not in a folder of their own: `programPath` looks for the programs from there.
        chunkFileNames: '[name]-[hash].js',
        codeSplitting: {
          groups: [{ name: 'program', test: /runtime[\\/]base[\\/]program\.ts$/, minSize: 0 }],
        },
      },
    },
  },
};

export default defineConfig(({ mode }) => (mode === 'desktop' ? desktop : renderer));
