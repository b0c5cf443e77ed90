/**
 * The archive format, version 1. A tar of plain files in this order: `parts/000001.ndjson.zst`, `parts/000002…`, and last
 * `manifest.json`, whose presence says that the archive is complete. A part is zstd over lines of JSON, one
 * {@link SnapshotRecord} each, in the order of `storage.snapshot`. Writer and reader share what is written down here.
 *
 * What is left out: the collection `jobs`. Jobs belong to the machine on which they run; an archive would always hold
 * the very job that makes it, as running.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import {
  ARCHIVE_FORMAT_VERSION,
  fault,
  type Manifest,
  manifest as manifestSchema,
} from '../contract/index.ts';
import { JOB_COLLECTION } from '../jobs/jobs.ts';
import type { SnapshotRecord } from '../storage/storage.ts';

export const MANIFEST_NAME = 'manifest.json';
/** Bytes, uncompressed, at which the writer begins another part. Bounds the memory of writer and reader. */
export const PART_TARGET = 4 * 1024 * 1024;
/** Bytes of one part, uncompressed, when it holds a single record; the reader takes no more. */
export const PART_LIMIT = 256 * 1024 * 1024;
/** Bytes of one part with several records; the reader takes no more. Above the target, so that it may be changed. */
export const SHARED_PART_LIMIT = 16 * 1024 * 1024;
/** Bytes of the manifest; room for 100,000 parts, which are 400 GB of records. */
export const MANIFEST_LIMIT = 24 * 1024 * 1024;
/**
 * How many times its own size an archive may unpack to. The padding of the tar keeps honest archives of ordinary parts
 * below 4096; the first gigabyte is free, because a few records of nothing but repetition can be above.
 */
export const RATIO_LIMIT = 8192;
export const RATIO_FREE_BYTES = 1024 ** 3;

export function partName(number: number): string {
  return `parts/${String(number).padStart(6, '0')}.ndjson.zst`;
}

/** True for a record that archives leave out. */
export function isLeftOut(record: SnapshotRecord): boolean {
  return record.kind === 'document' && record.collection === JOB_COLLECTION;
}

const sequence = z.int().nonnegative();

/** The shape of a record; what its names and values must be like is checked by the storage port's own check. */
export const recordSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('document'),
    collection: z.string(),
    id: z.string(),
    version: sequence,
    json: z.string(),
    index: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/), z.union([z.string(), z.number()])),
    expiresAt: z.int().optional(),
  }),
  z.strictObject({ kind: z.literal('log'), log: z.string(), lastSequence: sequence }),
  z.strictObject({ kind: z.literal('entry'), log: z.string(), sequence, at: z.int(), json: z.string() }),
]);

/**
 * A record as the one line of JSON that stands for it: equal records give equal lines, whatever the order in which an
 * adapter puts their fields. It is what a part holds and what the logical hash covers.
 */
export function canonicalLine(record: SnapshotRecord): string {
  switch (record.kind) {
    case 'document': {
      const { kind, collection, id, version, json, index, expiresAt } = record;
      const sorted = Object.fromEntries(
        Object.keys(index)
          .sort()
          .map((name) => [name, index[name]]),
      );
      return JSON.stringify({ kind, collection, id, version, json, index: sorted, expiresAt });
    }
    case 'log': {
      const { kind, log, lastSequence } = record;
      return JSON.stringify({ kind, log, lastSequence });
    }
    case 'entry': {
      const { kind, log, sequence, at, json } = record;
      return JSON.stringify({ kind, log, sequence, at, json });
    }
  }
}

/** The text of `manifest.json`, with its checksum. */
export function encodeManifest(content: Omit<Manifest, 'checksum'>): string {
  return render({ ...content, checksum: sha256(render(content)) });
}

/**
 * Reads the text of a `manifest.json`. Throws `backup.archive_foreign`, `backup.archive_too_new` or
 * `backup.archive_damaged`. It must read exactly as the writer renders it, so no byte of it can change unnoticed.
 */
export function decodeManifest(text: string): Manifest {
  const raw = parseObject(text);
  if (raw.format !== 'smalltalk-backup') {
    throw fault('backup.archive_foreign', 'Its manifest is not one of SmallTalk Console.');
  }
  const { formatVersion } = raw;
  if (typeof formatVersion === 'number' && formatVersion > ARCHIVE_FORMAT_VERSION) {
    throw fault(
      'backup.archive_too_new',
      `The archive has format version ${formatVersion}; this SmallTalk Console reads up to ${ARCHIVE_FORMAT_VERSION}. Update it to restore this archive.`,
      { formatVersion },
    );
  }
  const { checksum, ...content } = raw;
  if (render(raw) !== text || checksum !== sha256(render(content))) {
    throw damaged('its manifest has changed since it was written');
  }
  const parsed = manifestSchema.safeParse(raw);
  if (!parsed.success) throw damaged(`its manifest is not valid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** What the manifest is known by: equal for copies of one archive only. */
export function fingerprintOf(manifest: Manifest): string {
  return manifest.checksum;
}

export function damaged(what: string, data: Record<string, unknown> = {}) {
  return fault('backup.archive_damaged', `The archive is damaged: ${what}.`, data);
}

export function foreign(what: string, data: Record<string, unknown> = {}) {
  return fault('backup.archive_foreign', `This is not an archive of SmallTalk Console: ${what}.`, data);
}

export function tooLarge(what: string, data: Record<string, unknown> = {}) {
  return fault('backup.archive_too_large', `The archive is too large: ${what}.`, data);
}

function parseObject(text: string): Record<string, unknown> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw damaged('its manifest is not JSON');
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw damaged('its manifest is not a JSON object');
  }
  return { ...raw };
}

const render = (content: object) => `${JSON.stringify(content, null, 2)}\n`;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
