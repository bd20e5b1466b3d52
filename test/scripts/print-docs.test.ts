import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogue } from '#domain/refusal.ts'
import { errorsPage } from '../../scripts/errors-page.ts'

test('docs/errors.md is what the catalogue says', () => {
  expect(readFileSync('docs/errors.md', 'utf8')).toBe(errorsPage())
})

test('every code has a heading that documentation_url can name', () => {
  const headings = [...errorsPage().matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
  expect(headings).toEqual(Object.keys(catalogue))
})
