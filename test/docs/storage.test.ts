import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('docs/storage.md', 'utf8')

test('docs/storage.md says of every table what is in it, and of every one that grows what is forgotten', () => {
  const folder = 'src/storage/migrations/sqlite'
  const made = readdirSync(folder).flatMap((file) =>
    [...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/CREATE TABLE (\w+)/g)].map(([, table]) => table!),
  )
  expect(tablesOf('Tables').toSorted()).toEqual(made.toSorted())
  const constant = ['broker_chain', 'probes', 'sealed_records']
  expect([...tablesOf('Growth'), ...constant].toSorted()).toEqual(made.toSorted())
})

/** What stands in the first column of a section's rows. */
function tablesOf(section: string): string[] {
  const text = new RegExp(`^## ${section}\n(.*?)^## `, 'ms').exec(page)![1]!
  return [...text.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`(\w+)`/g)].map(([, t]) => t!))
}
