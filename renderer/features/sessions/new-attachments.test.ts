import { describe, expect, it } from 'vitest';
import { MAX_ATTACHMENT_BYTES } from '#contract';
import { addFiles, type NewAttachment } from './new-attachments.ts';

const fileOf = (name: string, size: number) => ({ name, size, type: 'text/plain' }) as File;
let keys = 0;
const makeKey = () => `k${++keys}`;
const namesOf = (attachments: readonly NewAttachment[]) => attachments.map(({ file }) => file.name);

describe('files for a message', () => {
  it('adds them to those that are there', () => {
    const { attachments } = addFiles([], [fileOf('a', 1)], makeKey);
    const next = addFiles(attachments, [fileOf('b', 1)], makeKey);
    expect(namesOf(next.attachments)).toEqual(['a', 'b']);
    expect(next.refused).toEqual([]);
  });

  it('leaves out what is too large, and takes the rest', () => {
    const { attachments, refused } = addFiles(
      [],
      [fileOf('large', MAX_ATTACHMENT_BYTES + 1), fileOf('small', 1)],
      makeKey,
    );
    expect(namesOf(attachments)).toEqual(['small']);
    expect(refused).toEqual([expect.stringContaining('large has 8 MiB')]);
  });

  it('leaves out what is too much together', () => {
    const files = ['a', 'b', 'c'].map((name) => fileOf(name, MAX_ATTACHMENT_BYTES));
    const { attachments, refused } = addFiles([], files, makeKey);
    expect(namesOf(attachments)).toEqual(['a', 'b']);
    expect(refused).toHaveLength(1);
  });

  it('takes twenty', () => {
    const files = Array.from({ length: 21 }, (_, index) => fileOf(`f${index}`, 1));
    const { attachments, refused } = addFiles([], files, makeKey);
    expect(attachments).toHaveLength(20);
    expect(refused).toHaveLength(1);
  });
});
