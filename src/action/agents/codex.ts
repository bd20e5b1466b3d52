import { StepError } from '#action/step-error.ts'
import type { Agent } from './agent.ts'
import { type Statement, statements } from './toml.ts'

const PATH = '.codex/config.toml'

/** Takes no base URL from the environment: it needs a provider in its configuration, which names the key's variable. */
export const codex: Agent = {
  needs: ['openai'],
  file: { path: PATH, merge: (existing, { bases }) => config(existing ?? '', bases.get('openai')!) },
}

/**
 * The configuration with a provider `till` that is chosen. Everything else stays, letter by letter; the choice of a
 * provider, and an earlier `till`, are left out, since TOML allows each name once.
 */
function config(existing: string, base: string): string {
  const found = statements(existing)
  if (found === null || found.some(isInlineProviders))
    throw new StepError(
      `Cannot set up the agent codex: ~/${PATH} is not TOML with providers as [model_providers.NAME] tables. ` +
        'Mend the file, or remove it before this step.',
    )
  const kept = found.filter((statement) => !isReplaced(statement)).map((statement) => statement.text)
  const rest = kept.join('')
  return `model_provider = "till"\n${rest}${rest === '' || rest.endsWith('\n') ? '' : '\n'}
[model_providers.till]
name = "Till"
base_url = ${JSON.stringify(base)}
env_key = "OPENAI_API_KEY"
wire_api = "responses"
supports_websockets = false
`
}

/** A top-level `model_provider`, or anything in a table `model_providers.till`. */
function isReplaced({ table, key }: Statement): boolean {
  if (table.length === 0) return key?.length === 1 && key[0] === 'model_provider'
  return table[0] === 'model_providers' && table[1] === 'till'
}

/** `model_providers = {…}` and dotted names cannot be added to by a table. */
function isInlineProviders({ table, key }: Statement): boolean {
  if (key === null) return false
  return table.length === 0
    ? key[0] === 'model_providers'
    : table.length === 1 && table[0] === 'model_providers' && key[0] === 'till'
}
