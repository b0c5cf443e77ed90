import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import {
  fault,
  type NeedsYouItem,
  type NeedsYouOption,
  type PermissionPolicy,
} from '../../contract/index.ts';
import type { Operation, Storage } from '../../storage/storage.ts';
import { everyDocument } from '../list-documents.ts';

const POLICY_COLLECTION = 'permission_policies';

type StoredPolicy = Omit<PermissionPolicy, 'uses'>;
type Subject = Pick<PermissionPolicy, 'agentId' | 'cwd' | 'toolKind'>;

/** "Always allow (or refuse) this kind here": which permissions are answered without asking. Few, so held in memory. */
export class PermissionPolicies {
  readonly #storage: Storage;
  readonly #makeId: MakeId;
  readonly #policies = new Map<string, PermissionPolicy>();

  constructor(storage: Storage, makeId: MakeId) {
    this.#storage = storage;
    this.#makeId = makeId;
  }

  list(agentId?: string): PermissionPolicy[] {
    return [...this.#policies.values()]
      .filter((policy) => agentId === undefined || policy.agentId === agentId)
      .map((policy) => ({ ...policy }));
  }

  find({ agentId, cwd, toolKind }: Subject): PermissionPolicy | undefined {
    for (const policy of this.#policies.values()) {
      if (policy.agentId === agentId && policy.cwd === cwd && policy.toolKind === toolKind) return policy;
    }
    return undefined;
  }

  /** A policy that answers like this from now on, and takes the place of one of the same kind; to be committed. */
  making(subject: Subject, decision: PermissionPolicy['decision'], now: number) {
    const { agentId, cwd, toolKind } = subject;
    const stored: StoredPolicy = {
      id: timeOrderedId(now, this.#makeId),
      agentId,
      cwd,
      toolKind,
      decision,
      createdAt: now,
    };
    const replaced = this.find(subject);
    const operations: Operation[] = [
      { kind: 'put', collection: POLICY_COLLECTION, id: stored.id, value: stored, expectVersion: 0 },
    ];
    if (replaced !== undefined)
      operations.push({ kind: 'delete', collection: POLICY_COLLECTION, id: replaced.id });
    return {
      operations,
      done: () => {
        if (replaced !== undefined) this.#policies.delete(replaced.id);
        this.#policies.set(stored.id, { ...stored, uses: 0 });
      },
    };
  }

  /** Rejects with `needs_you.not_found`. */
  async delete(id: string): Promise<void> {
    if (!this.#policies.has(id)) throw fault('needs_you.not_found', `There is no policy ${id}.`, { id });
    await this.#storage.commit([{ kind: 'delete', collection: POLICY_COLLECTION, id }]);
    this.#policies.delete(id);
  }

  async reload(): Promise<void> {
    const found: StoredPolicy[] = [];
    for await (const { value } of everyDocument<StoredPolicy>(this.#storage, POLICY_COLLECTION))
      found.push(value);
    this.#policies.clear();
    for (const policy of found) this.#policies.set(policy.id, { ...policy, uses: 0 });
  }
}

/** What a policy can be made of and applied to; undefined for an item that no policy can answer. */
export function policySubject(item: Pick<NeedsYouItem, 'agentId' | 'cwd' | 'toolCall'>): Subject | undefined {
  const { agentId, cwd, toolCall } = item;
  if (cwd === undefined || toolCall === undefined) return undefined;
  return { agentId, cwd, toolKind: toolCall.kind ?? 'other' };
}

/**
 * The option that a policy chooses: the one that holds for this once, so that the agent goes on asking and deleting the
 * policy has its effect; only where there is none, the one that the agent remembers.
 */
export function optionFor(
  decision: PermissionPolicy['decision'],
  options: NeedsYouOption[],
): NeedsYouOption | undefined {
  return (
    options.find(({ kind }) => kind === `${decision}_once`) ??
    options.find(({ kind }) => kind === `${decision}_always`)
  );
}

/** What choosing the option means for a policy; undefined when it is neither yes nor no. */
export function decisionOf(option: NeedsYouOption): PermissionPolicy['decision'] | undefined {
  if (option.kind === 'allow_once' || option.kind === 'allow_always') return 'allow';
  return option.kind === 'reject_once' || option.kind === 'reject_always' ? 'reject' : undefined;
}
