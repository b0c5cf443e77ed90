/** Which model answers in one session of the chat agent, and which others could: what ACP calls a config option. */
import type { SessionConfigOption } from '@agentclientprotocol/sdk';
import {
  chooseModel,
  type Environment,
  type ModelChoice,
  type ModelProblem,
  modelChoices,
  modelName,
} from './chat-models.ts';

const OPTION_ID = 'model';

export class ChatSessionModels {
  readonly #choices: readonly ModelChoice[];
  /** What a server of one's own named when it was asked what it has. */
  #ownModel: string | undefined;
  #chosen: ModelChoice | ModelProblem;

  /** `wanted`: `provider/model`; without it the first provider that is set up. */
  constructor(wanted: string | undefined, environment: Environment) {
    this.#chosen = chooseModel(wanted, environment);
    this.#choices = 'code' in this.#chosen ? [] : modelChoices(this.#chosen, environment);
  }

  /** The model for the next answer, or why there is none. */
  get chosen(): ModelChoice | ModelProblem {
    return this.#chosen;
  }

  /** Empty as long as it is not known what answers. */
  get configOptions(): SessionConfigOption[] {
    const currentValue = 'code' in this.#chosen ? undefined : this.#nameOf(this.#chosen);
    if (currentValue === undefined) return [];
    return [
      {
        id: OPTION_ID,
        name: 'Model',
        description: 'Answers from the next prompt on',
        category: 'model',
        type: 'select',
        currentValue,
        options: this.#choices.flatMap((choice) => {
          const value = this.#nameOf(choice);
          if (value === undefined) return [];
          const model = value.slice(choice.provider.name.length + 1);
          return [{ value, name: `${choice.provider.title}: ${model}` }];
        }),
      },
    ];
  }

  /** False when there is no such option, or it does not have the value. */
  setOption(optionId: string, value: unknown): boolean {
    const found = this.#choices.find((choice) => this.#nameOf(choice) === value);
    if (optionId !== OPTION_ID || found === undefined) return false;
    this.#chosen = found;
    return true;
  }

  /** Takes which model has answered for a choice. True when the options are others than before. */
  answered(choice: ModelChoice, model: string | undefined): boolean {
    if (choice.model !== undefined || model === undefined || model === this.#ownModel) return false;
    this.#ownModel = model;
    return true;
  }

  #nameOf(choice: ModelChoice): string | undefined {
    return modelName(choice.model === undefined ? { ...choice, model: this.#ownModel } : choice);
  }
}
