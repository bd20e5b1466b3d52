import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NoOperationTraceWriter as TraceWriter } from '@actions/workflow-parser'
import type { parseAction as ParseAction } from '@actions/workflow-parser/actions/action-parser'
import { buildSync } from 'esbuild'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

/** GitHub's own parser. It imports JSON without saying so, which Node refuses: bundled first. */
function parser(): { parseAction: typeof ParseAction; NoOperationTraceWriter: typeof TraceWriter } {
  const contents = `export { parseAction } from '@actions/workflow-parser/actions/action-parser'
    export { NoOperationTraceWriter } from '@actions/workflow-parser'`
  const folder = mkdtempSync(join(tmpdir(), 'till-parser-'))
  const outfile = join(folder, 'parser.cjs')
  try {
    buildSync({
      stdin: { contents, resolveDir: import.meta.dirname },
      bundle: true,
      platform: 'node',
      logLevel: 'error',
      outfile,
    })
    return createRequire(import.meta.url)(outfile)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const { parseAction, NoOperationTraceWriter } = parser()
const content = readFileSync('action.yml', 'utf8')
const action = parse(content)

test("action.yml is valid by GitHub's own schema", () => {
  const { context } = parseAction({ name: 'action.yml', content }, new NoOperationTraceWriter())
  expect(context.errors.getErrors()).toEqual([])
})

test('action.yml that is not valid is found', () => {
  const broken = content.replace('node24', 'node99').replace('icon: lock', 'icon: key')
  const { context } = parseAction({ name: 'action.yml', content: broken }, new NoOperationTraceWriter())
  expect(context.errors.getErrors()).toHaveLength(2)
})

/** Input → default, as the contract has them. */
const INPUTS = {
  broker: undefined,
  provider: undefined,
  activations: undefined,
  policy: undefined,
  routes: undefined,
  models: undefined,
  'expires-in': undefined,
  audience: undefined,
  'export-env': 'true',
  agent: undefined,
  summary: 'true',
  comment: 'auto',
  'github-token': '${{ github.token }}',
  'fail-on': undefined,
}

test('the inputs are those of the contract, with their defaults', () => {
  const inputs = Object.entries(action.inputs as Record<string, { default?: string; required: boolean }>)
  expect(Object.fromEntries(inputs.map(([name, input]) => [name, input.default]))).toEqual(INPUTS)
  expect(inputs.filter(([, { required }]) => required).map(([name]) => name)).toEqual(['broker', 'provider'])
})

test('the outputs are those of the contract', () => {
  expect(Object.keys(action.outputs)).toEqual(['key', 'key-id', 'base-url', 'base-urls', 'activations', 'expires-at'])
})

test('the step runs on Node 24, and its post always', () => {
  expect(action.runs).toEqual({ using: 'node24', main: 'dist/main.js', post: 'dist/post.js', 'post-if': 'always()' })
})

test('docs/action.md names every input and output', () => {
  const docs = readFileSync('docs/action.md', 'utf8')
  for (const name of [...Object.keys(action.inputs), ...Object.keys(action.outputs)])
    expect(docs).toContain(`\`${name}\``)
})
