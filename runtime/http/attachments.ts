import * as z from 'zod';
import { id } from '../contract/common.ts';
import { PICTURE_TYPES } from '../contract/index.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { contentDisposition } from './content-disposition.ts';

export const attachmentParameters = z.object({ id, attachmentId: id });

/** The bytes of an attachment. Rejects with `session.not_found` or `session.attachment_not_found`. */
export async function downloadAttachment(
  parameters: z.infer<typeof attachmentParameters>,
  sessions: Pick<Sessions, 'attachment'>,
): Promise<Response> {
  const { name, mimeType, bytes } = await sessions.attachment(parameters.id, parameters.attachmentId);
  const isDrawn = PICTURE_TYPES.has(mimeType);
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: {
      'content-type': isDrawn ? mimeType : 'application/octet-stream',
      'content-length': String(bytes.byteLength),
      ...(isDrawn ? {} : { 'content-disposition': contentDisposition(name, 'attachment') }),
      // Attachments never change, and nobody else may keep them.
      'cache-control': 'private, max-age=3600, no-transform',
    },
  });
}
