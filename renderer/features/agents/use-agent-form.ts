import { useState } from 'react';
import type { AgentFields } from './agent-form.ts';
import { type FieldErrors, withoutErrorsAt } from './field-errors.ts';

export interface AgentForm {
  readonly fields: AgentFields;
  readonly errors: FieldErrors;
  /** Changes fields; what was wrong at the paths (and below) is forgotten, because the user has just changed it. */
  change(part: Partial<AgentFields>, ...paths: readonly string[]): void;
  setErrors(errors: FieldErrors): void;
  /** Puts other fields in place of all. */
  reset(fields: AgentFields): void;
}

/** The fields of an agent while they are edited. `onChange` is called with each change by the user. */
export function useAgentForm(initial: () => AgentFields, onChange?: () => void): AgentForm {
  const [fields, setFields] = useState(initial);
  const [errors, setErrors] = useState<FieldErrors>({});
  return {
    fields,
    errors,
    change(part, ...paths) {
      setFields((current) => ({ ...current, ...part }));
      setErrors((current) => withoutErrorsAt(current, ...paths));
      onChange?.();
    },
    setErrors,
    reset(next) {
      setFields(next);
      setErrors({});
    },
  };
}
