import { ARCHIVE_MEDIA_TYPE, type Backup, IMPORT_PATH } from '#contract';
import { errorOfResponse, unreachable } from '../../lib/api-error.ts';

export interface ImportProgress {
  sentBytes: number;
  totalBytes: number;
}

/**
 * Sends a file into the backup folder; resolves with the archive as it is listed. Rejects with an `ApiError`
 * (`backup.archive_foreign`, `…_damaged`, `…_too_new`, `…_too_large`), or with an `AbortError` when the signal aborts.
 * `XMLHttpRequest`, because `fetch` does not tell how much of a body has been sent.
 */
export function importArchive(
  file: Blob,
  options: { signal: AbortSignal; onProgress: (progress: ImportProgress) => void },
): Promise<Backup> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open('POST', IMPORT_PATH);
    request.setRequestHeader('Content-Type', ARCHIVE_MEDIA_TYPE);
    request.setRequestHeader('Accept', 'application/json');
    request.upload.onprogress = (event) =>
      options.onProgress({ sentBytes: event.loaded, totalBytes: event.total || file.size });
    request.onload = () => {
      if (request.status === 201) {
        try {
          resolve(JSON.parse(request.responseText) as Backup);
          return;
        } catch {
          // Not an answer of the runtime: told as such below.
        }
      }
      const response = new Response(request.responseText, {
        status: request.status,
        statusText: request.statusText,
      });
      void errorOfResponse(response).then(reject);
    };
    request.onerror = () => reject(unreachable(new Error('The connection broke while the file was sent')));
    request.onabort = () => reject(new DOMException('The import was cancelled', 'AbortError'));
    request.onloadend = () => options.signal.removeEventListener('abort', abort);
    options.signal.addEventListener('abort', abort);
    if (options.signal.aborted) abort();
    request.send(file);
  });
}
