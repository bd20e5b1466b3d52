import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'

/** One `uses: till/mint` step, run from the committed `dist/` as the runner runs it: two processes, files between. */
export interface ActionStep {
  /** The job's home folder, in a temporary place. */
  readonly home: string
  /** What the step's `steps.ID.outputs` hold. */
  readonly outputs: Readonly<Record<string, string>>
  /** What the step exported: the environment that following steps have in addition. */
  readonly env: Readonly<Record<string, string>>
  /** What main left for post. */
  readonly state: Readonly<Record<string, string>>
  /** Everything that the job masks, in the order in which it was said. */
  readonly masks: readonly string[]
  /** The job summary, in Markdown. */
  readonly summary: string
  main(circumstances?: Circumstances): Promise<StepRun>
  post(circumstances?: Circumstances): Promise<StepRun>
  /** Removes the temporary folders. */
  remove(): void
}

/** What befalls a process of the step. */
export interface Circumstances {
  /** Variables that this process has instead, such as `GITHUB_STATE: '/dev/full'`. */
  readonly env?: Readonly<Record<string, string>>
  /** The process gets SIGINT when this resolves, as from a runner whose job is cancelled. */
  readonly cancelled?: Promise<unknown>
}

/** One process of the step. */
export interface StepRun {
  readonly exitCode: number | null
  /** What people see: standard output and error as they came, without commands, and with masks applied. */
  readonly log: string
  /** What the process wrote, before the runner read it. */
  readonly raw: string
  readonly annotations: readonly Annotation[]
  readonly milliseconds: number
}

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice'
  readonly message: string
}

export interface StepOptions {
  /** `with:`; what is not named has the default of `action.yml`. */
  readonly inputs: Readonly<Record<string, string>>
  /**
   * Variables of the job: `issuer.job().environment` gives it `id-token: write`. Nothing of this process's environment
   * is passed on.
   */
  readonly env?: Readonly<Record<string, string>>
  /** The event's payload, at `GITHUB_EVENT_PATH`. Default: a push. */
  readonly event?: object
  readonly eventName?: string
  /** Files in the home folder before the step: path → text. */
  readonly files?: Readonly<Record<string, string>>
}

const ROOT = join(import.meta.dirname, '../..')

/**
 * Prepares a step of a job. Nothing runs before `main()`.
 *
 * ```ts
 * const step = actionStep({ inputs: { broker: till.url, provider: 'openai' }, env: till.issuer.job().environment })
 * const { exitCode, log } = await step.main()
 * // … following steps: { ...step.env }, step.outputs.key
 * await step.post()
 * step.remove()
 * ```
 */
