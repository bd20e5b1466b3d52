import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** Which folder of `src/` may import what: the table of docs/architecture.md, and each folder's libraries. */
const table: Record<string, readonly string[]> = {
  domain: [],
  wire: ['#domain'],
  views: ['#domain'],
  broker: ['#domain'],
  oidc: ['#broker/ports.ts', '#domain', 'jose', 'node:'],
  crypto: ['#broker/ports.ts', '#domain', 'libsodium-wrappers', 'node:'],
  storage: ['#broker/ports.ts', '#domain', 'pg', 'lru-cache', 'node:'],
  audit: ['#broker/ports.ts', '#domain', 'pino', 'node:'],
  comment: ['#views', '#domain'],
  github: [
    '#broker/ports.ts',
    '#comment',
    '#views',
    '#domain',
    '@octokit/rest',
    '@octokit/auth-app',
    'lru-cache',
    'node:',
  ],
  control: ['#broker', '#wire', '#views', '#domain', 'express', 'node:'],
  proxy: ['#broker', '#wire', '#domain', 'node:'],
  client: ['#wire', '#domain', 'node:'],
  action: ['#client', '#comment', '#wire', '#views', '#domain', '@actions/core', '@actions/github', 'node:'],
  cli: ['#client', '#wire', '#views', '#crypto', '#domain', '#serve.ts', '#config.ts', 'commander', 'node:'],
}
/** `config.ts` and `serve.ts` may import everything of ours. */
const free = ['config.ts', 'config', 'serve.ts', 'serve']

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const imports = (file: string) =>
  [...readFileSync(`src/${file}`, 'utf8').matchAll(/(?:\bfrom|^import|\bimport\()\s*'([^']+)'/gm)].map(
    (found) => found[1]!,
  )

test.each(files)('src/%s imports only what its folder may', (file) => {
  const folder = file.split('/')[0]!
  for (const imported of imports(file)) {
    if (imported.startsWith('../')) expect.fail(`${file} climbs out of its folder: ${imported}`)
    if (imported.startsWith('./') || free.includes(folder) || imported.startsWith(`#${folder}/`)) continue
    const allowed = table[folder]?.some(
      (entry) => imported === entry || imported.startsWith(entry.endsWith(':') ? entry : `${entry}/`),
    )
    expect(allowed, `${file} imports ${imported}`).toBe(true)
  }
})

test('every folder of src stands in the table', () => {
  expect(
    [...new Set(files.map((file) => file.split('/')[0]!))].filter((name) => !(name in table) && !free.includes(name)),
  ).toEqual([])
})

test('the table of docs/architecture.md is this one', () => {
  const page = readFileSync('docs/architecture.md', 'utf8').split('## Folders')[1]!.split('\nArrows')[0]!
  const rows = [...page.matchAll(/^\| ((?:`[\w./]+`(?:, )?)+) \| .* \| (.*?) \|$/gm)].flatMap(([, folders, may]) =>
    [...folders!.matchAll(/`([\w.]+)\/?`/g)].map(([, folder]) => [folder!, may!.replaceAll('`', '')] as const),
  )
  const ours = (entry: string) => (entry.startsWith('#') ? [entry.slice(1)] : [])
  expect(Object.fromEntries(rows)).toEqual({
    ...Object.fromEntries(
      Object.entries(table).map(([folder, entries]) => [folder, entries.flatMap(ours).join(', ') || 'nothing']),
    ),
    ...Object.fromEntries(free.map((name) => [name, 'everything'])),
  })
})

test('each library is known to one folder, but lru-cache', () => {
  const libraries = Object.values(table)
    .flat()
    .filter((entry) => !entry.startsWith('#') && entry !== 'node:')
  expect(libraries.filter((entry, index) => libraries.indexOf(entry) !== index)).toEqual(['lru-cache'])
})
