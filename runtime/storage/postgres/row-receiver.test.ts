import { EventEmitter } from 'node:events';
import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import type { Row } from './row-query.ts';
import { RowReceiver } from './row-receiver.ts';

const COMMAND_COMPLETE = message('C', Buffer.from('SELECT 3\0'));
const READY = message('Z', Buffer.from('T'));

function message(kind: string, content: Buffer): Buffer {
  const header = Buffer.alloc(5, kind);
  header.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([header, content]);
}

function dataRow(row: Row): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(row.length);
  const columns = row.map((value) => {
    const text = Buffer.from((value as string | null) ?? '');
    const length = Buffer.alloc(4);
    length.writeInt32BE(value === null ? -1 : text.length);
    return Buffer.concat([length, text]);
  });
  return message('D', Buffer.concat([count, ...columns]));
}

/** A client of pg that is told what its server says, in pieces that are overwritten as soon as it has heard them. */
function connected(timeoutMs = 0) {
  const handedOn: Buffer[] = [];
  let destroyed: Error | undefined;
  let answered: ((error: Error | null) => void) | undefined;
  const stream = Object.assign(new EventEmitter(), {
    destroy(error: Error) {
      destroyed = error;
      answered?.(error);
    },
  });
  stream.on('data', (bytes: Buffer) => {
    handedOn.push(Buffer.from(bytes));
    if (bytes.equals(READY)) answered?.(null);
  });
  const client = {
    connection: { stream },
    connectionParameters: {},
    query(query: { callback: (error: Error | null) => void }) {
      answered = query.callback;
    },
  };
  const receiver = new RowReceiver(client as unknown as PoolClient, timeoutMs);
  const says = (bytes: Buffer, pieceBytes = bytes.length) => {
    const piece = Buffer.alloc(pieceBytes);
    for (let from = 0; from < bytes.length; from += pieceBytes) {
      const end = bytes.copy(piece, 0, from, from + pieceBytes);
      stream.emit('data', piece.subarray(0, end));
      piece.fill(0xff);
    }
  };
  return { receiver, says, handedOn, destroyed: () => destroyed };
}

describe('a receiver of rows', () => {
  const rows: Row[] = [
    ['1', null, ''],
    ['2', 'é€😀'.repeat(30), 'x'],
    ['3', 'long '.repeat(40_000), null],
  ];
  const said = Buffer.concat([...rows.map(dataRow), COMMAND_COMPLETE, READY]);

  it.each([1, 2, 3, 5, 7, 64, 1_021, 65_536, 1_000_000])(
    'gives the rows, and everything else to the client, when they come in pieces of %i bytes',
    async (pieceBytes) => {
      const { receiver, says, handedOn } = connected();
      const asked = receiver.ask('SELECT');
      says(said, pieceBytes);
      expect(await asked).toEqual(rows);
      expect(handedOn).toEqual([COMMAND_COMPLETE, READY]);
    },
  );

  it('gives each answer its own rows', async () => {
    const { receiver, says } = connected();
    for (const row of rows) {
      const asked = receiver.ask('SELECT');
      says(Buffer.concat([dataRow(row), COMMAND_COMPLETE, READY]), 1_000);
      expect(await asked).toEqual([row]);
    }
  });

  it('gives the connection up when a row says that it is longer than it is', async () => {
    const { receiver, says, destroyed } = connected();
    const asked = receiver.ask('SELECT');
    const damaged = dataRow(['1', '2']);
    damaged.writeInt32BE(1_000, 7);
    says(damaged);
    await expect(asked).rejects.toThrow(RangeError);
    expect(destroyed()).toBeInstanceOf(RangeError);
  });

  it.each([
    ['its last column is longer than it', { at: 12, length: 3 }],
    ['its last column is shorter than it', { at: 12, length: 0 }],
    ['it is longer than any', { at: 1, length: 0x7f_ff_ff_ff }],
    ['it has no length', { at: 1, length: 3 }],
  ])('gives the connection up when a row says that %s, whatever follows', async (_, { at, length }) => {
    const { receiver, says, destroyed } = connected();
    const asked = receiver.ask('SELECT');
    const damaged = dataRow(['1', '2']);
    damaged.writeInt32BE(length, at);
    says(Buffer.concat([damaged, ...rows.map(dataRow), COMMAND_COMPLETE, READY]));
    await expect(asked).rejects.toThrow(RangeError);
    expect(destroyed()).toBeInstanceOf(RangeError);
  });

  it('rejects what is not answered in time', async () => {
    const { receiver } = connected(1);
    await expect(receiver.ask('SELECT')).rejects.toMatchObject({ code: 'storage.unreachable' });
    receiver.close();
  });
});
