import {
  type AttachmentInput,
  attachmentPath,
  MAX_ATTACHMENT_BYTES,
  MAX_ATTACHMENTS_BYTES,
  type Message,
} from '#contract';
import { formatBytes } from '../../lib/format.ts';

/** A file that is to go with the next prompt. */
export interface NewAttachment {
  /** Of this page alone. */
  key: string;
  file: File;
}

const MOST = 20;

/**
 * Adds files to those that are there. What does not fit is left out, and `refused` says why, a sentence each.
 */
export function addFiles(
  before: readonly NewAttachment[],
  files: readonly File[],
  makeKey: () => string,
): { attachments: NewAttachment[]; refused: string[] } {
  const attachments = [...before];
  const refused: string[] = [];
  let total = before.reduce((sum, { file }) => sum + file.size, 0);
  for (const file of files) {
    const problem = whyNot(file, total, attachments.length);
    if (problem !== undefined) refused.push(problem);
    else {
      total += file.size;
      attachments.push({ key: makeKey(), file });
    }
  }
  return { attachments, refused };
}

function whyNot(file: File, total: number, count: number): string | undefined {
  if (count >= MOST) return `${file.name}: at most ${MOST} files go with a message.`;
  if (file.size > MAX_ATTACHMENT_BYTES) {
    return `${file.name} has ${formatBytes(file.size)}; at most ${formatBytes(MAX_ATTACHMENT_BYTES)} are possible.`;
  }
  if (total + file.size > MAX_ATTACHMENTS_BYTES) {
    return `${file.name}: all files of a message together may have ${formatBytes(MAX_ATTACHMENTS_BYTES)}.`;
  }
  return undefined;
}

/** What is sent for a file. Rejects when it cannot be read (it was removed meanwhile). */
export async function readAttachment({ file }: NewAttachment): Promise<AttachmentInput> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error(`${file.name} could not be read`, { cause: reader.error }));
    reader.readAsDataURL(file);
  });
  return {
    name: file.name === '' ? 'pasted' : file.name,
    mimeType: file.type === '' ? 'application/octet-stream' : file.type,
    data: url.slice(url.indexOf(',') + 1),
  };
}

/** The attachments of a prompt that was kept, to be sent with it again. Rejects when one cannot be read. */
export async function readKeptAttachments(
  sessionId: string,
  prompts: readonly Pick<Message, 'attachments'>[],
): Promise<AttachmentInput[]> {
  const kept = prompts.flatMap(({ attachments = [] }) => attachments);
  return Promise.all(
    kept.map(async ({ id, name, mimeType }) => {
      const answer = await fetch(attachmentPath(sessionId, id));
      if (!answer.ok) throw new Error(`${name} could not be read again (${answer.status})`);
      return readAttachment({ key: id, file: new File([await answer.blob()], name, { type: mimeType }) });
    }),
  );
}
