/** The coding agents, each run head-less with one prompt and pointed at the broker by what the action writes, only. */
export interface Agent {
  /** The word of the action's input `agent`. */
  readonly name: 'claude-code' | 'codex' | 'gemini-cli' | 'opencode'
  readonly provider: 'anthropic' | 'openai' | 'gemini'
  /** In `node_modules/.bin`. */
  readonly command: string
  /** As somebody would write it in a workflow. */
  readonly args: readonly string[]
  /** The same, without the calls that it makes beside the turn itself, so that a budget of one is enough for one turn. */
  readonly oneCallArgs: readonly string[]
  /** How many calls `args` makes when all goes well (CLIENTS, 1.4). */
  readonly calls: number
  /** What it documents to keep to itself: there is no network here but loopback. */
  readonly quiet: Readonly<Record<string, string>>
}

const PROMPT = 'Say hi'

export const agents: readonly Agent[] = [
  {
    name: 'claude-code',
    provider: 'anthropic',
    command: 'claude',
    args: ['-p', PROMPT],
    oneCallArgs: ['-p', PROMPT],
    calls: 1,
    quiet: {},
  },
  {
    name: 'codex',
    provider: 'openai',
    command: 'codex',
    args: ['exec', '--skip-git-repo-check', PROMPT],
    oneCallArgs: ['exec', '--skip-git-repo-check', PROMPT],
    calls: 1,
    quiet: {},
  },
  {
    name: 'gemini-cli',
    provider: 'gemini',
    command: 'gemini',
    args: ['-p', PROMPT],
    // With a model there is no call to choose one.
    oneCallArgs: ['-m', 'gemini-3.5-flash', '-p', PROMPT],
    calls: 2,
    quiet: {},
  },
  {
    name: 'opencode',
    provider: 'anthropic',
    command: 'opencode',
    args: ['run', '-m', 'anthropic/claude-haiku-4-5', PROMPT],
    // With a title there is no call to find one.
    oneCallArgs: ['run', '--title', 'hi', '-m', 'anthropic/claude-haiku-4-5', PROMPT],
    calls: 2,
    quiet: { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' },
  },
]
