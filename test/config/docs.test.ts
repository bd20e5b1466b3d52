import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseConfig } from '#config.ts'
import { sources } from './sources.ts'

const page = readFileSync('docs/configuration.md', 'utf8')
const examples = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, source]) => source!)

test('the examples of docs/configuration.md are configurations', () => {
  expect(examples).toHaveLength(2)
  for (const example of examples) expect(parseConfig(example, sources)).not.toBeInstanceOf(Array)
})

test('docs/configuration.md names every field', () => {
  const unknown = `zzzzzzzz: 1
providers: { openai: { zzzzzzzz: 1 } }
policies: [{ zzzzzzzz: 1, limits: { zzzzzzzz: 1 } }]
issuers: [{ zzzzzzzz: 1 }]
github: { zzzzzzzz: 1 }
audit: { zzzzzzzz: 1 }
retention: { zzzzzzzz: 1 }
`
  const problems = parseConfig(unknown, sources)
  const known = Array.isArray(problems) ? problems.flatMap(({ message }) => message.split('; known are ')[1] ?? []) : []
  expect(known).toHaveLength(8)
  for (const field of known.join(', ').split(', ')) expect(page, field).toContain(`\`${field}`)
})
