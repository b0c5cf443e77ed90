import { createHash } from 'node:crypto';
import type { PromptAttachment } from '../agents/agents.ts';
import { type Attachment, type AttachmentInput, fault } from '../contract/index.ts';
import type { Operation, Storage } from '../storage/storage.ts';

const ATTACHMENT_COLLECTION = 'attachments';

/** The most that one prompt may bring: files, and bytes of each. */
const MAX_ATTACHMENTS = 20;
const MAX_ATTACHMENT_BYTES = 8 * 1024 * 1024;

interface StoredAttachment {
  name: string;
  mimeType: string;
  sizeBytes: number;
  /** Of the bytes, in hexadecimal. */
  sha256: string;
  /** In base 64. */
  data: string;
}

/** An attachment whose bytes are in the storage, or about to be. */
export type PlacedAttachment = Attachment & { bytes: Uint8Array };

/** The bytes that came with a prompt. Throws `request.too_large`, naming the file. */
export function decodeAttachments(inputs: AttachmentInput[] = []): PromptAttachment[] {
  if (inputs.length > MAX_ATTACHMENTS) {
    throw fault('request.too_large', `A prompt takes at most ${MAX_ATTACHMENTS} attachments.`, {
      attachments: inputs.length,
      limit: MAX_ATTACHMENTS,
    });
  }
  return inputs.map(({ name, mimeType, data }) => {
    const bytes = Buffer.from(data, 'base64');
    if (bytes.byteLength > MAX_ATTACHMENT_BYTES) {
      throw fault(
        'request.too_large',
        `"${name}" has ${bytes.byteLength} bytes; an attachment may have ${MAX_ATTACHMENT_BYTES}.`,
        { name, sizeBytes: bytes.byteLength, limit: MAX_ATTACHMENT_BYTES },
      );
    }
    return { name, mimeType, bytes };
  });
}

/** Gives new attachments their ids; `count` is how many the session had before. */
export function placeAttachments(
  sessionId: string,
  count: number,
  attachments: PromptAttachment[],
): PlacedAttachment[] {
  return attachments.map((attachment, index) => ({
    id: attachmentId(sessionId, count + index + 1),
    sizeBytes: attachment.bytes.byteLength,
    ...attachment,
  }));
}

/** What the transcript says of an attachment. */
export function withoutBytes({ bytes: _, ...attachment }: PlacedAttachment): Attachment {
  return attachment;
}

export function putAttachment({ id, name, mimeType, sizeBytes, bytes }: PlacedAttachment): Operation {
  const value: StoredAttachment = {
    name,
    mimeType,
    sizeBytes,
    sha256: sha256Of(bytes),
    data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  };
  return { kind: 'put', collection: ATTACHMENT_COLLECTION, id, value, expectVersion: 0 };
}

/** Deletes every attachment that the session ever had. */
export function deleteAttachments(sessionId: string, count: number): Operation[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'delete' as const,
    collection: ATTACHMENT_COLLECTION,
    id: attachmentId(sessionId, index + 1),
  }));
}

/** Rejects with `session.attachment_not_found`, or with `storage.corrupt_record` when the bytes are not what they were. */
export async function readAttachment(
  storage: Storage,
  sessionId: string,
  id: string,
): Promise<PromptAttachment> {
  const document = id.startsWith(`${sessionId}.`)
    ? await storage.get<StoredAttachment>(ATTACHMENT_COLLECTION, id)
    : undefined;
  if (document === undefined) {
    throw fault('session.attachment_not_found', `The session has no attachment ${id}.`, { id });
  }
  const { name, mimeType, data, sha256 } = document.value;
  const bytes = Buffer.from(data, 'base64');
  if (sha256Of(bytes) !== sha256) {
    throw fault('storage.corrupt_record', `The attachment "${name}" is damaged.`, { id });
  }
  return { name, mimeType, bytes };
}

function attachmentId(sessionId: string, number: number): string {
  return `${sessionId}.${number}`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
