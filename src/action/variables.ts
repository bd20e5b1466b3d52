/** The environment variables of one provider: the key's name, and the base URL's where its clients read one. */
export interface ProviderVariables {
  readonly key: string
  readonly base: string | null
}

const row = (prefix: string): ProviderVariables => ({ key: `${prefix}_API_KEY`, base: `${prefix}_BASE_URL` })

/** What the clients of each preset read (CLIENTS, 1.1). Mistral's and Cohere's read no base URL. */
const known: ReadonlyMap<string, ProviderVariables> = new Map([
  ['openai', row('OPENAI')],
  ['anthropic', row('ANTHROPIC')],
  ['gemini', { key: 'GEMINI_API_KEY', base: 'GOOGLE_GEMINI_BASE_URL' }],
  ['groq', row('GROQ')],
  ['mistral', { key: 'MISTRAL_API_KEY', base: null }],
  ['cohere', { key: 'CO_API_KEY', base: null }],
  ['openrouter', row('OPENROUTER')],
  ['together', row('TOGETHER')],
  ['fireworks', row('FIREWORKS')],
  ['perplexity', row('PERPLEXITY')],
  ['deepseek', row('DEEPSEEK')],
  ['xai', row('XAI')],
])

/** Variables that a client reads to find its provider (CLIENTS, 1.4): a custom provider must not set them. */
const taken: ReadonlySet<string> = new Set([
  ...[...known.values()].flatMap(({ key, base }) => (base === null ? [key] : [key, base])),
  'CODEX_API_KEY',
  'COPILOT_PROVIDER_API_KEY',
  'COPILOT_PROVIDER_BASE_URL',
  'GOOGLE_API_KEY',
  'GOOGLE_VERTEX_BASE_URL',
  'KIMI_API_KEY',
  'KIMI_BASE_URL',
  'KIMI_MODEL_API_KEY',
  'KIMI_MODEL_BASE_URL',
])

/** Variables that the runner, a shell, a loader, Node or npm reads begin with these, and so do the broker's own. */
const RESERVED = /^(GITHUB|RUNNER|ACTIONS|INPUT|STATE|LD|DYLD|BASH|NODE|NPM_CONFIG|TILL)_/

/**
 * The variables of a provider. A custom one's follow from its name, which has the form that a provider's name has.
 *
 * @returns the variable that stands in the way, when a custom name would set one that something else reads
 */
export function variablesOf(provider: string): ProviderVariables | { readonly collides: string } {
  const variables = known.get(provider)
  if (variables) return variables
  const own = { key: `${nameOf(provider)}_API_KEY`, base: `${nameOf(provider)}_BASE_URL` }
  const collides = [own.key, own.base].find((name) => taken.has(name) || RESERVED.test(name))
  return collides === undefined ? own : { collides }
}

function nameOf(provider: string): string {
  return provider.toUpperCase().replaceAll('-', '_')
}
