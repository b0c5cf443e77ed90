import type { Backups } from '../backup/backups.ts';
import { isCoded } from '../base/errors.ts';
import { ARCHIVE_MEDIA_TYPE, fault } from '../contract/index.ts';
import { contentDisposition } from './content-disposition.ts';

/** The archive as a file to download. */
export async function downloadArchive(
  request: Request,
  id: string,
  backups: Pick<Backups, 'open'>,
): Promise<Response> {
  const { fileName, sizeBytes, stream } = await backups.open(id);
  const headers = {
    'content-type': ARCHIVE_MEDIA_TYPE,
    'content-length': String(sizeBytes),
    'content-disposition': contentDisposition(fileName, 'backup'),
    'cache-control': 'no-store, no-transform',
  };
  if (request.method === 'HEAD') {
    await stream.cancel();
    return new Response(null, { headers });
  }
  return new Response(stream, { headers });
}

/**
 * Takes the body of the request, as it streams in, as an archive into the backup folder: 201 with the backup. Rejects with
 * `backup.archive_*`, and with `request.unsupported_media_type` for a form, which wraps the file in more than the file.
 */
export async function importArchive(
  request: Request,
  signal: AbortSignal,
  backups: Pick<Backups, 'import'>,
): Promise<Response> {
  const type = request.headers.get('content-type')?.toLowerCase() ?? '';
  if (type.startsWith('multipart/') || type.startsWith('application/x-www-form-urlencoded')) {
    throw fault(
      'request.unsupported_media_type',
      'Send the archive itself as the body (curl --data-binary @file), not as a form.',
    );
  }
  if (request.body === null) throw fault('request.invalid', 'The body is empty; it must be an archive.');
  try {
    return Response.json(await backups.import(request.body, signal), { status: 201 });
  } catch (error) {
    if (signal.aborted && !isCoded(error)) {
      throw fault(
        'request.cancelled',
        'The upload was broken off; nothing of it was kept.',
        {},
        { cause: error },
      );
    }
    throw error;
  }
}
