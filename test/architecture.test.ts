import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** Which folder of `src/` may import what: the table of DESIGN, each library known to one folder. */
const table: Record<string, readonly string[]> = {
  domain: [],
  wire: ['#domain'],
  views: ['#domain'],
  broker: ['#domain'],
  oidc: ['#broker/ports.ts', '#domain', 'jose', 'node:'],
  crypto: ['#broker/ports.ts', '#domain', 'libsodium-wrappers', 'node:'],
  storage: ['#broker/ports.ts', '#domain', 'pg', 'lru-cache', 'node:'],
  audit: ['#broker/ports.ts', '#domain', 'pino', 'node:'],
  metrics: ['#broker/ports.ts', '#domain', 'prom-client', 'node:'],
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
