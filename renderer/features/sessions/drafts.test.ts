import { expect, test } from 'vitest';
import { type DraftStorage, keepDraft, promptSize, readDraft } from './drafts.ts';

function memory(): DraftStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

test('each session has a draft of its own, and an empty one is none', () => {
  const storage = memory();
  keepDraft(storage, 'a', 'hello');
  keepDraft(storage, 'b', 'other');
  expect(readDraft(storage, 'a')).toBe('hello');
  keepDraft(storage, 'a', '');
  expect(readDraft(storage, 'a')).toBe('');
  expect(readDraft(storage, 'b')).toBe('other');
});

test('a storage that refuses does not break the composer', () => {
  const refuse = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const storage: DraftStorage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  expect(() => keepDraft(storage, 'a', 'x')).not.toThrow();
  expect(readDraft(storage, 'a')).toBe('');
});

test('the limit counts bytes of UTF-8, not characters', () => {
  expect(promptSize('a'.repeat(79), 100)).toEqual({ bytes: 79, near: false, tooLarge: false });
  expect(promptSize('a'.repeat(80), 100)).toEqual({ bytes: 80, near: true, tooLarge: false });
  expect(promptSize('a'.repeat(100), 100).tooLarge).toBe(false);
  expect(promptSize('🚀'.repeat(26), 100)).toEqual({ bytes: 104, near: true, tooLarge: true });
  expect(promptSize('ä'.repeat(51), 100).tooLarge).toBe(true);
});
