import { StepError } from '#action/step-error.ts'
import type { Agent } from './agent.ts'

const PATH = '.gemini/settings.json'

/** Asks for a way to log in, and whether it may trust the folder, unless both are settled beforehand. */
export const geminiCli: Agent = {
  needs: [],
  variables: () => ({ GEMINI_CLI_TRUST_WORKSPACE: 'true' }),
  file: { path: PATH, merge: (existing) => settings(existing ?? '{}') },
}

/** The settings, with the key of the environment as the way to log in. */
function settings(existing: string): string {
  const all = object(parse(existing))
  const security = object(all['security'] ?? {})
  const auth = { ...object(security['auth'] ?? {}), selectedType: 'gemini-api-key' }
  return `${JSON.stringify({ ...all, security: { ...security, auth } }, null, 2)}\n`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(withoutComments(text))
  } catch {
    return undefined
  }
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new StepError(
    `Cannot set up the agent gemini-cli: ~/${PATH} is not JSON with objects where settings have them. ` +
      'Mend the file, or remove it before this step.',
  )
}

/** Gemini CLI allows comments in its settings. What stands in strings is left alone. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found) =>
    found.startsWith('"') ? found : ' ',
  )
}
