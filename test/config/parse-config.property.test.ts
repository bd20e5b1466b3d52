import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseConfig } from '#config.ts'
import { SECRET, sources } from './sources.ts'

const here = import.meta.dirname
const corpus = ['good', 'broken'].flatMap((folder) =>
  readdirSync(`${here}/${folder}`).map((name) => readFileSync(`${here}/${folder}/${name}`, 'utf8')),
)

/** Texts that are near to configurations: one with a part cut out and another put in. */
const mutated = fc
  .tuple(fc.constantFrom(...corpus), fc.nat(), fc.nat(60), fc.oneof(fc.string(), fc.constantFrom(...corpus)))
  .map(([text, at, length, put]) => {
    const start = at % text.length
    return text.slice(0, start) + put.slice(0, 200) + text.slice(start + length)
  })

test('parseConfig() never throws, and never says a configuration is good and bad at once', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), mutated), (text) => {
      const read = parseConfig(text, sources)
      if (Array.isArray(read)) expect(read.length).toBeGreaterThan(0)
      else expect(read).toHaveProperty('publicUrl')
    }),
    { numRuns: 300, seed: 1 },
  )
})

test('no problem shows what env: and file: gave, or what stands where a secret is named', () => {
  const places = [
    'providers: { openai: { credential: VALUE } }',
    'providers: { openai: { credential: [VALUE] } }',
    'providers: { openai: { credential: { env: VALUE } } }',
    'providers: { openai: { header: VALUE } }',
    'providers: { openai: { header: "authorization: VALUE" } }',
    'providers: { openai: { origin: https://VALUE@api.openai.com } }',
    'master_key: VALUE',
    'master_key: env:VALUE',
    'master_key: file:VALUE',
    'storage: postgresql:/till:VALUE@db',
    'storage: VALUE',
    'github: { webhook_secret: VALUE, private_key: VALUE, app_id: "1" }',
    'github: { private_key: env:GOOD, app_id: "1" }',
    'master_key: env:GOOD',
    'public_url: https://user:VALUE@till.example.com',
    'issuers: [https://user:VALUE@till.example.com]',
    'secret: VALUE',
    'public_url: *VALUE',
    'public_url: !VALUE x',
    'public_url: "VALUE',
    'VALUE',
  ]
  for (const place of places) {
    const read = parseConfig(place.replaceAll('VALUE', SECRET), sources)
    expect(Array.isArray(read), place).toBe(true)
    expect(JSON.stringify(read), place).not.toContain(SECRET)
  }
})
