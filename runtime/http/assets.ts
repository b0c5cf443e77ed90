import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { parseAccept } from 'hono/utils/accept';
import { getMimeType } from 'hono/utils/mime';
import { fault } from '../contract/index.ts';
import { wantsPage } from './accept.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

export interface AssetsOptions {
  /** The folder of the built console, with its `index.html`. */
  folder: string;
  /** Sends text compressed to whom takes it. Leave it off where no HTTP client reads the answer. */
  compression?: boolean;
}

/** Answers a request for a file of the console; undefined when there is no such file. */
export type Assets = (request: Request) => Promise<Response | undefined>;

interface AssetFile {
  path: string;
  type: string;
  etag: string;
  immutable: boolean;
  bytes: Uint8Array;
  compressed: Map<Encoding, Promise<Uint8Array>>;
}

type Encoding = 'br' | 'gzip';

const ENCODINGS: readonly Encoding[] = ['br', 'gzip'];
/** Below this a compressed answer is hardly smaller and one packet anyway. */
const COMPRESS_FROM_BYTES = 1024;
const COMPRESSIBLE = /^(?:text\/|application\/(?:javascript|json|manifest\+json|xml|wasm)|image\/svg)/;
/** Vite puts what has a hash of its content in its name into this folder: the content of such a name never changes. */
const HASHED = /^\/assets\/.*-[A-Za-z0-9_-]{8,}\.\w+$/;

const compress: Record<Encoding, (bytes: Uint8Array) => Promise<Uint8Array>> = {
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  gzip: promisify(gzip),
};

/**
 * The built console as a function of requests. Serves only the files that were found in the folder, by their exact
 * names, so no path, however it is encoded, leads anywhere else; paths without a file are pages of the console, which
 * find their way by themselves, and get `index.html`. Throws `assets.missing` when the console has not been built.
 * The folder is read at the first request, and again when its `index.html` has changed.
 */
export function createAssets({ folder, compression = false }: AssetsOptions): Assets {
  let loaded: { changedAt: number; files: Promise<Map<string, AssetFile>> } | undefined;

  async function current(): Promise<Map<string, AssetFile>> {
    const changedAt = await changeOf(join(folder, 'index.html'));
    if (loaded?.changedAt !== changedAt) loaded = { changedAt, files: readFiles(folder) };
    try {
      return await loaded.files;
    } catch (error) {
      loaded = undefined;
      throw error;
    }
  }

  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const path = decodedPath(new URL(request.url).pathname);
    if (path === undefined) return undefined;
    const files = await current();
    const file = files.get(path) ?? (isPage(request, path) ? files.get('/index.html') : undefined);
    return file === undefined ? undefined : answer(request, file, compression);
  };
}

async function answer(request: Request, file: AssetFile, compression: boolean): Promise<Response> {
  const encoding =
    compression && file.bytes.byteLength >= COMPRESS_FROM_BYTES && COMPRESSIBLE.test(file.type)
      ? acceptedEncoding(request.headers.get('accept-encoding'))
      : undefined;
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    'content-type': file.type,
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    // Weak, because the same file is sent in several encodings.
    etag: `W/"${file.etag}"`,
    vary: 'Accept-Encoding',
  };
  if (request.headers.get('if-none-match')?.includes(`"${file.etag}"`)) {
    return new Response(null, { status: 304, headers });
  }
  const bytes = encoding === undefined ? file.bytes : await compressedBytes(file, encoding);
  headers['content-length'] = String(bytes.byteLength);
  if (encoding !== undefined) headers['content-encoding'] = encoding;
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(bytes), { headers });
}

/** Compressed once, at the first request for it. */
function compressedBytes(file: AssetFile, encoding: Encoding): Promise<Uint8Array> {
  let bytes = file.compressed.get(encoding);
  if (bytes === undefined) {
    bytes = compress[encoding](file.bytes);
    file.compressed.set(encoding, bytes);
  }
  return bytes;
}

function acceptedEncoding(header: string | null): Encoding | undefined {
  if (header === null) return undefined;
  const accepted = parseAccept(header);
  return ENCODINGS.find((encoding) =>
    accepted.some(({ type, q }) => type.toLowerCase() === encoding && q > 0),
  );
}

async function changeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (cause) {
    throw fault(
      'assets.missing',
      'The console has not been built, so there is nothing to show: run "npm run build". The API works without it.',
      {},
      { cause },
    );
  }
}

/** All files below the folder, by the path of their URL. Links are not followed. */
async function readFiles(folder: string): Promise<Map<string, AssetFile>> {
  const files = new Map<string, AssetFile>();
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = `${below}/${entry.name}`;
      if (entry.isDirectory()) await visit(path);
      else if (entry.isFile()) files.set(path, await readAsset(folder, path));
    }
  };
  await visit('');
  return files;
}

async function readAsset(folder: string, path: string): Promise<AssetFile> {
  const bytes = await readFile(join(folder, path));
  return {
    path,
    bytes,
    type: getMimeType(path) ?? 'application/octet-stream',
    etag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    immutable: HASHED.test(path),
    compressed: new Map(),
  };
}

function decodedPath(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
}

/** What a browser opens, and what nobody would take for the name of a file: pages of the console. */
function isPage(request: Request, path: string): boolean {
  if (path.startsWith('/assets/')) return false;
  return wantsPage(request) || !/\.[a-z0-9]{1,8}$/i.test(path);
}