export function actionStep(options: StepOptions): ActionStep {
  const temp = mkdtempSync(join(tmpdir(), 'till-runner-'))
  const home = join(temp, 'home')
  for (const folder of ['home', '_temp', 'work']) mkdirSync(join(temp, folder))
  for (const [path, text] of Object.entries(options.files ?? {})) {
    mkdirSync(join(home, path, '..'), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  const eventFile = join(temp, 'event.json')
  writeFileSync(eventFile, JSON.stringify(options.event ?? { ref: 'refs/heads/main' }))

  const step = { outputs: {}, env: {}, state: {}, masks: [] as string[], summary: '' }
  const base: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_REPOSITORY: 'acme/web',
    GITHUB_RUN_ID: '7001',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_EVENT_NAME: options.eventName ?? 'push',
    GITHUB_EVENT_PATH: eventFile,
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_WORKSPACE: join(temp, 'work'),
    RUNNER_TEMP: join(temp, '_temp'),
    RUNNER_OS: 'Linux',
    ...inputVariables(options.inputs),
    ...options.env,
  }

  const run = async (script: 'main' | 'post', { env = {}, cancelled }: Circumstances = {}): Promise<StepRun> => {
    const files = Object.fromEntries(
      ['OUTPUT', 'ENV', 'STATE', 'PATH', 'STEP_SUMMARY'].map((name) => [
        `GITHUB_${name}`,
        join(temp, `${script}_${name}`),
      ]),
    )
    for (const file of Object.values(files)) writeFileSync(file, '')
    const states = Object.fromEntries(Object.entries(step.state).map(([name, value]) => [`STATE_${name}`, value]))
    const began = performance.now()
    const { exitCode, raw } = await runNode(
      join(ROOT, 'dist', `${script}.js`),
      join(temp, 'work'),
      { ...base, ...step.env, ...files, ...states, ...env } as Record<string, string>,
      cancelled,
    )
    const milliseconds = performance.now() - began
    const read = readLog(raw, step.masks)
    Object.assign(step.outputs, fileCommands(files['GITHUB_OUTPUT']!))
    Object.assign(step.env, fileCommands(files['GITHUB_ENV']!))
    Object.assign(step.state, fileCommands(files['GITHUB_STATE']!))
    step.summary += readFileSync(files['GITHUB_STEP_SUMMARY']!, 'utf8')
    return { exitCode, raw, milliseconds, ...read }
  }

  return Object.assign(step, {
    home,
    main: (circumstances?: Circumstances) => run('main', circumstances),
    post: (circumstances?: Circumstances) => run('post', circumstances),
    remove: () => rmSync(temp, { recursive: true, force: true }),
  })
}

/** As the runner names them: upper case, spaces to `_`, hyphens as they are. Expressions in defaults are empty here. */
function inputVariables(given: Readonly<Record<string, string>>): Record<string, string> {
  const { inputs } = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8'))
  const values: Record<string, string> = {}
  for (const [name, { default: value = '' }] of Object.entries(inputs as Record<string, { default?: string }>))
    values[name] = value.startsWith('${{') ? '' : value
  return Object.fromEntries(
    Object.entries({ ...values, ...given }).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  )
}

async function runNode(script: string, cwd: string, env: Record<string, string>, cancelled?: Promise<unknown>) {
  const child = spawn(process.execPath, [script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  cancelled?.then(() => child.kill('SIGINT'))
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return { exitCode, raw: Buffer.concat(chunks).toString('utf8') }
}

/**
 * Reads a log as the runner does: `::name props::data` at the head of a line, after white space, and `##[name props]data`
 * anywhere in a line are commands (`ActionCommand.TryParseV2`, `TryParse`); masks hold from where they stand.
 */
function readLog(raw: string, masks: string[]): { log: string; annotations: Annotation[] } {
  const annotations: Annotation[] = []
  const shown: string[] = []
  const masked = (text: string) =>
    masks.toSorted((a, b) => b.length - a.length).reduce((line, mask) => line.replaceAll(mask, '***'), text)
  for (const line of raw.split(/\r?\n/)) {
    const command =
      /^\s*::([A-Za-z-]+)(?:\s[^:]*)?::(.*)$/.exec(line) ?? /##\[([A-Za-z-]+)(?:\s[^\]]*)?\](.*)$/.exec(line)
    if (!command) {
      shown.push(masked(line))
      continue
    }
    const data = command[2]!.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
    const name = command[1]!
    if (name === 'add-mask') masks.push(...data.split(/\r?\n/).filter((part) => part !== ''))
    else if (name === 'error' || name === 'warning' || name === 'notice') {
      annotations.push({ level: name, message: masked(data) })
      shown.push(masked(`${name[0]!.toUpperCase()}${name.slice(1)}: ${data}`))
    } else throw new Error(`The step gave the runner the command ${name}`)
  }
  return { log: shown.join('\n').trim(), annotations }
}

/** `NAME<<DELIMITER`, lines, `DELIMITER`; or `NAME=value`. */
function fileCommands(path: string): Record<string, string> {
  const read: Record<string, string> = {}
  const lines = readFileSync(path, 'utf8').split('\n')
  while (lines.length > 0) {
    const line = lines.shift()!
    if (line === '') continue
    const [, name, delimiter] = /^([^=]+?)<<(.+)$/.exec(line) ?? []
    if (name === undefined || delimiter === undefined) {
      const equals = line.indexOf('=')
      if (equals < 1) throw new Error(`The runner does not understand the line ${line}`)
      read[line.slice(0, equals)] = line.slice(equals + 1)
      continue
    }
    const end = lines.indexOf(delimiter)
    if (end < 0) throw new Error(`The runner finds no end of the value of ${name}`)
    read[name] = lines
      .splice(0, end + 1)
      .slice(0, -1)
      .join('\n')
  }
  return read
}
